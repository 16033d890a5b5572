"""The records that an audit concerns, checked and put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.text import counted
from pytest_mia.core.types import BoolArray, IntArray
from pytest_mia.data import dataset, duplicates, split_shift
from pytest_mia.data.containers import count
from pytest_mia.data.dataset import Dataset, Target, join_datasets, take_records
from pytest_mia.data.labels import Task, encode, number_groups, strata, task_of, task_problems
from pytest_mia.data.memberships import strata_of

MOST_DUPLICATES = 0.05
"""Share of the non-members that may be members too, and are left out."""

MEMBERS, NONMEMBERS, VALIDATION = "mia_target members", "mia_target nonmembers", "mia_target validation"


@dataclass(frozen=True)
class Records:
    """All records of an audit: first the audited ones, then those that only attackers hold.

    Attributes
    ----------
    data
        The records.
    audited
        How many of them are audited.
    held
        Records (records,) that the attacker's shadows train on.
    groups
        Group of each record (records,), or ``None`` where each stands for itself.
    members
        For a release, whether each audited record (audited,) was in the training data; ``None`` for a recipe.
    slices
        Values of each slice on the audited records.
    findings, notes
        What was found on the way.
    shift
        Advantage with which members and non-members of a release can be told apart without any model.
    copied
        Whether each audited record has a copy that isn't of its own group; ``None`` where none has.
    """

    data: Data
    audited: int
    held: BoolArray
    groups: IntArray | None
    members: BoolArray | None
    slices: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    shift: float = 0.0
    copied: BoolArray | None = None

    @property
    def classes(self) -> Sequence[Any]:
        """Class of each audited record; empty where a record has none."""
        if not len(self.data.classes):
            return ()
        named: list[Any] = self.data.classes[self.data.labels[: self.audited]].tolist()
        return named


def gather(request: AuditRequest, *, seed: int, kind: str | None = None) -> Records:
    """Check and put together the records of an audit.

    Parameters
    ----------
    request
        What is audited.
    seed
        The audit's seed.
    kind
        What the model says that it is: "classifier", "regressor"..., or nothing.

    Raises
    ------
    MIAUsageError
        With every problem that was found.
    """
    _refuse(request.problems)
    given = _read_given(request, kind)
    audited = given["mia_dataset"] if request.target is None else join_datasets(given[MEMBERS], given[NONMEMBERS])
    _refuse(_find_problems("mia_target", audited, request, kind) if request.target is not None else ())
    members, findings, notes, shift = None, list[str](), list[str](), 0.0
    if request.target is not None:
        members = np.repeat([True, False], [count(given[side].X) for side in (MEMBERS, NONMEMBERS)])
        audited, members, chosen_by = _leave_out_validation(audited, members, given.get(VALIDATION))
        audited, members, findings, notes = _leave_out_twins(audited, members)
        notes += chosen_by
        shift = split_shift.measure_shift(audited.X, audited.y, members, seed=seed)
    everything, held = _add_attackers_records(request, given, audited)
    groups, copied, note = _group_records(everything)
    near = _describe_near_duplicates(audited, groups, members, seed)
    size = count(audited.X)
    classes, labels = _encode_labels(everything, request, kind)
    return Records(
        Data(everything.X, everything.y, classes, labels),
        size,
        held[request.attacker],
        groups,
        members,
        {} if audited.slices is None else {name: audited.slices[name] for name in audited.slices},
        (*findings, *near[0]),
        (*notes, *note, *near[1], *_describe_overlap(request, members, held)),
        shift,
        None if copied is None else copied[:size],
    )


def _encode_labels(records: Dataset, request: AuditRequest, kind: str | None) -> tuple[npt.NDArray[Any], IntArray]:
    """The classes with each record's code, or no classes and each record's stratum."""
    size = count(records.X)
    if request.loss is not None:
        return np.array([]), strata_of(records.y, size)
    task = _find_task(records, request, kind)
    return encode(records.y) if task is Task.CLASSES else (np.array([]), strata(records.y, task, size))


def _find_task(records: Dataset, request: AuditRequest, kind: str | None) -> Task:
    return task_of(records.y, kind=kind, own_predict=request.predict is not None)


def _read_given(request: AuditRequest, kind: str | None) -> dict[str, Dataset]:
    """The records of every fixture that gave some, by its name, each checked by itself."""
    given: dict[str, Dataset] = {}
    problems: list[str] = []
    for place, value in _collect_values(request).items():
        try:
            given[place] = dataset.as_dataset(value)
            problems += _find_problems(place, given[place], request, kind)
        except MIAUsageError as error:
            problems += [f"{place}: {problem}" for problem in error.problems]
    if request.target is not None and not isinstance(request.target, Target):
        got = type(request.target).__name__
        problems.append(f"mia_target must be pytest_mia.Target(model, members=(X, y), nonmembers=(X, y)), got {got}")
    _refuse(problems)
    return given


def _collect_values(request: AuditRequest) -> dict[str, Any]:
    values = {"mia_dataset": request.dataset} if request.target is None or request.dataset is not None else {}
    values |= {_name_place(name, request): own for name, own in request.held.items() if own is not None}
    if isinstance(request.target, Target):
        values |= {MEMBERS: request.target.members, NONMEMBERS: request.target.nonmembers}
        values |= {} if request.target.validation is None else {VALIDATION: request.target.validation}
    return values


def _name_place(attacker: str, request: AuditRequest) -> str:
    """Where an attacker's own records were given."""
    return f"mia_shadow_dataset {attacker!r}" if isinstance(request.shadow_dataset, Mapping) else "mia_shadow_dataset"


