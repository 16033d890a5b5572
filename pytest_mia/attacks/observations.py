"""What the attacker and the judge see: signals and memberships of every model, and who may know which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from pytest_mia.attacks.memo import ArrayMemo, identify
from pytest_mia.attacks.moments import Moments, shadows_of_sides
from pytest_mia.core.seeding import generator_for, seed_for
from pytest_mia.core.types import BoolArray, FloatArray, IntArray
from pytest_mia.data.memberships import independent_share
from pytest_mia.models.signals import Signals


@dataclass(frozen=True)
class Observations:
    """Everything that attacks are run and judged on. Models are rows, records are columns.

    Attributes
    ----------
    signals
        Signals (models, records).
    members
        Memberships (models, records).
    labels
        Class code of each record (records,).
    references
        Models (models,) that the attacker trained: shadows of every target but themselves.
    known
        Pairs (models, records) whose membership the attacker knows and learns from.
    judged
        Pairs (models, records) on which attacks are judged. A model with any judged pair is a target.
    seed
        The audit's seed, for attacks that fit a model of their own.
    groups
        Group of each record (records,), whose records are drawn together; ``None`` where each stands for itself.
    features
        The records as numbers (records, columns), labels included, for attacks that look at them; otherwise ``None``.
    opinions
        What each model's members, but for the record itself, say of a record (models, records, columns), as
        `neighbours.opinions` has it, with `features`. An attacker knows only those of shadows.
    drawn
        Whether an independent coin was drawn for each record of each target, rather than a half of a fixed size.
    memo
        What attacks computed from these arrays and others may use again; cross-fitting splits share it.
    """

    signals: Signals
    members: BoolArray
    labels: IntArray
    references: BoolArray
    known: BoolArray
    judged: BoolArray
    seed: int = 0
    groups: IntArray | None = None
    features: FloatArray | None = None
    opinions: FloatArray | None = None
    drawn: bool = False
    memo: ArrayMemo = field(default_factory=ArrayMemo, repr=False, compare=False)

    @property
    def targets(self) -> IntArray:
        """Rows of the target models."""
        return np.flatnonzero(self.judged.any(axis=1))

    def judged_of(self, values: FloatArray, target: int) -> tuple[FloatArray, BoolArray]:
        """Of one value per record (records,), those on which a target is judged, and who of them is a member."""
        judged = self.judged[target]
        return values[judged], self.members[target][judged]

    @property
    def known_sides(self) -> tuple[IntArray, IntArray]:
        """Places, in the flattened pairs, of the known members and of the known others."""
        inside, outside = identify("inside", self.known, self.members), identify("outside", self.known, self.members)
        members, others = self.memo.find(inside), self.memo.find(outside)
        if members is None:
            members = self.memo.keep(inside, np.flatnonzero(self.known & self.members))
        if others is None:
            others = self.memo.keep(outside, np.flatnonzero(self.known & ~self.members))
        return members, others

    def signal(self, name: str) -> FloatArray:
        """Return a signal (models, records) that is sure to be there, since the attack names it among its `signals`."""
        values: FloatArray | None = getattr(self.signals, name)
        assert values is not None, f"an attack was run on answers without the signal {name}"
        return values

    @property
    def records(self) -> FloatArray:
        """The `features`, which are sure to be there where an attack needs them."""
        assert self.features is not None, "an attack that needs the records was run without them"
        return self.features

    @property
    def member_opinions(self) -> FloatArray:
        """The `opinions`, which are sure to be there where an attack needs them."""
        assert self.opinions is not None, "an attack that needs opinions was run without them"
        return self.opinions

    def transformed(self, name: str, transform: Callable[[FloatArray], FloatArray] | None) -> FloatArray:
        """Return a NumPy function of a signal, computed once for all attacks that name it; ``None`` changes nothing."""
        values = self.signal(name)
        if transform is None:
            return values
        key = identify(transform, values)
        found: FloatArray | None = self.memo.find(key)
        return self.memo.keep(key, transform(values)) if found is None else found

    def independent_share(self, part: BoolArray | bool = True) -> float:
        """Share of the judged records, or of a part (records,) of them, that counts as independent."""
        judged = self.judged.any(axis=0) & part
        return independent_share(None if self.groups is None else self.groups[judged])

    def seed_for(self, purpose: str, number: int = 0) -> int:
        """Derive a seed from the audit's; the arguments are those of `pytest_mia.core.seeding.seed_for`."""
        return seed_for(self.seed, purpose, number)

    def generator_for(self, purpose: str, number: int = 0) -> np.random.Generator:
        """Derive a generator of random numbers from the audit's seed; the arguments are those of `seed_for`."""
        return generator_for(self.seed, purpose, number)

    def centre_by_class(self) -> Observations:
        """The same with log-odds from which each model's mean over the records of the class is taken off."""
        confidence, tempered = (self._centred(each) for each in (self.signals.confidence, self.signals.tempered))
        return replace(self, signals=replace(self.signals, confidence=confidence, tempered=tempered))

    def _centred(self, values: FloatArray | None) -> FloatArray | None:
        if values is None:
            return None
        key = identify("centred", values, self.labels)
        found: FloatArray | None = self.memo.find(key)
        return self.memo.keep(key, _subtract_class_means(values, self.labels)) if found is None else found

    def leave_out(self, targets: IntArray, most_pairs: int) -> Observations:
        """Return what an attacker of some targets learns from: the other models alone, each a labelled target in turn.

        The targets are neither attacked nor among the shadows, so nothing that is learnt depends on their memberships.

        Parameters
        ----------
        targets
            Rows to leave out.
        most_pairs
            Where models x records exceed this, a random part of the records is enough to learn from.
        """
        taking_part = self.references | self.known.any(axis=1)
        taking_part[targets] = False
        models = np.flatnonzero(taking_part)
        records = self._some(most_pairs // max(len(models), 1))
        known = self.known[models][:, records]
        return Observations(
            self.signals.of(models, records),
            self.members[models][:, records],
            self.labels[records],
            self.references[models],
            known,
            known,
            self.seed,
            None if self.groups is None else self.groups[records],
            None if self.features is None else self.features[records],
            None if self.opinions is None else self.opinions[models][:, records],
            self.drawn,
            self.memo,
        )

    def moments(self, values: FloatArray) -> Moments:
        """Moments of a signal (models, records), or of what was made of one, over the shadows."""
        key = identify("moments", values, self.members, self.references)
        found: Moments | None = self.memo.find(key)
        if found is None:
            found = self.memo.keep(key, Moments(values, self.members, self.references, self._shadow_counts()))
        return found

    def _shadow_counts(self) -> IntArray:
        key = identify("shadow counts", self.members, self.references)
        found: IntArray | None = self.memo.find(key)
        return self.memo.keep(key, shadows_of_sides(self.members, self.references)) if found is None else found

    def _some(self, most: int) -> IntArray:
        """A random part of the records where there are more than that, by whole groups (but for the last one)."""
        records = len(self.labels)
        if most >= records:
            return np.arange(records)
        rng = self.generator_for("lesson")
        if self.groups is None:
            return np.sort(rng.permutation(records)[:most])
        _, codes = np.unique(self.groups, return_inverse=True)
        return np.sort(np.argsort(rng.permutation(codes.max() + 1)[codes], kind="stable")[:most])


def _subtract_class_means(values: FloatArray, labels: IntArray) -> FloatArray:
    sizes = np.maximum(np.bincount(labels), 1)
    level = np.stack([np.bincount(labels, weights=row) / sizes for row in values])
    return np.asarray(values - level[:, labels])


def recipe(
    signals: Signals, members: BoolArray, labels: IntArray, *, seed: int = 0, groups: IntArray | None = None
) -> Observations:
    """Every model is a target in turn and a shadow of all the others."""
    every_model, every_pair = np.ones(len(members), dtype=bool), np.ones(members.shape, dtype=bool)
    return Observations(signals, members, labels, every_model, every_pair, every_pair, seed, groups)
