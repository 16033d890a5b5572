"""What is audited, and the records that it concerns, checked and put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia import dataset, diagnostics, rows, tasks
from pytest_mia.arrays import BoolArray, IntArray
from pytest_mia.dataset import Dataset, Target
from pytest_mia.errors import MIAUsageError
from pytest_mia.joining import joined, taken
from pytest_mia.memberships import strata_of
from pytest_mia.shadows import Data
from pytest_mia.tasks import Task

MOST_DUPLICATES = 0.05
MEMBERS, NONMEMBERS = "mia_target members", "mia_target nonmembers"


@dataclass(frozen=True)
class Subject:
    """What is audited: what the fixtures, or the arguments of `pytest_mia.audit`, gave.

    Attributes
    ----------
    model_factory
        A callable without arguments that returns a fresh, untrained model.
    dataset
        The records, in any form that `pytest_mia.dataset.as_dataset` takes. For a release it may be missing; where it
        is given, shadows train on its records too.
    training, predict, loss, target, shadow_factory, shadow_dataset, outputs, augment
        As the fixtures ``mia_training``, ``mia_predict``... give them; ``None`` where they were not overridden.
    """

    model_factory: Callable[[], Any] | None
    dataset: Any
    training: Any = None
    predict: Any = None
    loss: Any = None
    target: Any = None
    shadow_factory: Any = None
    shadow_dataset: Any = None
    outputs: Any = None
    augment: Any = None

    @property
    def shadow_factories(self) -> tuple[Any, ...]:
        """The attacker's guesses of the factory; the factory itself by default."""
        guesses = self.model_factory if self.shadow_factory is None else self.shadow_factory
        return tuple(guesses) if isinstance(guesses, (list, tuple)) else (guesses,)


@dataclass(frozen=True)
class Records:
    """All records of an audit: first the audited ones, then those that only the attacker holds.

    Attributes
    ----------
    data
        The records.
    audited
        How many of them are audited.
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
    """

    data: Data
    audited: int
    groups: IntArray | None
    members: BoolArray | None
    slices: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    shift: float = 0.0


