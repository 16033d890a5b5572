"""What is audited, and the records that it concerns, checked and put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pytest_mia import dataset, diagnostics
from pytest_mia.arrays import BoolArray, IntArray
from pytest_mia.dataset import Dataset
from pytest_mia.errors import MIAUsageError
from pytest_mia.memberships import strata_of
from pytest_mia.shadows import Data

MOST_DUPLICATES = 0.05


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
    training, predict, loss, target, shadow_factory, shadow_dataset, outputs
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
    """

    data: Data
    audited: int
    groups: IntArray | None
    members: BoolArray | None
    slices: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def gather(subject: Subject, *, seed: int, limit: float) -> Records:
    """Check and put together the records of an audit.

    Parameters
    ----------
    subject
        What is audited.
    seed
        The audit's seed.
    limit
        The threshold that the audit is for, against which a shift between members and non-members is weighed.

    Raises
    ------
    MIAUsageError
        With every problem that was found.
    """
    if subject.target is None:
        audited, members = _checked(subject.dataset, "mia_dataset", subject), None
        findings, notes = list[str](), list[str]()
    else:
        audited, members, findings, notes = _sides(subject, seed=seed, limit=limit)
    extra = _extra(subject, audited)
    everything = audited if extra is None else _joined(audited, extra)
    groups, note = _groups(everything)
    if subject.loss is None:
        classes, labels = dataset.encode(everything.y)
    else:
        classes, labels = np.array([]), strata_of(everything.y, dataset.count(everything.X))
    return Records(
        Data(everything.X, everything.y, classes, labels),
        dataset.count(audited.X),
        groups,
        members,
        {} if audited.slices is None else dict(audited.slices),
        tuple(findings),
        (*notes, *note),
    )


def _checked(value: Any, place: str, subject: Subject) -> Dataset:
    records = dataset.as_dataset(value)
    problems = dataset.problems(records, needs_labels=subject.loss is None)
    if problems:
        raise MIAUsageError([f"{place}: {problem}" for problem in problems])
    return records


def _sides(subject: Subject, *, seed: int, limit: float) -> tuple[Dataset, BoolArray, list[str], list[str]]:
    """Members and non-members of a release as one, without non-members that are members too."""
    inside, outside = dataset.as_dataset(subject.target.members), dataset.as_dataset(subject.target.nonmembers)
    _checked(_joined(inside, outside), "mia_target", subject)
    sizes = dataset.count(inside.X), dataset.count(outside.X)
    joined, members = _joined(inside, outside), np.repeat([True, False], sizes)
    keys = diagnostics.record_keys(joined.X, joined.y)
    twice = np.zeros(len(members), dtype=bool) if keys is None else ~members & np.isin(keys, keys[members])
    findings: list[str] = []
    notes: list[str] = []
    share = twice.sum() / max(sizes[1], 1)
    if share > MOST_DUPLICATES:
        findings.append(
            f"{int(twice.sum())} of {sizes[1]} non-members ({share:.1%}) are members too, more than "
            f"{MOST_DUPLICATES:.0%}: the same record stands on both sides"
        )
    elif twice.any():
        kept = np.flatnonzero(~twice)
        joined = Dataset(dataset.take(joined.X, kept), None if joined.y is None else dataset.take(joined.y, kept))
        members = members[kept]
        notes.append(f"{int(twice.sum())} non-members that are members too were left out")
    shift = diagnostics.shifted(joined.X, joined.y, members, seed=seed, limit=limit)
    return joined, members, findings + ([shift] if shift else []), notes


def _extra(subject: Subject, audited: Dataset) -> Dataset | None:
    """Records that only the attacker holds: his own, or for a release those of the dataset that aren't audited."""
    if subject.shadow_dataset is not None:
        return _checked(subject.shadow_dataset, "mia_shadow_dataset", subject)
    if subject.target is None or subject.dataset is None:
        return None
    whole = _checked(subject.dataset, "mia_dataset", subject)
    keys = diagnostics.record_keys(_joined(audited, whole).X, _joined(audited, whole).y)
    if keys is None:
        return None
    known = dataset.count(audited.X)
    fresh = np.flatnonzero(~np.isin(keys[known:], keys[:known]))
    if not len(fresh):
        return None
    return Dataset(dataset.take(whole.X, fresh), None if whole.y is None else dataset.take(whole.y, fresh))


def _joined(first: Dataset, second: Dataset) -> Dataset:
    groups = None
    if first.groups is not None and second.groups is not None:
        groups = np.concatenate([np.asarray(first.groups), np.asarray(second.groups)])
    y = None if first.y is None else dataset.concatenate(first.y, second.y)
    return Dataset(dataset.concatenate(first.X, second.X), y, groups=groups)


def _groups(records: Dataset) -> tuple[IntArray | None, list[str]]:
    """The user's groups, with exact duplicates kept together."""
    keys = diagnostics.record_keys(records.X, records.y)
    duplicates = 0 if keys is None else len(keys) - len(np.unique(keys))
    given = None if records.groups is None else np.unique(np.asarray(records.groups), return_inverse=True)[1]
    if not duplicates or keys is None:
        return given, []
    note = f"{duplicates} records are copies of others; copies are drawn together"
    return (keys if given is None else diagnostics.merge_groups(given, keys)), [note]
