"""What attacks guess of the coins that decide who is in the training data, for `statistics.epsilon_bounds` to judge.

A coin belongs to a person: to all records of one group. Where coins were drawn, each says whether the person is a
member. In halves of a fixed size, members and others of a stratum are matched at random. Which of a pair is the member
is then a fair coin, independent of all other pairs: every half that takes one of each pair is equally likely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.thresholds import LARGEST
from pytest_mia.core.types import BoolArray, FloatArray, IntArray
from pytest_mia.statistics.counts import CoinGuesses


def guesses(
    attacks: Sequence[str],
    scores: FloatArray,
    shares: Sequence[tuple[float, float]],
    observations: Observations,
    records: BoolArray | None = None,
) -> tuple[CoinGuesses, ...]:
    """Guess coins of each target.

    The guesses on targets that aren't shadows of each other are counted together. Otherwise the attack on one depends
    on the coins of another, and each target's guesses stand by themselves.

    Parameters
    ----------
    attacks
        Name of the attack on each target.
    scores
        Its scores (targets, records), those of one group alike.
    shares
        Shares of the coins that are guessed to be members, and to be none, for each target: fixed beforehand, on other
        models.
    observations
        What the scores were made of.
    records
        Records (records,) that are judged, such as canaries; all by default. A group is judged if all of it is.
    """
    coins = _Coins(observations, records)
    found = [coins.guess(place, attacks[place], scores[place], shares[place]) for place in range(len(scores))]
    targets = observations.targets
    attacking = observations.references | observations.known.any(axis=1)
    if attacking[targets].any() or not found:
        return tuple(found)
    most = max(attacks, key=list(attacks).count)
    number, guessed, rightly = np.sum([[each.coins, each.guessed, each.right] for each in found], axis=0).tolist()
    return (CoinGuesses(most, number, guessed, rightly, swapped=not observations.drawn),)


def right(values: FloatArray, heads: BoolArray, shares: tuple[float, float]) -> tuple[int, int]:
    """How many coins are guessed, and how many rightly.

    Parameters
    ----------
    values
        One per coin (coins,): the higher, the likelier heads. Coins that tie are taken in their order.
    heads
        How each coin fell (coins,).
    shares
        Shares of the coins that are guessed to be heads, and tails, at most 1 together.
    """
    high, low = (int(share * len(values) + 1e-9) for share in shares)
    order = np.argsort(-values, kind="stable")
    rightly = np.count_nonzero(heads[order[:high]]) + np.count_nonzero(~heads[order[len(order) - low :]])
    return high + low, int(rightly)


@dataclass(frozen=True)
class _Coins:
    """The coins of all targets; attributes as in `guesses`."""

    observations: Observations
    records: BoolArray | None

    def guess(self, place: int, attack: str, scores: FloatArray, shares: tuple[float, float]) -> CoinGuesses:
        """Guess the coins of one target, given by its place among the targets."""
        observations, target = self.observations, int(self.observations.targets[place])
        first = self._first_records(target)
        values, members = np.clip(scores[first], -LARGEST, LARGEST), observations.members[target, first]
        if observations.drawn:
            return CoinGuesses(attack, len(first), *right(values, members, shares))
        one, other = pairs(members, observations.labels[first], observations.generator_for("pairs", target))
        return CoinGuesses(attack, len(one), *right(values[one] - values[other], members[one], shares), swapped=True)

    def _first_records(self, target: int) -> IntArray:
        """Find the first record of each group that is judged; every judged record where there are no groups."""
        judged, groups = self.observations.judged[target], self.observations.groups
        if self.records is not None:
            judged = judged & self.records
        if groups is None:
            return np.flatnonzero(judged)
        _, first, codes = np.unique(groups, return_index=True, return_inverse=True)
        whole = np.bincount(codes, weights=~judged) == 0
        return np.sort(first[whole])


def pairs(members: BoolArray, strata: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Match members and others of each stratum at random, as many as go.

    Parameters
    ----------
    members
        Who is one (records,).
    strata
        Stratum of each record (records,), from 0.
    rng
        Matches them.

    Returns
    -------
    tuple of IntArray
        The records of each pair: first the one that comes first among the records, whichever is the member.
    """
    order = rng.permutation(len(members))
    sides = [order[members[order]], order[~members[order]]]
    common = np.min([np.bincount(strata[side], minlength=strata.max(initial=0) + 1) for side in sides], axis=0)
    matched = np.sort(np.stack([_first_of_each(common, side, strata) for side in sides]), axis=0)
    first, second = matched[:, np.argsort(matched[0])]
    return first, second


def _first_of_each(most: IntArray, records: IntArray, strata: IntArray) -> IntArray:
    """The first records of each stratum, as many as `most` (strata,) says, stratum by stratum."""
    arranged = records[np.argsort(strata[records], kind="stable")]
    stratum = strata[arranged]
    return arranged[np.arange(len(arranged)) - np.searchsorted(stratum, stratum) < most[stratum]]
