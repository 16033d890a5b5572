"""What is known of an audit that was audited itself, by questions whose answers are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_mia.statistics.counts import CoinGuesses, Counts, Interval


@dataclass(frozen=True)
class Canaries:
    """What the audit's attacks found of planted records, in models of their own: the positive control.

    Attributes
    ----------
    planted
        Records with a wrong label, each in the training data by an independent coin.
    models
        Models that they were planted in.
    attack
        The attack that was selected for them.
    advantage
        TPR - FPR on them.
    counts
        The guesses behind it.
    coins
        Guesses of the coins, model by model, for a claimed epsilon.
    """

    planted: int
    models: int
    attack: str
    advantage: Interval
    counts: Counts
    coins: tuple[CoinGuesses, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The canaries as the JSON report shows them."""
        parts = {"planted": self.planted, "models": self.models, "attack": self.attack}
        return parts | {"advantage": self.advantage.to_dict()}


@dataclass(frozen=True)
class Controls:
    """What is known of an audit that was audited itself.

    Attributes
    ----------
    shuffled
        Advantage where memberships are shuffled, each bound at 99.5% confidence; it must hold 0.
    canaries
        What was found of planted records; ``None`` where none could be planted, as a note says.
    """

    shuffled: Interval
    canaries: Canaries | None = None

    def to_dict(self) -> dict[str, Any]:
        """The controls as the JSON report shows them."""
        found = None if self.canaries is None else self.canaries.to_dict()
        return {"shuffled": self.shuffled.to_dict(), "canaries": found}
