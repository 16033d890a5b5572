"""Do answers name the classes as y does? Codes that start at another number, or columns in another order, do not.

Attacks take right answers as a sign of members. Where right answers count as wrong, most attacks find nothing, and the
model would pass every limit. Such answers show themselves on the training records: the model is right on fewer of them
than a guess would be, or than on records that it never saw.
"""

from __future__ import annotations

import numpy as np

from pytest_mia.attacks.observations import Observations
from pytest_mia.core.types import BoolArray, FloatArray
from pytest_mia.statistics import error_budget, rate_bounds
from pytest_mia.statistics.counts import Counts
from pytest_mia.validity.protocol import NOTHING, CheckResult, ObservedAudit

CONFIDENCE = 0.995
"""Of the bound on what is found by chance."""
FAR_BELOW = 0.5
"""A model that is right less often than this part of what guessing reaches has not merely learnt nothing."""


def check(audit: ObservedAudit) -> CheckResult:
    """The finding on all targets; see `find_other_encoding`."""
    finding = find_other_encoding(audit.observations)
    return NOTHING if finding is None else CheckResult((finding,))


def find_other_encoding(observations: Observations) -> str | None:
    """The finding that models are right on fewer of their members than chance, and training, would have it.

    Chance is how often a guess of any class is right. A model that learnt nothing may be a little below it, but then
    equally on members and on other records.

    Parameters
    ----------
    observations
        What models answered; answers that aren't of one class out of several prove nothing.
    """
    counts, chance = _right(observations), _chance(observations)
    if counts is None or chance == 1 or not sum(counts.members):
        return None
    alpha = 1 - CONFIDENCE
    members, _, most = rate_bounds(counts.flagged_members, counts.members, alpha=alpha, share=counts.share)
    others = rate_bounds(counts.flagged_nonmembers, counts.nonmembers, alpha=alpha, share=counts.share)[0]
    worse = members < chance and error_budget.plain_interval(counts, CONFIDENCE).high < 0
    if not worse and most >= FAR_BELOW * chance:
        return None
    return (
        f"models are right on {members:.3f} of their members and {others:.3f} of the other records, and a guess is "
        f"right on {chance:.3f}: the answers name the classes in another way than y does, so no attack knows which "
        "answers are right. Let mia_predict return the labels of y, or one column for each label in sorted order"
    )


def _right(observations: Observations) -> Counts | None:
    """How many members, and how many others, each target is right on."""
    signals, targets = observations.signals, observations.targets
    correct = signals.correct
    # Several labels, which have no entropy, are right when all of them are: by chance next to never.
    if correct is None or (signals.confidence is not None and signals.entropy is None):
        return None
    judged, members = observations.judged[targets], observations.members[targets]
    inside, outside = judged & members, judged & ~members
    return Counts(
        _per_target(correct[targets] * inside),
        _per_target(inside),
        _per_target(correct[targets] * outside),
        _per_target(outside),
        observations.independent_share(),
    )


def _per_target(counted: FloatArray | BoolArray) -> tuple[int, ...]:
    return tuple(counted.sum(axis=1).round().astype(int).tolist())


def _chance(observations: Observations) -> float:
    judged = observations.judged[observations.targets].any(axis=0)
    return 1 / max(len(np.unique(observations.labels[judged])), 1)
