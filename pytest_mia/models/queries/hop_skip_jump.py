"""HopSkipJump: how far a record lies from the decision boundary, found by labels alone (Chen et al. 2020).

All records are walked to the boundary at once: each question to the model is about one copy of every record. Distances
are Euclidean, with each column measured by its standard deviation, so that units have no part in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_mia.core.seeding import generator_for
from pytest_mia.core.types import BoolArray, FloatArray
from pytest_mia.data.containers import describe, take
from pytest_mia.data.dataset import Dataset
from pytest_mia.data.numeric import Features, as_features, as_floats
from pytest_mia.models.protocol import Adapter
from pytest_mia.models.queries.protocol import QueryTarget
from pytest_mia.models.signals import Signals
from pytest_mia.models.torch.module import ModuleAsker

ROUNDS = 12
"""Steps along the boundary."""

DIRECTIONS = 40
"""Directions in which the boundary's normal is sought in the first round; sqrt(t) times as many in round t."""

HALVINGS = 12
"""Questions of a binary search, and tries of a step, at the most."""

RADIUS = 0.05
"""How far the directions reach, as a share of the distance."""

STARTS = 20
"""Records of other classes among which the nearest one is where the walk starts."""

QUESTIONS = 1 + HALVINGS + sum(int(DIRECTIONS * t**0.5) + 2 * HALVINGS for t in range(1, ROUNDS + 1))
"""Questions about each record, of each model."""


@dataclass(frozen=True)
class HopSkipJump:
    """The distance to the nearest copy that is answered with another label; 0 for records that are so themselves.

    A model that has memorised a record keeps its boundary away from it (Choquette-Choo et al. 2021).
    """

    name: str = "hop_skip_jump"
    fields: tuple[str, ...] = ("boundary_distance",)

    def problems(self, adapter: Adapter, model: Any, X: Any) -> list[str]:
        """Why the records don't allow a walk between them."""
        features = as_features(as_floats(X))
        if features is None or features.whole.any():
            return [f"hop_skip_jump needs dense numeric features that may be fractions, got a {describe(X)}"]
        bad = ~np.asarray(np.isfinite(features.values).all(axis=1))
        if bad.any():
            where = f"{int(bad.sum())} of {len(bad)} records, first in record {int(bad.argmax())}"
            return [f"hop_skip_jump needs finite features; X holds NaN or infinite ones in {where}"]
        asker, between = adapter.asker, Dataset(as_floats(take(X, [0, -1])), None)
        # An embedding looks its records up; other models can't be tried before they are trained.
        if isinstance(asker, ModuleAsker) and asker.problems(model, between):
            return [f"hop_skip_jump asks about features with fractions, which {type(model).__name__} can't answer"]
        return []

    def measure(self, target: QueryTarget, X: Any, seed: int) -> Signals:
        """Walk along the boundary, ever nearer to the record."""
        features = as_features(as_floats(X))
        assert features is not None, "records without numbers are refused earlier"
        walk = _Walk(target, features)
        rng = generator_for(seed, "directions")
        starts, reached = _starts(walk, rng)
        points = walk.search(starts, reached)
        for step in range(1, ROUNDS + 1):
            points = walk.step(points, step, reached, rng)
        return Signals(boundary_distance=_finished(walk.distance(points), reached, walk.right))


class _Walk:
    """The records in units of their columns' spread, and the model that is asked about points around them."""

    def __init__(self, target: QueryTarget, features: Features) -> None:
        spread = features.spread
        self._oracle, self._features = target, features
        self._unit = np.where(spread > 0, spread, 1.0)
        self.moves = spread > 0
        self.records = features.values / self._unit
        self.guesses = target.guesses(features.restored(features.values))
        self.right = self.guesses == target.labels
        self.labels = target.labels

    def wrong(self, points: FloatArray) -> BoolArray:
        """Whether points (records, columns) are answered with another label than their record's."""
        return ~self._oracle.right(self._features.restored(points * self._unit))

    def distance(self, points: FloatArray) -> FloatArray:
        """How far each point lies from its record."""
        return np.asarray(np.linalg.norm(points - self.records, axis=1))

    def search(self, points: FloatArray, reached: BoolArray) -> FloatArray:
        """Move points that are answered wrongly towards their records, just before the boundary."""
        low, high = np.zeros(len(points)), np.ones(len(points))
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            wrong = self.wrong(self._between(points, middle))
            low, high = np.where(wrong, low, middle), np.where(wrong, middle, high)
        return np.where(reached[:, None], self._between(points, high), points)

    def step(self, points: FloatArray, number: int, reached: BoolArray, rng: np.random.Generator) -> FloatArray:
        """One round: estimate the boundary's normal, go along it, and back to the boundary; only nearer points stay."""
        distance = self.distance(points)
        normal = self._normal(points, distance, int(DIRECTIONS * number**0.5), rng)
        size, there = distance / number**0.5, np.zeros(len(points), dtype=bool)
        tried = points
        for _ in range(HALVINGS):
            tried = np.where(there[:, None], tried, points + size[:, None] * normal)
            there |= self.wrong(tried)
            size = np.where(there, size, size / 2)
        found = self.search(np.where(there[:, None], tried, points), reached)
        return np.where((self.distance(found) < distance)[:, None], found, points)

    def _between(self, points: FloatArray, share: FloatArray) -> FloatArray:
        return self.records + share[:, None] * (points - self.records)

    def _normal(
        self, points: FloatArray, distance: FloatArray, directions: int, rng: np.random.Generator
    ) -> FloatArray:
        """Unit vectors towards wrong answers, from signs in random directions (Chen et al. 2020, eq. 16)."""
        steps = rng.normal(size=(directions, points.shape[1])) * self.moves
        steps /= np.maximum(np.linalg.norm(steps, axis=1, keepdims=True), np.finfo(float).tiny)
        asked = (self.wrong(points + RADIUS * distance[:, None] * step) for step in steps)
        signs = np.stack([2.0 * wrong - 1 for wrong in asked], axis=1)
        level = signs.mean(axis=1, keepdims=True)
        normal = np.where(np.abs(level) == 1, signs, signs - level) @ steps
        return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), np.finfo(float).tiny))


def _starts(walk: _Walk, rng: np.random.Generator) -> tuple[FloatArray, BoolArray]:
    """For each record the nearest of some that are answered with another label than its own, and whether there is one.

    The attacker holds such records, and knows what the model says of them.
    """
    starts, reached = walk.records.copy(), np.zeros(len(walk.labels), dtype=bool)
    for code in np.unique(walk.labels[walk.right]):
        rows, others = np.flatnonzero(walk.right & (walk.labels == code)), np.flatnonzero(walk.guesses != code)
        others = others[rng.permutation(len(others))[:STARTS]]
        if len(others):
            between = np.stack([np.linalg.norm(walk.records[rows] - walk.records[other], axis=1) for other in others])
            starts[rows], reached[rows] = walk.records[others[between.argmin(axis=0)]], True
    return starts, reached


def _finished(distance: FloatArray, reached: BoolArray, right: BoolArray) -> FloatArray:
    """Where no other answer is known, the boundary lies farther than any that was found."""
    farthest = float(distance[reached].max()) if reached.any() else 1.0
    return np.where(reached, distance, np.where(right, farthest, 0.0))
