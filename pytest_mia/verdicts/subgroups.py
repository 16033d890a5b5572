"""Subgroups: the records of an audit, divided by a slice, a column, the class, or values that are given for it.

Guesses are kept as one character per target and record, since a part may be asked for that nobody has named before.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.text import shown
from pytest_mia.core.types import BoolArray, IntArray
from pytest_mia.data.containers import count, describe, take
from pytest_mia.data.dataset import Dataset
from pytest_mia.data.labels import as_labels, find_missing
from pytest_mia.data.memberships import independent_share
from pytest_mia.results.audit_data import AuditData
from pytest_mia.results.values import Guesses, SliceResult
from pytest_mia.statistics import error_budget, least_records_to_pass
from pytest_mia.statistics.counts import Counts, Interval

CLASS = "class"
"""The name of what a model predicts."""
MOST_PARTS = 100
MOST_NUMBERS = 20
"""Values by which records are divided at the most; numbers are rather measured than named, so they want bins."""
FEWEST_NAMED = 10
"""Records, or groups of them, that share a value before it is named: a rarer one could tell who has it."""

JUDGED, MEMBER, FLAGGED, NOTHING = 1, 2, 4, ord("0")


@dataclass(frozen=True)
class Frame:
    """The columns of the audited records.

    Attributes
    ----------
    frame
        A DataFrame, whose first rows they are.
    records
        How many are audited.
    """

    frame: Any
    records: int

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy or a pickle of a result holds no feature value.
        return Frame, (None, self.records)

    def values(self, name: str) -> Sequence[Any] | None:
        """One value per audited record, or ``None`` where there is no such column."""
        if self.frame is None or name not in self.frame.columns:
            return None
        found: Sequence[Any] = take(self.frame[name], np.arange(self.records))
        return found


def frame_of(X: Any, records: int) -> Frame | None:
    """The columns of X by name, where it has any."""
    return Frame(X, records) if hasattr(X, "columns") and hasattr(X, "__getitem__") else None


def guesses(flagged: BoolArray, members: BoolArray, judged: BoolArray, groups: IntArray | None) -> Guesses:
    """Guesses as a result keeps them.

    Parameters
    ----------
    flagged, members, judged
        Which records (targets, records) were called members, which are, and which of them are judged.
    groups
        Group of each record (records,), or ``None``.
    """
    bits = JUDGED * judged + MEMBER * members + FLAGGED * flagged + NOTHING
    targets = tuple(row.astype(np.uint8).tobytes().decode("ascii") for row in bits)
    return Guesses(targets, () if groups is None else tuple(groups.tolist()))


def count_parts(
    by: str, values: npt.NDArray[np.str_], kept: Guesses, levels: error_budget.Levels
) -> tuple[SliceResult, ...]:
    """The records by their values (records,), each part with an interval of its own."""
    rows = np.array([np.frombuffer(row.encode("ascii"), np.uint8) for row in kept.targets]) - NOTHING
    groups = np.array(kept.groups) if kept.groups else None
    found = []
    for value in np.unique(values):
        part = values == value
        counts = _counted(rows[:, part], None if groups is None else groups[part])
        found.append(SliceResult(by, str(value), int(part.sum()), counts, error_budget.other_interval(counts, levels)))
    return tuple(found)


def _counted(rows: IntArray, groups: IntArray | None) -> Counts:
    """Guesses (targets, records), counted per target."""
    judged, members, flagged = (rows & bit > 0 for bit in (JUDGED, MEMBER, FLAGGED))
    masks = (judged & members & flagged, judged & members, judged & ~members & flagged, judged & ~members)
    found, inside, accused, outside = (tuple(mask.sum(axis=1).tolist()) for mask in masks)
    return Counts(
        found, inside, accused, outside, independent_share(None if groups is None else groups[judged.any(axis=0)])
    )


def check_records(by: Any, given: Any) -> None:
    """Refuse a `by` that can't divide the records, as far as they are known before anything is trained.

    Parameters
    ----------
    by
        As `divide` takes it.
    given
        The records as the user gave them: of a release, those of one side.

    Raises
    ------
    MIAUsageError
        As `divide` does.
    """
    __tracebackhide__ = True
    records = Dataset(*given) if isinstance(given, (tuple, list)) and len(given) == 2 else given
    if not isinstance(records, Dataset):
        return
    if not isinstance(by, str):
        _refuse_many(_label(by), _read(by))
        return
    slices = [] if records.slices is None else [*records.slices]
    frame = frame_of(records.X, count(records.X)) if hasattr(records.X, "columns") else None
    column = None if frame is None or by in slices else frame.values(by)
    if column is not None:
        _refuse_many(by, _read(column))
    elif by not in (*slices, CLASS):
        raise MIAUsageError(_unknown(by, [*map(str, slices), CLASS], columns=frame is not None))


def divide(result: AuditData, by: Any) -> tuple[SliceResult, ...]:
    """The parts of an audit's records; what `by` may be stands in `pytest_mia.verdicts.gates.MembershipAdvantageBelow`.

    Raises
    ------
    MIAUsageError
        When there are no such parts, or too many of them.
    """
    __tracebackhide__ = True
    if not isinstance(by, str):
        return _given(result, _label(by), by)
    found = tuple(part for part in result.slices if part.by == by)
    column = None if found or result.columns is None else result.columns.values(by)
    if column is not None:
        return _given(result, by, column)
    found = found or tuple(part for part in result.classes if part.by == by)
    if not found:
        known = sorted({part.by for part in (*result.slices, *result.classes)})
        raise MIAUsageError(_unknown(by, known, columns=result.columns is not None))
    if len(found) > MOST_PARTS:
        raise MIAUsageError(_too_many(by, len(found), MOST_PARTS))
    return found


def judge(part: SliceResult, advantage: Interval, limit: float) -> SliceResult:
    """A part with its verdict.

    Parameters
    ----------
    part
        The part.
    advantage
        Its interval, the lower bound corrected for the number of parts.
    limit
        The limit.
    """
    needed = _needed(part, advantage.confidence, limit)
    small = needed > part.records
    outcome = "leak" if advantage.low > limit else "pass" if advantage.high < limit and not small else "inconclusive"
    return dataclasses.replace(part, advantage=advantage, verdict=outcome, needed=needed if small else None)


def label(part: SliceResult) -> str:
    """A part in a few words, whatever the user has called it."""
    return f"{shown(part.by)}={shown(part.value)}"


def _needed(part: SliceResult, confidence: float, limit: float) -> int:
    """Records of this kind with which a model from which nothing can be told passes."""
    counts, targets = part.counts, len(part.counts.members)
    least = least_records_to_pass(limit, targets=targets, alpha=1 - confidence)
    counting = 2 * min(sum(counts.members), sum(counts.nonmembers)) * counts.share / targets
    return math.ceil(part.records * least / counting) if counting else max(least, part.records + 1)


def _given(result: AuditData, by: str, given: Any) -> tuple[SliceResult, ...]:
    """The parts by values of the user's own, of which only those are named that enough records share."""
    __tracebackhide__ = True
    values, kept = _read(given), result.guesses
    if kept is None:
        raise MIAUsageError("this audit keeps no guesses, so by can only name one of its slices")
    if len(values) != result.records:
        order = " (members first, without those non-members that are members too)" if result.kind == "release" else ""
        raise MIAUsageError(
            f"{shown(by)} holds {len(values)} values, and {result.records} records are audited; give one value for "
            f"each, in their order{order}"
        )
    named = _refuse_many(by, values)
    levels = error_budget.levels(result.advantage.confidence, attacks=len(np.unique(named)) + 1, looks=result.looks)
    return count_parts(by, np.array(list(_names(named, kept))), kept, levels)


