"""Attacks on the target alone: one threshold on one signal, no shadows needed to score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Scored, Scorer, read


@dataclass(frozen=True)
class Threshold(Scored):
    """Guess "member" where one signal is high.

    With ``correct`` it is the gap attack, whose advantage is train accuracy - test accuracy (Yeom et al. 2018, section
    3.2); with ``confidence`` the loss threshold (same, section 3.3; phi ranks as the loss does); with
    ``modified_entropy`` that of Song & Mittal (2021, section 4.2.2); with ``entropy`` the one that it modifies, which
    ignores the label (same paper).
    """

    name: str
    signal: str
    least_shadows: int = 0

    @property
    def signals(self) -> tuple[str, ...]:
        """The signal it thresholds."""
        return (self.signal,)

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the signal itself."""
        yield read(getattr(observations.signals, self.signal)).__getitem__
