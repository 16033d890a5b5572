"""Do models that were trained on different records answer alike, or a release unlike its shadows?"""

from __future__ import annotations

import numpy as np

from pytest_mia.core.types import BoolArray, FloatArray, IntArray
from pytest_mia.models.signals import Signals
from pytest_mia.validity.protocol import NOTHING, CheckResult, ObservedAudit

COARSE = 20
"""Different values up to which answers may agree by themselves."""

STRANGE = 0.5
"""Distance between a released model and its shadows, on records that are new to them, that is more than training."""


def check(audit: ObservedAudit) -> CheckResult:
    """The finding on the shadow models; see `find_identical`."""
    given = audit.observations
    rows = np.flatnonzero(given.references)
    if not len(rows):
        return NOTHING
    signals = given.signals.of(rows, np.arange(len(given.labels)))
    finding = find_identical(signals, given.labels, given.members[rows])
    return NOTHING if finding is None else CheckResult((finding,))


def find_identical(signals: Signals, labels: IntArray, members: BoolArray) -> str | None:
    """The finding that models trained on different halves answer exactly alike, so that nothing was trained.

    Coarse answers may agree by themselves, as those of trees do that have all found the same cut; they count as alike
    only when they are the same for every record too. Labels never count: models that are always right agree in them.

    Parameters
    ----------
    signals
        Signals (models, records).
    labels
        Class code of each record (records,).
    members
        Memberships (models, records).
    """
    values = signals.confidence
    if values is None or len(values) < 2 or not (members[0] != members[1:]).any() or (values != values[0]).any():
        return None
    if not is_constant(signals, labels) and len(np.unique(values)) <= COARSE:
        return None
    return (
        f"{len(values)} models trained on different halves give exactly the same answers: nothing was trained. "
        "Check that the factory returns a fresh model, and that training changes it"
    )


def is_constant(signals: Signals, labels: IntArray) -> bool:
    """Whether the first model shows the same probabilities for the same class, whatever the record."""
    shown = signals.shown if signals.shown is not None else signals.confidence
    if shown is not None and (shown[0] != shown[0][:1]).any():
        return False
    # It is then right on all records of the class that it always guesses, and on no others.
    right = np.zeros(len(labels)) if signals.correct is None else signals.correct[0]
    return bool((right == np.isin(labels, labels[right > 0][:1])).all())


def measure_distance(target: FloatArray, shadows: FloatArray) -> float:
    """The largest distance between the distributions of one signal on the target and on its shadows.

    Parameters
    ----------
    target, shadows
        One signal of records that these were not trained on, in any numbers.

    Returns
    -------
    float
        The two-sample statistic of Kolmogorov and Smirnov, from 0 to 1; 0 where a side is empty.
    """
    if not target.size or not shadows.size:
        return 0.0
    values, both = np.concatenate([target, shadows]), [np.sort(target, axis=None), np.sort(shadows, axis=None)]
    first, second = (np.searchsorted(side, values, "right") / side.size for side in both)
    return float(np.abs(first - second).max())
