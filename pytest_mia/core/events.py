"""What a running audit tells while it runs: it yields these events, and whoever runs it shows them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Announcement:
    """What is about to be done, in one line, before it is done."""

    line: str


@dataclass(frozen=True)
class Progress:
    """How far the training is.

    Attributes
    ----------
    done, total
        Models that were trained so far, and that are trained in all; those from the cache don't count.
    seconds
        Time since the training began.
    """

    done: int
    total: int
    seconds: float


Event = Announcement | Progress
