"""Each model a target in turn: thresholds, tuned constants and the choice of attack are learnt on the other models.

Nothing is chosen on the data that it is judged on. For each target, an attack's threshold is the one with the largest
advantage over the labelled pairs of all *other* models, and it is applied to the target once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pytest_mia.arrays import BoolArray, FloatArray, IntArray
from pytest_mia.attacks.protocol import Attack
from pytest_mia.observations import Observations
from pytest_mia.results import Counts
from pytest_mia.statistics import auc

FALSE_POSITIVE_RATES = (0.001, 0.01, 0.1)
MOST_THRESHOLDS = 1000
SAMPLED = 200_000
_TAIL = np.geomspace(1e-5, 0.05, 200)


@dataclass(frozen=True)
class AttackRun:
    """What one attack reached on each target; all arrays have one row per target.

    Attributes
    ----------
    name
        The attack.
    learned
        Advantage (targets,) of the chosen threshold on the other models: what attacks are compared by.
    learned_tails
        TPR (targets,) on the other models at each of `FALSE_POSITIVE_RATES`.
    setting
        Index (targets,) of the chosen value of the attack's constant.
    threshold
        Chosen threshold (targets,): scores of at least this are guessed to be members.
    auc
        Area under the ROC curve (targets,), ties counted half.
    counts
        Guesses at the threshold.
    tail_counts
        Guesses at the thresholds learnt for each of `FALSE_POSITIVE_RATES`.
    """

    name: str
    learned: FloatArray
    learned_tails: tuple[FloatArray, ...]
    setting: IntArray
    threshold: FloatArray
    auc: FloatArray
    counts: Counts
    tail_counts: tuple[Counts, ...]


@dataclass(frozen=True)
class Curves:
    """Guesses of every model at a grid of thresholds, in falling order, from "nobody" to "everybody".

    Attributes
    ----------
    thresholds
        (thresholds,)
    flagged_members, flagged_nonmembers
        Labelled pairs (models, thresholds) at or above each threshold.
    members, nonmembers
        Labelled pairs (models,).
    """

    thresholds: FloatArray
    flagged_members: IntArray
    flagged_nonmembers: IntArray
    members: IntArray
    nonmembers: IntArray

    def without(self, model: int) -> tuple[FloatArray, FloatArray]:
        """TPR and FPR (thresholds,) pooled over all models but `model`."""
        members = max(int(self.members.sum() - self.members[model]), 1)
        nonmembers = max(int(self.nonmembers.sum() - self.nonmembers[model]), 1)
        flagged_members, flagged_nonmembers = self._totals
        return (
            (flagged_members - self.flagged_members[model]) / members,
            (flagged_nonmembers - self.flagged_nonmembers[model]) / nonmembers,
        )

    @cached_property
    def _totals(self) -> tuple[IntArray, IntArray]:
        return self.flagged_members.sum(axis=0), self.flagged_nonmembers.sum(axis=0)


def run_attack(attack: Attack, observations: Observations) -> AttackRun:
    """Score, learn thresholds on the other models, and count the guesses on each target."""
    runs = [
        _run_setting(attack.name, setting, scores, observations)
        for setting, scores in enumerate(attack.scores(observations))
    ]
    return _merge(runs, choose([run.learned for run in runs]))


def choose(learned: Sequence[FloatArray]) -> IntArray:
    """Index (targets,) of the attack that did best on the other models, for each target."""
    return np.argmax(learned, axis=0)


def pick(counts: Sequence[Counts], chosen: IntArray) -> Counts:
    """Guesses, one entry per target, of the attack that was chosen for each target."""
    picked = [counts[index] for index in chosen]
    return Counts(
        tuple(each.flagged_members[target] for target, each in enumerate(picked)),
        tuple(each.members[target] for target, each in enumerate(picked)),
        tuple(each.flagged_nonmembers[target] for target, each in enumerate(picked)),
        tuple(each.nonmembers[target] for target, each in enumerate(picked)),
    )


def guesses(attack: Attack, run: AttackRun, observations: Observations, rows: IntArray) -> tuple[BoolArray, FloatArray]:
    """Guesses and ranks of one attack on some targets.

    Parameters
    ----------
    attack, run, observations
        The attack, what it reached, and on what.
    rows
        Positions among the targets.

    Returns
    -------
    BoolArray, FloatArray
        Guesses (rows, records), and each score's rank (rows, records) within its model from 0 to 1, ties in the middle.
    """
    targets = observations.targets[rows]
    flagged, ranks = np.zeros((2, len(rows), observations.members.shape[1]))
    for setting, scores in enumerate(attack.scores(observations)):
        for place in np.flatnonzero(run.setting[rows] == setting):
            row = scores[targets[place]]
            flagged[place] = row >= run.threshold[rows[place]]
            ranks[place] = _ranks(row)
    return flagged.astype(bool), ranks


def _run_setting(name: str, setting: int, scores: FloatArray, observations: Observations) -> AttackRun:
    curves = _curves(scores, observations)
    targets = observations.targets
    rates = [curves.without(target) for target in targets]
    places = [_best_threshold(tpr, fpr) for tpr, fpr in rates]
    tails = [[_tail_threshold(fpr, rate) for _, fpr in rates] for rate in FALSE_POSITIVE_RATES]
    judged = [(scores[t][observations.judged[t]], observations.members[t][observations.judged[t]]) for t in targets]
    return AttackRun(
        name,
        np.array([tpr[place] - fpr[place] for (tpr, fpr), place in zip(rates, places, strict=True)]),
        tuple(np.array([tpr[place] for (tpr, _), place in zip(rates, tail, strict=True)]) for tail in tails),
        np.full(len(targets), setting),
        curves.thresholds[places],
        np.array([auc(values, members) for values, members in judged]),
        _count(judged, curves.thresholds[places]),
        tuple(_count(judged, curves.thresholds[tail]) for tail in tails),
    )


def _curves(scores: FloatArray, observations: Observations) -> Curves:
    learnt = observations.known
    thresholds = _grid(scores[learnt.any(axis=1)])
    flagged_members = np.zeros((len(scores), len(thresholds)), dtype=np.int64)
    flagged_nonmembers = np.zeros_like(flagged_members)
    for model in np.flatnonzero(learnt.any(axis=1)):
        known, members = learnt[model], observations.members[model]
        flagged_members[model] = _at_least(scores[model][known & members], thresholds)
        flagged_nonmembers[model] = _at_least(scores[model][known & ~members], thresholds)
    members = observations.members
    return Curves(
        thresholds,
        flagged_members,
        flagged_nonmembers,
        (learnt & members).sum(axis=1),
        (learnt & ~members).sum(axis=1),
    )


def _grid(scores: FloatArray) -> FloatArray:
    """Thresholds in falling order: infinity, the middles between distinct scores (of quantiles, where many), -infinity."""
    flat = scores.ravel()
    sample = flat[:: max(1, len(flat) // SAMPLED)]
    distinct = np.unique(sample)
    if len(distinct) > MOST_THRESHOLDS:
        shares = np.concatenate([np.linspace(0, 1, MOST_THRESHOLDS), 1 - _TAIL])
        distinct = np.unique(np.quantile(sample, shares, method="nearest"))
    lower, upper = distinct[:-1], distinct[1:]
    middles = np.maximum(lower / 2 + upper / 2, np.nextafter(lower, np.inf))
    return np.concatenate([[np.inf], middles[::-1], [-np.inf]])


def _at_least(scores: FloatArray, thresholds: FloatArray) -> IntArray:
    return len(scores) - np.searchsorted(np.sort(scores), thresholds, side="left")


def _best_threshold(tpr: FloatArray, fpr: FloatArray) -> int:
    """The middle one of the best thresholds; "nobody" where none is better than chance."""
    advantage = tpr - fpr
    best = np.flatnonzero(advantage >= advantage.max() - 1e-12)
    return 0 if advantage[0] >= advantage.max() - 1e-12 else int(best[len(best) // 2])


def _tail_threshold(fpr: FloatArray, rate: float) -> int:
    return int(np.flatnonzero(fpr <= rate)[-1])


def _count(judged: Sequence[tuple[FloatArray, BoolArray]], thresholds: FloatArray) -> Counts:
    flagged = [scores >= threshold for (scores, _), threshold in zip(judged, thresholds, strict=True)]
    masks = [members for _, members in judged]
    return Counts(
        tuple(int((guess & member).sum()) for guess, member in zip(flagged, masks, strict=True)),
        tuple(int(member.sum()) for member in masks),
        tuple(int((guess & ~member).sum()) for guess, member in zip(flagged, masks, strict=True)),
        tuple(int((~member).sum()) for member in masks),
    )


def _merge(runs: Sequence[AttackRun], best: IntArray) -> AttackRun:
    def rows(arrays: Sequence[FloatArray | IntArray]) -> FloatArray:
        return np.asarray(np.stack(arrays)[best, np.arange(len(best))])

    return AttackRun(
        runs[0].name,
        rows([run.learned for run in runs]),
        tuple(rows([run.learned_tails[tail] for run in runs]) for tail in range(len(FALSE_POSITIVE_RATES))),
        rows([run.setting for run in runs]).astype(np.intp),
        rows([run.threshold for run in runs]),
        rows([run.auc for run in runs]),
        pick([run.counts for run in runs], best),
        tuple(pick([run.tail_counts[tail] for run in runs], best) for tail in range(len(FALSE_POSITIVE_RATES))),
    )


def _ranks(scores: FloatArray) -> FloatArray:
    arranged = np.sort(scores)
    lower, upper = np.searchsorted(arranged, scores, "left"), np.searchsorted(arranged, scores, "right")
    return (lower + upper) / (2 * len(scores))