def _find_problems(place: str, records: Dataset, request: AuditRequest, kind: str | None) -> list[str]:
    """What is wrong with the records of a place; one side of a release may hold one class only."""
    judged = request.loss is None and place not in (MEMBERS, NONMEMBERS, VALIDATION)
    task = _find_task(records, request, kind)
    found = dataset.find_problems(records, needs_labels=judged and task is Task.CLASSES)
    found += task_problems(records.y, task) if judged and not found else []
    return [f"{place}: {problem}" for problem in found]


def _refuse(problems: Iterable[str]) -> None:
    if problems:
        raise MIAUsageError([*problems])


def _leave_out_twins(records: Dataset, members: BoolArray) -> tuple[Dataset, BoolArray, list[str], list[str]]:
    """Leave out non-members that are members too, or of a member's group; a finding where they are many."""
    keys = duplicates.record_keys(records.X, records.y)
    twice = np.zeros(len(members), dtype=bool)
    for ids in (keys, number_groups(records.groups)):
        twice |= False if ids is None else ~members & np.isin(ids, ids[members])
    both, share = int(twice.sum()), f"{int(twice.sum())} of {int((~members).sum())} non-members"
    if twice.sum() > MOST_DUPLICATES * (~members).sum():
        finding = (
            f"{share} {'is a member' if both == 1 else 'are members'} too, or of a member's group, more than the "
            f"{MOST_DUPLICATES:.0%} that can be left out; give each record to mia_target as a member or as a non-member"
        )
        return records, members, [finding], []
    if not twice.any():
        return records, members, [], []
    return take_records(records, ~twice), members[~twice], [], [f"the audit leaves out {share} that are members too"]


def _leave_out_validation(
    records: Dataset, members: BoolArray, validation: Dataset | None
) -> tuple[Dataset, BoolArray, list[str]]:
    """Leave out non-members that the model was chosen by: it knows them a little, which would hide a leak."""
    if validation is None:
        return records, members, []
    both, size = join_datasets(records, validation), len(members)
    known = np.zeros(size, dtype=bool)
    for ids in (duplicates.record_keys(both.X, both.y), number_groups(both.groups)):
        known |= False if ids is None else ~members & np.isin(ids[:size], ids[size:])
    if not known.any():
        return records, members, []
    share = f"{int(known.sum())} of {int((~members).sum())} non-members"
    note = f"the audit leaves out {share} that the model was chosen by (validation)"
    return take_records(records, ~known), members[~known], [note]


