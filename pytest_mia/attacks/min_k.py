"""Min-K%: what a language model makes of the least likely tokens of a text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Scored, Scorer, read


@dataclass(frozen=True)
class MinK(Scored):
    """Mean log-probability of the k% least likely tokens: a text without any surprise has been seen before.

    On ``lowest`` it is Min-K% (Shi et al. 2024, section 4), on ``lowest_standardised`` Min-K%++ (Zhang et al. 2025,
    eq. 3), with each token's log-probability standardised over the vocabulary. k is tuned on the shadows; at 100 it is
    the mean of all tokens.
    """

    name: str
    signal: str
    least_shadows: int = 0

    @property
    def signals(self) -> tuple[str, ...]:
        """The signal it reads."""
        return (self.signal,)

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the mean for each k."""
        lowest = read(getattr(observations.signals, self.signal))
        for place in range(lowest.shape[-1]):
            yield lowest[..., place].__getitem__
