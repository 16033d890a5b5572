"""An attack on answers of several numbers, such as a regression's outputs or several labels, column by column."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from pytest_mia.attacks.likelihood_ratios import CUT_OFF, compare_likelihoods, compare_predictives, shared_variance
from pytest_mia.attacks.memo import identify
from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Reference, Scored, Scorer
from pytest_mia.attacks.shadow_attack import Comparison, compare_with_shadows
from pytest_mia.core.types import FloatArray, IntArray

MOST_ALONE = 32
"""Columns up to which each competes alone too."""
CLOSE = 1e-3
"""What is added to squares, as a part of their median, before their logarithm is taken."""
COMPARISONS: tuple[Comparison, ...] = (partial(compare_likelihoods, shared_variance), compare_predictives)

AFTER_LIRA = Reference("ours, after LiRA")
Transform = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class SingleColumns(Scored):
    """Likelihood ratios of single columns, as LiRA and NIG-t have them: their sum, their largest, and each alone.

    What a model remembers in one of twenty numbers drowns in a sum over all of them. The largest ratio finds records
    that are remembered in any of them, and a column alone what is remembered in the same one for all. The other models
    decide.
    """

    name: str = "single_columns"
    signals: tuple[str, ...] = ("columns",)
    least_shadows: int = 2
    family: str = "LiRA"
    summary: str = "compares each number of the answer with the shadows', and takes the sum, the largest or one alone"
    reference: Reference = AFTER_LIRA

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the sum, the largest, and up to 32 columns alone, by each transformation and comparison."""
        columns = observations.signal(self.signals[0])
        # What is left of a regression is remembered where it is near zero, and log-odds where they are large.
        second = logarithm_of_square if observations.signals.correct is None else CUT_OFF
        every = np.arange(columns.shape[-1])
        for transform in (None, second):
            for comparison in COMPARISONS:
                score = partial(_compare_columns, observations, columns, transform, comparison)
                yield partial(score, every, np.add)
                yield partial(score, every, np.maximum)
                if len(every) <= MOST_ALONE:
                    yield from (partial(score, every[[each]], np.add) for each in every)


def logarithm_of_square(values: FloatArray) -> FloatArray:
    """Minus the logarithm of the square (models, records), finite where it is zero."""
    squares = values**2
    floor = max(CLOSE * float(np.median(squares)), float(np.finfo(np.float64).tiny))
    return np.asarray(-np.log(squares + floor))


def _compare_columns(
    observations: Observations,
    columns: FloatArray,
    transform: Transform | None,
    comparison: Comparison,
    chosen: IntArray,
    joined: np.ufunc,
    models: IntArray,
) -> FloatArray:
    score = partial(_compare_column, observations, columns, transform, comparison)
    found = score(chosen[0])[models]
    for place in chosen[1:]:
        found = joined(found, score(place)[models])
    return found


def _compare_column(
    observations: Observations, columns: FloatArray, transform: Transform | None, comparison: Comparison, place: int
) -> FloatArray:
    """Scores (models, records) of all models by one column, computed once for all that join them."""
    name = (SingleColumns.name, transform, comparison, int(place))
    key = identify(name, columns, observations.members, observations.references)
    found: FloatArray | None = observations.memo.find(key)
    if found is None:
        values = np.ascontiguousarray(columns[..., place])
        values = values if transform is None else transform(values)
        everyone = np.arange(len(values))
        found = observations.memo.keep(key, compare_with_shadows(values, observations, comparison, everyone))
    return found
