"""What is known of an audit that was audited itself, by questions whose answers are known."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_mia.core.reported import UNREPORTED, Reported
from pytest_mia.statistics.counts import CoinGuesses, Counts, Interval


@dataclass(frozen=True)
class Canaries(Reported):
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
    counts: Counts = field(metadata=UNREPORTED)
    coins: tuple[CoinGuesses, ...] = field(metadata=UNREPORTED, default=())


@dataclass(frozen=True)
class Controls(Reported):
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
