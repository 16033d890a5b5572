"""Are many answers one and the same value, such as probabilities of exactly 0 and 1? Some attacks are blind to them."""

from __future__ import annotations

import numpy as np

from pytest_mia.attacks.protocol import needs_fitting
from pytest_mia.attacks.registry import ATTACKS
from pytest_mia.core.types import FloatArray
from pytest_mia.models.queries.registry import FEWEST_VALUES
from pytest_mia.validity.protocol import NOTHING, CheckResult, ObservedAudit

MANY = 0.5
"""Share of the answers at one end of the scale from which it is said."""
LOG_ODDS = {"confidence", "tempered"}


def check(audit: ObservedAudit) -> CheckResult:
    """The note on how many answers lie at one end of the scale, and on the attacks that can't tell them apart."""
    signals = audit.observations.signals
    if signals.confidence is None or signals.correct is None:
        return NOTHING
    alike, answers = count_at_an_end(signals.confidence), signals.confidence.size
    if alike < MANY * answers or len(np.unique(signals.confidence)) < FEWEST_VALUES:
        return NOTHING
    return CheckResult(
        notes=(
            f"{alike:,} of {answers:,} answers ({alike / answers:.0%}) are as sure as the numbers that the model gives "
            "can say, such as probabilities of exactly 0 or 1, and count as one value: attacks that compare log-odds "
            f"({', '.join(blind_families())}) can't tell them apart; if the model also ships logits or "
            "log-probabilities, let mia_predict return them",
        )
    )


def count_at_an_end(values: FloatArray) -> int:
    """How many values tie with the largest or with the smallest one, whichever are more."""
    return max(int(np.count_nonzero(values == end)) for end in (values.min(), values.max()))


def blind_families() -> list[str]:
    """Families of attacks that compare log-odds alone with those of shadows."""
    alone = (each for each in ATTACKS if {*each.signals} <= LOG_ODDS and each.least_shadows)
    families = (each.family for each in alone if not needs_fitting(each))
    return list(dict.fromkeys(families))
