"""Is a released model one of its factory's, and was it trained on its members?

Otherwise what attacks learn from shadows doesn't hold for it, and it would pass. Two things betray it: on records that
are new to both, it answers unlike the shadows; and the simplest of attacks, which finds the members of the shadows,
finds next to none of its own.
"""

from __future__ import annotations

import numpy as np

from pytest_mia.attacks.observations import Observations
from pytest_mia.core.types import BoolArray, FloatArray
from pytest_mia.statistics import error_budget
from pytest_mia.statistics.counts import Counts, Interval
from pytest_mia.validity import identical_models
from pytest_mia.validity.protocol import NOTHING, CheckResult, ObservedAudit, Release

CONFIDENCE = 0.995
"""Of the bound on what is found of the released model."""
KEPT = 0.25
"""Part of the shadows' advantage that a model of the same factory keeps, though it had more records to learn from."""
REMEDY = "give the members, factory, training and mia_predict that the released model was made with"
OF_RECORDS = (
    "give the attacker records that are more like the model's, or add an attacker who has the audited records (None in "
    "the mapping mia_shadow_dataset)"
)
WITHOUT = "or audit it without shadows (shadows=0)"


def check(audit: ObservedAudit) -> CheckResult:
    """The finding on a released model; where its shadows may differ from it, the same as a note."""
    release = audit.release
    if release is None:
        return NOTHING
    mismatch = find_mismatch(audit.observations, other_records=release.other_records)
    found = () if mismatch is None else (mismatch,)
    if release.may_differ:
        return CheckResult(notes=found)
    other_class = _note_other_class(release)
    return CheckResult(found, () if other_class is None else (other_class,))


def find_mismatch(observations: Observations, *, other_records: bool = False) -> str | None:
    """The finding that the released model is none of its factory's, or was trained on others than its members.

    Parameters
    ----------
    observations
        What the shadows and the one target answered.
    other_records
        Whether shadows were trained on an attacker's own records, which may be to blame too.
    """
    signals, target = observations.signals, observations.targets[0]
    shadows = np.flatnonzero(observations.references)
    values = signals.confidence if signals.confidence is not None else signals.correct
    if values is None or not len(shadows):
        return None
    judged = observations.judged[target]
    theirs, among = values[shadows][:, judged], observations.members[shadows][:, judged]
    own, members = values[target, judged], observations.members[target, judged]
    remedy = ", ".join([REMEDY, *([OF_RECORDS] if other_records else []), WITHOUT])
    found = identical_models.measure_distance(own[~members], theirs[~among])
    if found > identical_models.STRANGE:
        return (
            f"on records that neither was trained on, the released model answers so unlike the shadows (distance "
            f"{found:.2f}, at most {identical_models.STRANGE:g} is allowed) that an attack that learns from shadows "
            f"does not fit the model: {remedy}"
        )
    threshold, promised = _learn_threshold(theirs[among], theirs[~among])
    kept = _measure_advantage(own >= threshold, members, observations.independent_share())
    if kept.high >= KEPT * promised:
        return None
    return (
        f"a threshold that finds the shadows' members with an advantage of {promised:.3f} reaches {kept} on the "
        "released model: this factory does not make such a model, or the model was trained on other members, "
        f"or on many more: {remedy}"
    )


def _note_other_class(release: Release) -> str | None:
    """The note that a released model is of another class than those that its factory makes."""
    made, given = type(release.fresh), type(release.model)
    if release.fresh is None or made is given:
        return None
    return (
        f"the released model is a {given.__name__}, and the factory makes a {made.__name__}: what attacks learn from "
        "the factory's models may not hold for the released one; give the factory that it was made with"
    )


def _learn_threshold(inside: FloatArray, outside: FloatArray) -> tuple[float, float]:
    """The threshold of the largest advantage on members and others, and that advantage."""
    if not inside.size or not outside.size:
        return np.inf, 0.0
    values = np.unique(np.concatenate([inside, outside]))
    tpr, fpr = (1 - np.searchsorted(np.sort(side), values) / side.size for side in (inside, outside))
    best = int(np.argmax(tpr - fpr))
    return float(values[best]), float(tpr[best] - fpr[best])


def _measure_advantage(flagged: BoolArray, members: BoolArray, share: float) -> Interval:
    """The advantage of these guesses on the released model."""
    inside, outside = flagged[members], flagged[~members]
    counts = Counts((int(inside.sum()),), (len(inside),), (int(outside.sum()),), (len(outside),), share)
    return error_budget.plain_interval(counts, CONFIDENCE)
