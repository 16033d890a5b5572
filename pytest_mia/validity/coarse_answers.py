"""Do the answers show how sure a model is? Labels, and answers of few values, hide it from attacks that ask once."""

from __future__ import annotations

import numpy as np

from pytest_mia.models.queries.label_noise import QUESTIONS
from pytest_mia.models.queries.registry import FEWEST_VALUES
from pytest_mia.models.signals import Signals
from pytest_mia.validity.protocol import NOTHING, CheckResult, ObservedAudit

LARGEST_SUM = 1.5
"""What the three largest probabilities of a record may sum to: rounded to quarters they sum to 1.25 at the most."""


def check(audit: ObservedAudit) -> CheckResult:
    """The note on what labels alone, or few values, hide, and on what was asked to find it."""
    note = describe_answers(audit.observations.signals)
    return NOTHING if note is None else CheckResult(notes=(note,))


def describe_answers(signals: Signals) -> str | None:
    """What a reader must know of answers like these, in words; ``None`` where they show how sure a model is."""
    sums = 0.0 if signals.shown is None else float(signals.shown.sum(axis=-1).max())
    if sums > LARGEST_SUM:
        return (
            f"the answers are numbers from 0 to 1 and were taken for probabilities, but a row sums to {sums:.2f}: if "
            "they are no probabilities, let mia_predict return the probabilities, logits or labels that the model ships"
        )
    if signals.noise_robustness is not None:
        return (
            f"the model was asked about {QUESTIONS} noisy copies of each record too (attack label_noise), because "
            "labels and answers of few values hide how sure it is; an attacker who asks more often may do better "
            "(--mia-attacks=hop_skip_jump)"
        )
    copies = signals.boundary_distance is not None or signals.augmented_correct is not None
    if signals.correct is None or copies:
        return None
    if signals.confidence is not None and len(np.unique(signals.confidence)) >= FEWEST_VALUES:
        return None
    return (
        "the model answers with labels alone, or with few values, and was asked about each record once: an attacker "
        "who asks about many slightly changed copies of a record can do better; --mia-attacks=label_noise runs such an "
        "attack, or says why it can't run"
    )
