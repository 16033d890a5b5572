"""Cross-fitting: each model is a target in turn, and all that is learnt for it is learnt on the other models.

Thresholds, tuned constants and the choice of attack are learnt, and nothing is learnt on the data that it is judged on.
The models that are learnt from hold the target neither as one of them nor as a shadow of theirs: were it a shadow, its
memberships would have a part in the choice, and attacks would show an advantage without any leak (0.01 with 8 models
and 200 records, by simulation).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Attack, needs_fitting
from pytest_mia.attacks.thresholds import FALSE_POSITIVE_RATES, FittedThreshold, learn
from pytest_mia.core.types import BoolArray, FloatArray, IntArray
from pytest_mia.statistics import auc
from pytest_mia.statistics.counts import Counts

MOST_SPLITS = 8
"""Above this many targets they share splits, each of which leaves out all targets that use it."""

MANY, SPLITS_OF_MANY = 32, 4
"""So many targets share fewer splits: three quarters of them are shadows enough to learn from."""

MOST_SORTED = 2**18
"""Scores of whole targets over which the ROC area is averaged, about: it decides nothing, and costs a sort each."""

TOGETHER = 2**20
"""Pairs of targets and records that are scored at a time: what a score takes on its way stays small."""

MOST_PAIRS = 50_000
"""Labelled pairs of models and records to learn from, at the most: a threshold doesn't get better from more."""


@dataclass(frozen=True)
class AttackRun:
    """What one attack reached on each target.

    Attributes
    ----------
    name
        The attack.
    learned
        What was learnt for each target on other models.
    auc
        Area under the ROC curve of each of some targets, ties counted half.
    counts
        Guesses at the learnt threshold.
    tail_counts
        Guesses at the thresholds learnt for each of `FALSE_POSITIVE_RATES`.
    """

    name: str
    learned: tuple[FittedThreshold, ...]
    auc: FloatArray
    counts: Counts
    tail_counts: tuple[Counts, ...]


class Split(NamedTuple):
    """A cross-fitting split.

    Attributes
    ----------
    targets
        Rows of the targets that share it.
    labelled
        All other models, whose memberships the attacker knows: thresholds are learnt on them.
    """

    targets: IntArray
    labelled: Observations


def split_targets(observations: Observations, most: int | None = None) -> list[Split]:
    """Split the targets into so many groups at the most, each with the labelled models that are learnt from for it."""
    targets = observations.targets
    most = most or (SPLITS_OF_MANY if len(targets) >= MANY else MOST_SPLITS)
    taking_part = observations.references | observations.known.any(axis=1)
    groups = np.array_split(targets, min(len(targets), most)) if taking_part[targets].any() else [targets]
    return [Split(group, observations.leave_out(group, MOST_PAIRS)) for group in groups]


def run_attack(attack: Attack, observations: Observations, splits: Sequence[Split]) -> AttackRun:
    """Learn thresholds on the other models, score each target, and count the guesses.

    Parameters
    ----------
    attack
        The attack.
    observations
        All models.
    splits
        Their cross-fitting splits, by `split_targets`.
    """
    return _scored(attack, observations, splits)[0]


def run_all(
    fitting: Sequence[Attack], observations: Observations, splits: Sequence[Split]
) -> tuple[list[AttackRun], FloatArray]:
    """Run attacks, and keep the scores (targets, records) of that which did best on the other models, for each target.

    Parameters
    ----------
    fitting
        The attacks; the first of equals is kept, as `choose` takes it.
    observations, splits
        As for `run_attack`.
    """
    runs: list[AttackRun] = []
    targets = len(observations.targets)
    best, kept = np.full(targets, -np.inf), np.empty((targets, len(observations.labels)))
    for attack in fitting:
        run, scores = _scored(attack, observations, splits)
        advantages = np.array([each.advantage for each in run.learned])
        better = advantages > best
        best[better], kept[better] = advantages[better], scores[better]
        runs.append(run)
    return runs, kept


