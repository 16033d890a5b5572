"""What an audit's result is made of: intervals, counts and other figures, in built-in types."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pytest_mia.core.reported import UNREPORTED, Reported
from pytest_mia.statistics.counts import Counts, Interval


def floored(bound: float) -> str:
    """A lower bound to three decimals, never rounded up."""
    return f"{math.floor(bound * 1000) / 1000:.3f}"


@dataclass(frozen=True)
class AttackResult(Reported):
    """What one attack reached on all targets, with thresholds learnt on the other models.

    Attributes
    ----------
    name
        The attack.
    advantage
        TPR - FPR. Its lower bound is corrected for the number of attacks.
    auc
        Area under the ROC curve, mean over the targets.
    tpr_at_fpr
        TPR at the false-positive rates "0.001", "0.01" and "0.1"; ``None`` where non-members are too few to measure it.
    counts
        Guesses at the threshold of the largest advantage.
    tail_counts
        Guesses at the thresholds of those false-positive rates.
    """

    name: str
    advantage: Interval
    auc: float
    tpr_at_fpr: Mapping[str, float | None]
    counts: Counts = field(metadata=UNREPORTED)
    tail_counts: Mapping[str, Counts] = field(metadata=UNREPORTED)


@dataclass(frozen=True)
class SliceResult(Reported):
    """The selected attack on the records of one slice, such as one sex or one hospital.

    Attributes
    ----------
    by, value
        What the records are divided by, and which of them these are.
    records
        How many they are.
    counts, advantage
        The guesses on them, and TPR - FPR.
    verdict
        "pass", "leak" or "inconclusive", where a gate judged each slice by itself.
    needed
        Records that the slice would need before any model could pass; ``None`` where it has them.
    """

    by: str
    value: str
    records: int
    counts: Counts = field(metadata=UNREPORTED)
    advantage: Interval
    verdict: str | None = None
    needed: int | None = None


@dataclass(frozen=True)
class Guesses:
    """Each guess behind an advantage, so that any part of the records can be judged by itself. No report shows them.

    Attributes
    ----------
    targets
        One text per target with one character per audited record, see `pytest_mia.verdicts.subgroups`.
    groups
        Group of each audited record, whose records are drawn together; empty where each stands for itself.
    """

    targets: tuple[str, ...]
    groups: tuple[int, ...] = ()


class Columns(Protocol):
    """What the records themselves can be divided by; see `pytest_mia.verdicts.subgroups.Frame`."""

    def values(self, name: str) -> Sequence[Any] | None:
        """One value per audited record, or ``None`` where there is no such column."""


@dataclass(frozen=True)
class Curve(Reported):
    """The ROC curve of one attack on the judged records themselves, averaged over the targets: it decides nothing.

    All have one entry per point, false-positive rates rising.

    Attributes
    ----------
    attack
        The attack.
    fpr
        False-positive rates.
    tpr, low, high
        True-positive rates there, with pointwise bounds that hold for the threshold of each point.
    """

    attack: str
    fpr: tuple[float, ...]
    tpr: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Histogram(Reported):
    """How many members and non-members got which scores, over all targets that one attack was selected for.

    Attributes
    ----------
    attack
        The attack.
    low, high
        Where the first bin begins and the last one ends; what lies beyond is counted in these two.
    members, nonmembers
        Counts in bins of equal width.
    """

    attack: str
    low: float
    high: float
    members: tuple[int, ...]
    nonmembers: tuple[int, ...]


@dataclass(frozen=True)
class Change(Reported):
    """How far the advantage moved since a baseline was saved.

    Attributes
    ----------
    baseline
        Its name.
    before
        The advantage that it holds; ``None`` where there is nothing to compare with.
    difference
        The advantage now less that before; ``None`` likewise.
    remark
        Why there is nothing to compare with, or what else differs.
    """

    baseline: str
    before: Interval | None
    difference: Interval | None
    remark: str = ""


@dataclass(frozen=True)
class Tally(Reported):
    """How many guesses about one record were right, of how many."""

    right: int
    models: int


@dataclass(frozen=True)
class Exposure(Reported):
    """How far apart a record, or a person with several, stands as a member and as a non-member.

    Attributes
    ----------
    record
        Its index; where records are grouped, that of the group's first one.
    exposure
        From -1 to 1.
    as_member, as_nonmember
        How often it was found out: guesses about the models that had it in training, and about those that had not.
    """

    record: int
    exposure: float
    as_member: Tally = Tally(0, 0)
    as_nonmember: Tally = Tally(0, 0)


@dataclass(frozen=True)
class Accuracy(Reported):
    """Share of right answers on members and on non-members; ``None`` for models that answer with losses."""

    train: float | None
    test: float | None


@dataclass(frozen=True)
class Seconds(Reported):
    """Wall-clock seconds of the two parts of an audit."""

    training: float
    attacks: float


@dataclass(frozen=True)
class CacheUse(Reported):
    """Models that were taken from the cache, and models that were not there and had to be trained; none without one."""

    hits: int = 0
    misses: int = 0