def gather(subject: Subject, *, seed: int, kind: str | None = None) -> Records:
    """Check and put together the records of an audit.

    Parameters
    ----------
    subject
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
    given = _given(subject, kind)
    audited = given["mia_dataset"] if subject.target is None else joined(given[MEMBERS], given[NONMEMBERS])
    _refuse(_problems("mia_target", audited, subject, kind) if subject.target is not None else ())
    members, findings, notes, shift = None, list[str](), list[str](), 0.0
    if subject.target is not None:
        members = np.repeat([True, False], [dataset.count(given[side].X) for side in (MEMBERS, NONMEMBERS)])
        audited, members, findings, notes = _without_twins(audited, members)
        shift = diagnostics.shift(audited.X, audited.y, members, seed=seed)
    extra = _extra(subject, given, audited)
    everything = audited if extra is None else joined(audited, extra)
    groups, note = _groups(everything)
    classes, labels = _labels(everything, subject, kind)
    return Records(
        Data(everything.X, everything.y, classes, labels),
        dataset.count(audited.X),
        groups,
        members,
        {} if audited.slices is None else {name: audited.slices[name] for name in audited.slices},
        tuple(findings),
        (*notes, *note),
        shift,
    )


def _labels(records: Dataset, subject: Subject, kind: str | None) -> tuple[npt.NDArray[Any], IntArray]:
    """The classes with each record's code, or no classes and each record's stratum."""
    size = dataset.count(records.X)
    if subject.loss is not None:
        return np.array([]), strata_of(records.y, size)
    task = _task(records, subject, kind)
    return dataset.encode(records.y) if task is Task.CLASSES else (np.array([]), tasks.strata(records.y, task, size))


def _task(records: Dataset, subject: Subject, kind: str | None) -> Task:
    return tasks.task_of(records.y, kind=kind, own_predict=subject.predict is not None)


def _given(subject: Subject, kind: str | None) -> dict[str, Dataset]:
    """The records of every fixture that gave some, by its name, each checked by itself."""
    given: dict[str, Dataset] = {}
    problems: list[str] = []
    for place, value in _values(subject).items():
        try:
            given[place] = dataset.as_dataset(value)
            problems += _problems(place, given[place], subject, kind)
        except MIAUsageError as error:
            problems += [f"{place}: {problem}" for problem in error.problems]
    if subject.target is not None and not isinstance(subject.target, Target):
        got = type(subject.target).__name__
        problems.append(f"mia_target must be pytest_mia.Target(model, members=(X, y), nonmembers=(X, y)), got {got}")
    _refuse(problems)
    return given


def _values(subject: Subject) -> dict[str, Any]:
    values = {"mia_dataset": subject.dataset, "mia_shadow_dataset": subject.shadow_dataset}
    if subject.target is not None and subject.dataset is None:
        del values["mia_dataset"]
    if subject.shadow_dataset is None:
        del values["mia_shadow_dataset"]
    if isinstance(subject.target, Target):
        values |= {MEMBERS: subject.target.members, NONMEMBERS: subject.target.nonmembers}
    return values


def _problems(place: str, records: Dataset, subject: Subject, kind: str | None) -> list[str]:
    """What is wrong with the records of a place; one side of a release may hold one class only."""
    judged = subject.loss is None and place not in (MEMBERS, NONMEMBERS)
    task = _task(records, subject, kind)
    found = dataset.problems(records, needs_labels=judged and task is Task.CLASSES)
    found += tasks.problems(records.y, task) if judged and not found else []
    return [f"{place}: {problem}" for problem in found]


def _refuse(problems: Iterable[str]) -> None:
    if problems:
        raise MIAUsageError([*problems])


def _without_twins(records: Dataset, members: BoolArray) -> tuple[Dataset, BoolArray, list[str], list[str]]:
    """Leave out non-members that are members too, or of a member's group; a finding where they are many."""
    keys = diagnostics.record_keys(records.X, records.y)
    twice = np.zeros(len(members), dtype=bool)
    for ids in (keys, _numbered(records.groups)):
        twice |= False if ids is None else ~members & np.isin(ids, ids[members])
    share = f"{int(twice.sum())} of {int((~members).sum())} non-members"
    if twice.sum() > MOST_DUPLICATES * (~members).sum():
        finding = (
            f"{share} are members too, or of a member's group, more than {MOST_DUPLICATES:.0%}: the same record stands "
            "on both sides"
        )
        return records, members, [finding], []
    if not twice.any():
        return records, members, [], []
    return taken(records, ~twice), members[~twice], [], [f"{share} were left out: they are members too"]


def _extra(subject: Subject, given: Mapping[str, Dataset], audited: Dataset) -> Dataset | None:
    """Records that only the attacker holds: his own, or for a release those of the dataset that aren't audited."""
    if subject.shadow_dataset is not None:
        return given["mia_shadow_dataset"]
    if subject.target is None or subject.dataset is None:
        return None
    whole = given["mia_dataset"]
    both = joined(audited, whole)
    keys, known = diagnostics.record_keys(both.X, both.y), dataset.count(audited.X)
    fresh = None if keys is None else ~np.isin(keys[known:], keys[:known])
    return None if fresh is None or not fresh.any() else taken(whole, fresh)


def _groups(records: Dataset) -> tuple[IntArray | None, list[str]]:
    """The user's groups, with exact duplicates kept together."""
    keys = diagnostics.record_keys(records.X, records.y)
    duplicates = 0 if keys is None else len(keys) - len(np.unique(keys))
    given = _numbered(records.groups)
    if not duplicates or keys is None:
        return given, []
    note = f"{duplicates} records are copies of others; copies are drawn together"
    return (keys if given is None else diagnostics.merge_groups(given, keys)), [note]


def _numbered(groups: Any) -> IntArray | None:
    """One number per record for the ids of groups, which may be of any kind."""
    if groups is None:
        return None
    return np.unique(rows.sortable(dataset.as_labels(groups)), return_inverse=True)[1]