def _describe_near_duplicates(
    audited: Dataset, groups: IntArray | None, members: BoolArray | None, seed: int
) -> tuple[list[str], list[str]]:
    """Findings and notes on near-duplicates."""
    own = None if groups is None else groups[: count(audited.X)]
    found = duplicates.estimate_share(audited.X, seed=seed, groups=own, members=members)
    return duplicates.describe_share(found, grouped=audited.groups is not None)


def _describe_overlap(request: AuditRequest, members: BoolArray | None, held: Mapping[str, BoolArray]) -> list[str]:
    """What is to be known where an attacker's own records are members of the released model too."""
    if members is None or request.own_records is None:
        return []
    own = held[request.attacker]
    both = int((own[: len(members)] & members).sum())
    if not both:
        return []
    return [
        f"the released model was trained on {both} of the {int(own.sum())} records that the attacker holds; this does "
        "no harm, because the members of the attacker's shadows are drawn independently of the model's"
    ]


def _add_attackers_records(
    request: AuditRequest, given: Mapping[str, Dataset], audited: Dataset
) -> tuple[Dataset, dict[str, BoolArray]]:
    """The audited records with those that only attackers hold behind them, and which of them each attacker holds.

    The records of all attackers are there, whichever attacker is audited, so that all attackers have the same targets.
    A record that is there already isn't put there twice: shadows that train on it are known to have had it.
    """
    everything, rows = audited, dict[str, IntArray]()
    known = np.arange(count(audited.X))
    for attacker, own in request.held.items():
        if own is not None:
            everything, rows[attacker] = _add_records(everything, given[_name_place(attacker, request)])
        elif request.target is not None and request.dataset is not None:
            everything, others = _add_records(everything, given["mia_dataset"])
            rows[attacker] = np.r_[known, others]
        else:
            rows[attacker] = known
    places = np.arange(count(everything.X))
    return everything, {attacker: np.isin(places, held) for attacker, held in rows.items()}


def _add_records(records: Dataset, more: Dataset) -> tuple[Dataset, IntArray]:
    """The records with those of `more` that they lack behind them, and the places of all copies of `more`."""
    both, size = join_datasets(records, more), count(records.X)
    keys = duplicates.record_keys(both.X, both.y)
    if keys is None:
        return both, np.arange(size, count(both.X))
    kept = np.r_[np.ones(size, dtype=bool), ~np.isin(keys[size:], keys[:size])]
    held = np.flatnonzero(np.isin(keys, keys[size:])[kept])
    return (records if kept.sum() == size else both if kept.all() else take_records(both, kept)), held


def _group_records(records: Dataset) -> tuple[IntArray | None, BoolArray | None, list[str]]:
    """The user's groups, with exact duplicates kept together, and the records that have copies in another group."""
    keys = duplicates.record_keys(records.X, records.y)
    copies = 0 if keys is None else len(keys) - len(np.unique(keys))
    given = number_groups(records.groups)
    if not copies or keys is None:
        return given, None, []
    which = "is a copy of another" if copies == 1 else "are copies of others"
    note = f"{counted(copies, 'record')} {which}; copies are members together or not at all"
    own = np.arange(len(keys)) if given is None else given
    owners = np.bincount(np.unique(np.stack([keys, own]), axis=1)[0])
    return (keys if given is None else duplicates.merge_groups(given, keys)), owners[keys] > 1, [note]


@dataclass(frozen=True)
class Data:
    """The records that models are trained on and asked about.

    Attributes
    ----------
    X, y
        Features and labels in the user's own types.
    classes
        The distinct labels in order; empty for models that answer with losses.
    labels
        Class code, or stratum, of each record (records,).
    """

    X: Any
    y: Any
    classes: Any
    labels: IntArray
