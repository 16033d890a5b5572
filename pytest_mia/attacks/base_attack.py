"""BASE, which approximates the Bayes-optimal attack: the target's probability against that of all shadows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from pytest_mia.attacks.moments import Side, joined, mean_outside
from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Scored, Scorer
from pytest_mia.attacks.rmia import both, logarithm, relative_scores
from pytest_mia.core.types import FloatArray

SCALES = (0.0, 0.33, 0.67, 1.0)


@dataclass(frozen=True)
class BaseOnline(Scored):
    """log p_target - log of the mean p over all shadows (Lassila et al. 2025), the temperature tuned on the shadows.

    It needs nobody's memberships.
    """

    name: str = "base_online"
    signals: tuple[str, ...] = ("confidence", "tempered")
    least_shadows: int = 1

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the log ratio at temperature 2 and at 1."""

        def score(probability: FloatArray, inside: Side, outside: Side) -> FloatArray:
            return logarithm(probability) - logarithm(joined(inside, outside).mean)

        for log_odds in both(observations):
            yield partial(relative_scores, log_odds, observations, score)


@dataclass(frozen=True)
class BaseOffline(Scored):
    """log p_target - scale * log mean_out p (Lassila et al. 2025), scale and temperature tuned on the shadows."""

    name: str = "base_offline"
    signals: tuple[str, ...] = ("confidence", "tempered")
    least_shadows: int = 1

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the scaled log ratio at temperature 2, then at 1, for each scale from 0 to 1."""

        def score(scale: float, probability: FloatArray, _inside: Side, outside: Side) -> FloatArray:
            return logarithm(probability) - scale * logarithm(mean_outside(outside))

        for log_odds in both(observations):
            for scale in SCALES:
                yield partial(relative_scores, log_odds, observations, partial(score, scale))
