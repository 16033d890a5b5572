"""How many coins an attack should guess where a claimed epsilon is judged, learnt on models whose members are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.core.types import FloatArray, IntArray

COIN_SHARES = np.concatenate([[0.0], np.geomspace(1 / 1024, 0.5, 19)])
"""Shares of the coins that may be guessed to be members, or to be none."""
LARGEST = 1e300
"""Where scores are cut off, so that they have differences."""


@dataclass(frozen=True)
class GuessPlan:
    """How many guesses to make.

    Attributes
    ----------
    shares
        Of the coins: those that are guessed to show heads, and tails.
    bound
        Wilson's lower bound (1927) of the share of right guesses on the labelled models, three standard errors away
        since the best of many is taken, and corrected for continuity by half a guess. Attacks are compared by it;
        nothing is judged by it.
    """

    shares: tuple[float, float]
    bound: float


def coin_guessing(inside: FloatArray, outside: FloatArray) -> GuessPlan:
    """How many records are best guessed to be members, and to be none.

    Parameters
    ----------
    inside, outside
        Flagged members and flagged others at each threshold, from "nobody" to "everybody".
    """
    flagged, records = inside + outside, max(inside[-1] + outside[-1], 1)
    top = np.searchsorted(flagged, COIN_SHARES * records + 1e-6, side="right") - 1
    bottom = np.searchsorted(flagged[:-1], (1 - COIN_SHARES) * records - 1e-6, side="left")
    low = _wilson(
        inside[top][:, None] + (outside[-1] - outside[bottom]), flagged[top][:, None] + (records - flagged[bottom])
    )
    high, least = np.unravel_index(np.argmax(low), low.shape)
    shares = float(flagged[top[high]] / records), float(1 - flagged[bottom[least]] / records)
    return GuessPlan(shares, float(low[high, least]))


def pair_guessing(inside: FloatArray, outside: FloatArray) -> GuessPlan:
    """How many pairs of a member and another are best guessed by which has the higher score, half of them either way.

    Parameters
    ----------
    inside, outside
        Scores of members and of others, in the order of models and records: pairs are then of one model, or nearly so.
    """
    pairs = min(len(inside), len(outside))
    first, second = (np.clip(side[:pairs], -LARGEST, LARGEST) for side in (inside, outside))
    difference = first - second
    wins, losses = np.sort(difference[difference > 0]), np.sort(-difference[difference < 0])
    ties = pairs - len(wins) - len(losses)
    sizes = np.sort(np.concatenate([np.zeros(ties), wins, losses]), kind="stable")
    least = sizes[-np.unique((2 * COIN_SHARES * pairs).astype(np.intp))[1:]]
    right, wrong = (at_least(side, least) + (least == 0) * ties / 2 for side in (wins, losses))
    right, count = np.append(0, right), np.append(0, right + wrong)
    low = _wilson(right, count)
    best = int(low.argmax())
    side = float(count[best] / max(2 * pairs, 1))
    return GuessPlan((side, side), float(low[best]))


def _wilson(right: FloatArray, count: npt.NDArray[Any], z: float = 3.0) -> FloatArray:
    """The bound of `GuessPlan`; 0 where nothing is guessed."""
    trials = np.maximum(count, 1)
    rate = np.maximum(right - 0.5, 0.0) / trials
    spread = z * np.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    return np.where(count > 0, (rate + z**2 / (2 * trials) - spread) / (1 + z**2 / trials), 0.0)


def at_least(arranged: FloatArray, thresholds: FloatArray) -> IntArray:
    """How many of some arranged scores reach each threshold."""
    return len(arranged) - np.searchsorted(arranged, thresholds, side="left")
