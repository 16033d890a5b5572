"""What bounds are made of, and what they are: counts of guesses, and intervals."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_mia.core.reported import Reported


@dataclass(frozen=True)
class Interval(Reported):
    """An estimate with one-sided bounds, each of which holds with at least `confidence`.

    `high` is infinite where there is no upper bound; a report shows ``None`` then.
    """

    estimate: float
    low: float
    high: float
    confidence: float

    def __str__(self) -> str:
        return f"{self.estimate:.3f} ({self.low:.3f} to {self.high:.3f} at {self.confidence * 100:g}% confidence)"


@dataclass(frozen=True)
class Counts:
    """Guesses counted per target model: ``flagged`` means that the attack said "member".

    All four have one entry per target.

    Attributes
    ----------
    share
        Share of the guesses that counts as independent: below 1 where records come in groups, which are drawn whole.
    """

    flagged_members: tuple[int, ...]
    members: tuple[int, ...]
    flagged_nonmembers: tuple[int, ...]
    nonmembers: tuple[int, ...]
    share: float = 1.0


@dataclass(frozen=True)
class Selected:
    """The guesses of the attack that was selected on the shadows (for most targets, where targets differ)."""

    attack: str
    counts: Counts


@dataclass(frozen=True)
class CoinGuesses(Reported):
    """Guesses of independent fair coins, on which a claimed epsilon is judged.

    Attributes
    ----------
    attack
        Where they come from.
    coins, guessed, right
        How many coins there are, how many of them were guessed, and how many of these rightly.
    swapped
        Whether a coin decides which of two records is in the training data, as it does in halves of a fixed size,
        rather than whether one is.
    planted
        Whether the records are canaries.
    """

    attack: str
    coins: int
    guessed: int
    right: int
    swapped: bool = False
    planted: bool = False
