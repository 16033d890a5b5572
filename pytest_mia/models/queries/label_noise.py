"""How many noisy copies of a record are still answered with its label (Choquette-Choo et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_mia.core.seeding import generator_for
from pytest_mia.data.containers import as_array, describe, take
from pytest_mia.models.protocol import Adapter
from pytest_mia.models.queries.perturb import FLIPPED, NUMBERS_AT_ONCE, noise_for
from pytest_mia.models.queries.protocol import QueryTarget
from pytest_mia.models.signals import Signals

COPIES = 10
"""Noisy copies of each record at each level."""

RECORDS_AT_ONCE = 20_000
"""Copies of so many records are asked about together, if they have few numbers: a call takes time, and memory."""

QUESTIONS = COPIES * len(FLIPPED)
"""Questions about each record, of each model."""


@dataclass(frozen=True)
class LabelNoise:
    """The share of noisy copies that are still answered with the right label, for each level of noise.

    A model that has memorised a record is right around it too. Needs labels alone.
    """

    name: str = "label_noise"
    fields: tuple[str, ...] = ("noise_robustness",)

    def problems(self, adapter: Adapter, model: Any, X: Any) -> list[str]:  # noqa: ARG002 - only the records matter
        """Why these records can't be changed a little."""
        if noise_for(X) is not None:
            return []
        return [f"label_noise changes numbers, texts or categories a little; X, a {describe(X)}, holds none"]

    def measure(self, target: QueryTarget, X: Any, seed: int) -> Signals:
        """Ask about some copies of all records at a time, so that few records need few calls."""
        noise = noise_for(X)
        assert noise is not None, "records that can't be changed are refused earlier"
        right = np.zeros((len(target.labels), len(FLIPPED)))
        at_once = _copies_at_once(X, len(target.labels))
        for level in range(len(FLIPPED)):
            for start in range(0, COPIES, at_once):
                numbers = range(level * COPIES + start, level * COPIES + min(start + at_once, COPIES))
                copies = [noise.copy(level, generator_for(seed, "copy", number)) for number in numbers]
                right[:, level] += target.right_on_copies(copies).sum(axis=0)
        return Signals(noise_robustness=right / COPIES)


def _copies_at_once(X: Any, records: int) -> int:
    """Of how many copies of all records the numbers, or texts, are few enough for one call."""
    numbers = records * max(1, as_array(take(X, [0])).size)
    return max(1, min(COPIES, RECORDS_AT_ONCE // records, NUMBERS_AT_ONCE // numbers))
