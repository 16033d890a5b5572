"""The combined attack with what other members explain taken off the answers.

An answer depends on which similar records were members. Of shadows that is known; of the target it is guessed by the
combined attack. What is left of an answer depends more on the record's own membership.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pytest_mia.attacks.combined import PARTS, SETTINGS, Combination, Combined, combination, cross_fitted_scorers
from pytest_mia.attacks.combined_features import LARGEST, evidence
from pytest_mia.attacks.kernel_support import COLUMNS, opinions, with_opinions
from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import OURS, Scored, Scorer
from pytest_mia.core.types import BoolArray, FloatArray, IntArray

GUESS = len(SETTINGS) - 1
"""The setting of the combined attack that guesses memberships."""
SMALLEST = 1e-6


@dataclass(frozen=True)
class CombinedNeighbours(Scored):
    """The combined attack on answers less what the other members explain, too (ours).

    How an answer follows the opinion of the other members is learnt, as member and as non-member, from how shadows'
    answers on one record differ. The target's members are those that the combined attack takes for such; what they
    say of a record leaves the record itself out. That memberships depend on each other through the model is also what
    cascading attacks (CMIA, 2025) start from.
    """

    name: str = "combined_neighbours"
    signals: tuple[str, ...] = ("confidence",)
    least_shadows: int = 3
    most_splits: int = PARTS
    family = "combined"
    summary = "as combined, on answers less what the other members of the training data explain"
    reference = OURS
    needs_features = True
    needs_opinions = True

    def fit(self, labelled: Observations) -> NeighbourCombination:
        """Learn from labelled models, whose memberships are guessed as a target's are."""
        labelled = with_opinions(labelled)
        first = Combined().fit(labelled)
        models = np.arange(len(labelled.members))
        return NeighbourCombination(
            first, combination(_guessed(labelled, models, first.labelled_scores[GUESS]), adjusted)
        )

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield linear, boosted and summed log-odds, each model scored by what was learnt without it."""
        return cross_fitted_scorers(self, with_opinions(observations))


@dataclass(frozen=True, eq=False)
class NeighbourCombination:
    """What was learnt from labelled models: to guess, and to weigh evidence that the guess has made cleaner."""

    first: Combination
    second: Combination

    @property
    def labelled_scores(self) -> FloatArray:
        """Scores (settings, models, records) of the labelled models; see `Fitted`."""
        return self.second.labelled_scores

    def scores(self, observations: Observations, models: IntArray, setting: int) -> FloatArray:
        """Scores (models, records) of some models that were not learnt from; see `Fitted`."""
        guess = self.first.scores(observations, models, GUESS)
        return self.second.scores(_guessed(observations, models, guess), models, setting)


def _guessed(observations: Observations, models: IntArray, scores: FloatArray) -> Observations:
    """The same with the opinions of guessed members beside those of the true ones, where models are attacked."""
    known = with_opinions(observations).member_opinions
    guessed = np.zeros_like(known)
    guessed[models] = opinions(observations.records, observations.labels, scores > 0, observations.seed)
    return dataclasses.replace(observations, opinions=np.concatenate([known, guessed], axis=2))


def adjusted(observations: Observations, models: IntArray) -> FloatArray:
    """Evidence (models, records, columns), and what it is without the influence of the other members.

    Parameters
    ----------
    observations
        What the attacker sees, with the opinions of true and of guessed members.
    models
        Rows of the models; only opinions of their guessed members are looked at.
    """
    plain, phi = evidence(observations, models), observations.signal("confidence")
    if (phi == phi[:1]).all():
        return plain
    more = np.stack([_adjusted(observations, phi, model) for model in models])
    return np.concatenate([plain, np.clip(more, -LARGEST, LARGEST).astype(np.float32)], axis=2)


def _adjusted(observations: Observations, phi: FloatArray, model: int) -> FloatArray:
    """Columns (records, 8) on one model: on either side phi, its expectation and distance, and likelihoods."""
    shadows = np.setdiff1d(np.flatnonzero(observations.references), [model])
    given = observations.member_opinions
    own, others = given[model, :, COLUMNS:], given[shadows, :, :COLUMNS]
    members = observations.members[shadows]
    sides = [_side(phi[model], own, phi[shadows], others, side) for side in (members, ~members)]
    (inside, as_member), (outside, as_other) = ((side[:3], side[3]) for side in sides)
    middle = (inside[2] + outside[2]) / 2
    return np.column_stack([*inside, *outside, as_member - as_other, middle])


def _side(
    values: FloatArray, own: FloatArray, answers: FloatArray, others: FloatArray, chosen: BoolArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """What the target's values are without the others' influence, what they should be on this side, and how likely.

    Answers of the chosen shadows are regressed on opinions within records. The expectation is a posterior mean under
    a Gaussian prior that all records share.
    """
    count = chosen.sum(axis=0)
    places = np.maximum(count, 1)
    mean = (answers * chosen).sum(axis=0) / places
    opinion = (others * chosen[..., None]).sum(axis=0, dtype=np.float64) / places[:, None]
    slopes, within = _regressed(
        (answers - mean)[chosen], (others - opinion)[chosen], float((count[count > 0] - 1).sum())
    )
    free = mean - opinion @ slopes
    seen = count > 0
    centre = float(free[seen].mean()) if seen.any() else float(values.mean())
    between = max(float(free[seen].var()) - within * float((1 / places[seen]).mean()), SMALLEST) if seen.any() else 1.0
    precision = count / within + 1 / between
    expected = (np.where(seen, free * count, 0.0) / within + centre / between) / precision
    clean, variance = values - own @ slopes, within + 1 / precision
    likelihood = -(np.log(variance) + (clean - expected) ** 2 / variance) / 2
    return clean, expected, clean - expected, likelihood


def _regressed(deviations: FloatArray, opinions: FloatArray, freedom: float) -> tuple[FloatArray, float]:
    """Slopes (columns,) of deviations on deviating opinions, and the variance that is left."""
    slopes = np.linalg.lstsq(opinions, deviations, rcond=1e-6)[0] if len(deviations) else np.zeros(opinions.shape[1])
    left = float(((deviations - opinions @ slopes) ** 2).sum())
    return slopes, max(left / max(freedom, 1.0), SMALLEST)