def _scored(attack: Attack, observations: Observations, splits: Sequence[Split]) -> tuple[AttackRun, FloatArray]:
    """The run, and the scores (targets, records) that it counted."""
    share, targets = observations.independent_share(), observations.targets
    if needs_fitting(attack):
        splits = split_targets(observations, attack.most_splits)
    learned = [each for group, labelled in splits for each in [_learn(attack, labelled)] * len(group)]
    scores = target_scores(attack, observations, learned, np.arange(len(learned)))
    judged, members = observations.judged[targets], observations.members[targets]
    sides = judged & members, judged & ~members
    run = AttackRun(
        attack.name,
        tuple(learned),
        np.array([
            auc(scores[row][judged[row]], members[row][judged[row]])
            for row in range(0, len(scores), -(-scores.size // MOST_SORTED))
        ]),
        _count(scores, sides, [each.threshold for each in learned], share),
        tuple(
            _count(scores, sides, [each.tail_thresholds[tail] for each in learned], share)
            for tail in range(len(FALSE_POSITIVE_RATES))
        ),
    )  # fmt: skip
    return run, scores


def choose(learned: Sequence[Sequence[float]]) -> IntArray:
    """Index (targets,) of the attack that did best on the other models, for each target."""
    return np.asarray(np.argmax(learned, axis=0))


def pick(counts: Sequence[Counts], chosen: IntArray) -> Counts:
    """Guesses, one entry per target, of the attack that was chosen for each target."""
    picked = [counts[index] for index in chosen]
    return Counts(
        tuple(each.flagged_members[target] for target, each in enumerate(picked)),
        tuple(each.members[target] for target, each in enumerate(picked)),
        tuple(each.flagged_nonmembers[target] for target, each in enumerate(picked)),
        tuple(each.nonmembers[target] for target, each in enumerate(picked)),
        picked[0].share,
    )


def target_scores(
    attack: Attack, observations: Observations, learned: Sequence[FittedThreshold], places: IntArray
) -> FloatArray:
    """Scores (places, records) of some targets, each with the constant that was learnt for it.

    Parameters
    ----------
    attack, observations
        Which attack, on what.
    learned
        What was learnt for every target.
    places
        Positions among the targets.
    """
    targets = observations.targets
    found = np.empty((len(places), observations.members.shape[1]))
    if needs_fitting(attack):
        asked = [learned[place] for place in places.tolist()]
        for _, group in itertools.groupby(range(len(asked)), key=lambda row: id(asked[row].fitted)):
            rows = [*group]
            one = asked[rows[0]]
            assert one.fitted is not None, "a fitted attack was asked for scores before it was fitted"
            found[rows] = one.fitted.scores(observations, targets[places[rows]], one.setting)
        return found
    settings, together = np.array([learned[place].setting for place in places]), max(1, TOGETHER // found.shape[1])
    # Settings that nobody asks for aren't worked out.
    for setting, scorer in enumerate(itertools.islice(attack.scorers(observations), settings.max(initial=-1) + 1)):
        asking = np.flatnonzero(settings == setting)
        for first in range(0, len(asking), together):
            part = asking[first : first + together]
            found[part] = scorer(targets[places[part]])
    return found


def _learn(attack: Attack, labelled: Observations) -> FittedThreshold:
    """The best constant of the attack with its thresholds."""
    if needs_fitting(attack):
        fitted = attack.fit(labelled)
        return dataclasses.replace(learn(fitted.labelled_scores, labelled), fitted=fitted)
    models = np.arange(len(labelled.members))
    return learn([scorer(models) for scorer in attack.scorers(labelled)], labelled)


def _count(scores: FloatArray, sides: tuple[BoolArray, BoolArray], thresholds: Sequence[float], share: float) -> Counts:
    """Guesses on the judged members and the judged others (targets, records)."""
    flagged = scores >= np.array(thresholds)[:, None]
    inside, outside = (tuple(int(np.count_nonzero(row)) for row in flagged & side) for side in sides)
    members, nonmembers = (tuple(int(np.count_nonzero(row)) for row in side) for side in sides)
    return Counts(inside, members, outside, nonmembers, share)
