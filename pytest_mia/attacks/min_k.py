"""Min-K%: what a language model makes of the least likely tokens of a text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Reference, Scored, Scorer


@dataclass(frozen=True)
class MinK(Scored):
    """Mean log-probability of the k% least likely tokens: a text without any surprise has been seen before.

    k is tuned on the shadows; at 100 it is the mean of all tokens.
    """

    name: str
    signals: tuple[str, ...]
    reference: Reference
    summary: str
    least_shadows: int = 0
    family: str = "Min-K%"

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the mean for each k."""
        lowest = observations.signal(self.signals[0])
        for place in range(lowest.shape[-1]):
            yield lowest[..., place].__getitem__


MIN_K = MinK(
    "min_k",
    ("lowest",),
    Reference("Shi et al. 2024", "section 4"),
    "averages the log-probabilities of the k% least likely tokens",
)
MIN_K_PLUS = MinK(
    "min_k_plus",
    ("lowest_standardised",),
    Reference("Zhang et al. 2025", "eq. 3"),
    "averages the k% lowest log-probabilities of tokens, each standardised over the vocabulary (Min-K%++)",
)