def _read(given: Any) -> npt.NDArray[Any]:
    """One value per record, as the user gave them."""
    __tracebackhide__ = True
    try:
        values = as_labels(given)
    except ValueError:
        values = np.empty((0, 0))
    if values.ndim != 1:
        raise MIAUsageError(f"by must be a name, or one value per record, got {describe(given)}")
    return values


def _refuse_many(by: str, values: npt.NDArray[Any]) -> npt.NDArray[np.str_]:
    """The values as names, unless they are too many."""
    __tracebackhide__ = True
    most = MOST_NUMBERS if _numeric(values) else MOST_PARTS
    named = np.array([str(value) for value in values.tolist()])
    if (found := len(np.unique(named))) > most:
        raise MIAUsageError(_too_many(by, found, most))
    return named


def _label(given: Any) -> str:
    return str(getattr(given, "name", None) or "by")


def _numeric(values: npt.NDArray[Any]) -> bool:
    """Whether these are numbers or dates, rather than names."""
    if values.dtype.kind != "O":
        return values.dtype.kind in "iufcmM"
    held = values[~find_missing(values)].tolist()
    return all(isinstance(value, Number) and not isinstance(value, bool) for value in held)


def _names(values: npt.NDArray[np.str_], kept: Guesses) -> Iterator[str]:
    """The name of each record's value: itself, or the first record that has it where few have."""
    groups = np.array(kept.groups) if kept.groups else np.arange(len(values))
    _, first, codes = np.unique(values, return_index=True, return_inverse=True)
    sharing = [len(np.unique(groups[codes == code])) for code in range(len(first))]
    for code in codes:
        yield str(values[first[code]]) if sharing[code] >= FEWEST_NAMED else f"(that of record {first[code]})"


def _unknown(by: str, known: Sequence[str], *, columns: bool) -> str:
    others = " or a column of X" if columns else ""
    names = ", ".join(map(shown, sorted(known))) or "it has none"
    return f"by must name a slice of the dataset ({names}){others}, or hold one value per record, got {shown(by)!r}"


def _too_many(by: str, found: int, most: int) -> str:
    return (
        f"{shown(by)} has {found} different values, and at most {most} parts can be judged; give by=[...] with "
        "one coarser name per record, such as a number's bin from pandas.cut, or a region in the place of a town"
    )
