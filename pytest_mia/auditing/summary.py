"""From observations to a result: run the attacks, choose one, and put what it found into plain types."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pytest_mia.attacks import coin_guesses, evaluation, roc
from pytest_mia.attacks.evaluation import AttackRun
from pytest_mia.attacks.grouped import grouped
from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Attack
from pytest_mia.attacks.thresholds import FALSE_POSITIVE_RATES
from pytest_mia.auditing.design import AuditDesign
from pytest_mia.core.settings import Settings
from pytest_mia.core.types import BoolArray, FloatArray, IntArray
from pytest_mia.results.values import (
    Accuracy,
    AttackResult,
    CacheUse,
    Curve,
    Exposure,
    Guesses,
    Histogram,
    Seconds,
    SliceResult,
    Tally,
)
from pytest_mia.statistics import error_budget, measurable
from pytest_mia.statistics.counts import CoinGuesses, Counts, Selected
from pytest_mia.statistics.ranks import rank_within_rows
from pytest_mia.verdicts import subgroups as parts
from pytest_mia.verdicts.audit_result import AuditResult

SHOWN_RECORDS = 10
BASELINES = ("loss", "gap")
"""Attacks that need no shadows, whose curves are shown beside that of the selected one."""


def summarise(
    fitting: Sequence[Attack], observations: Observations, design: AuditDesign, settings: Settings
) -> AuditResult:
    """Run attacks and put what they found into a result, without what the result says of its own making.

    Parameters
    ----------
    fitting
        Attacks that fit the signals; at least one.
    observations
        What they run on.
    design
        The audit's design.
    settings
        The audit's settings, of which only those count that decide what is found.
    """
    fitting = fitting if observations.groups is None else [grouped(attack) for attack in fitting]
    splits = evaluation.split_targets(observations)
    runs, found = evaluation.run_all(fitting, observations, splits)
    chosen = evaluation.choose([[each.advantage for each in run.learned] for run in runs])
    selected = evaluation.pick([run.counts for run in runs], chosen)
    guesses = _guesses(found, runs, chosen)
    kept = _kept(guesses, observations, design.audited)
    levels = error_budget.levels(settings.confidence, attacks=len(runs), looks=design.looks)
    results = [_attack_result(run, levels) for run in runs]
    return AuditResult(
        kind=design.kind,
        attack=_most_chosen(runs, chosen),
        advantage=error_budget.selected_interval(selected, levels),
        selected=selected,
        tails={f"{rate:g}": _tail(runs, place) for place, rate in enumerate(FALSE_POSITIVE_RATES)},
        attacks=tuple(sorted(results, key=lambda result: -result.advantage.estimate)),
        shadows=design.shadows,
        models=design.models,
        records=design.audited,
        accuracy=_accuracy(observations),
        slices=_slices(design.slices, kept, design, settings),
        most_exposed=_most_exposed(rank_within_rows(found), guesses, observations, design.audited),
        seed=settings.seed,
        device="",
        seconds=Seconds(0.0, 0.0),
        looks=design.looks,
        shift=design.shift,
        classes=_slices(_classes(design), kept, design, settings),
        curves=_curves(fitting, runs, chosen, found, observations, levels.high),
        histogram=_histogram(runs, chosen, found, observations),
        coins=_coins(fitting, runs, observations, design),
        grouped=observations.groups is not None,
        guesses=kept,
        detectable=error_budget.detectable(selected, levels),
    )


def compare(results: Sequence[AuditResult]) -> AuditResult:
    """The audit of the strongest attacker, by its lower bound, with those of all, and with what all of them cost."""
    strongest = max(results, key=lambda result: result.advantage.low)
    training, attacks = (sum(getattr(each.seconds, part) for each in results) for part in ("training", "attacks"))
    hits, misses = (sum(getattr(each.cache, part) for each in results) for part in ("hits", "misses"))
    remedied = zip(*(each.what_if for each in results), strict=True)
    return dataclasses.replace(
        strongest,
        seconds=Seconds(training, attacks),
        cache=CacheUse(hits, misses),
        attackers=tuple(dataclasses.replace(each, what_if=()) for each in results),
        what_if=tuple(
            dataclasses.replace(parts[0], audit=compare([each.audit for each in parts])) for parts in remedied
        ),
    )


def _attack_result(run: AttackRun, levels: error_budget.Levels) -> AttackResult:
    tails = {f"{rate:g}": counts for rate, counts in zip(FALSE_POSITIVE_RATES, run.tail_counts, strict=True)}
    return AttackResult(
        run.name,
        error_budget.other_interval(run.counts, levels),
        float(run.auc.mean()),
        {
            rate: _rate(counts) if measurable(float(rate), sum(counts.nonmembers)) else None
            for rate, counts in tails.items()
        },
        run.counts,
        tails,
    )


def _tail(runs: Sequence[AttackRun], place: int) -> Selected:
    chosen = evaluation.choose([[each.tail_rates[place] for each in run.learned] for run in runs])
    return Selected(_most_chosen(runs, chosen), evaluation.pick([run.tail_counts[place] for run in runs], chosen))


def _coins(
    fitting: Sequence[Attack],
    runs: Sequence[AttackRun],
    observations: Observations,
    design: AuditDesign,
) -> tuple[CoinGuesses, ...]:
    """What the attack that is best at it guesses of who is a member; none of records that have copies.

    Copies go together, and k of them may give away k times the epsilon that is claimed of one.
    """
    guessing = [[each.guessing for each in run.learned] for run in runs]
    chosen = evaluation.choose([[each.bound for each in row] for row in guessing])
    found = np.empty((len(chosen), len(observations.labels)))
    for index in np.unique(chosen).tolist():
        places = np.flatnonzero(chosen == index)
        found[places] = evaluation.target_scores(fitting[index], observations, runs[index].learned, places)
    return coin_guesses.guesses(
        [runs[index].name for index in chosen],
        found,
        [guessing[index][place].shares for place, index in enumerate(chosen)],
        observations,
        None if design.copied is None else ~np.pad(design.copied, (0, found.shape[1] - design.audited)),
    )


def _most_chosen(runs: Sequence[AttackRun], chosen: IntArray) -> str:
    return runs[int(np.bincount(chosen).argmax())].name


def _rate(counts: Counts) -> float:
    return sum(counts.flagged_members) / max(sum(counts.members), 1)


def _guesses(found: FloatArray, runs: Sequence[AttackRun], chosen: IntArray) -> BoolArray:
    """Guesses (targets, records) of the attack that was chosen for each target, from its scores."""
    thresholds = [runs[index].learned[target].threshold for target, index in enumerate(chosen)]
    return np.asarray(found >= np.array(thresholds)[:, None])


def _kept(guesses: BoolArray, observations: Observations, audited: int) -> Guesses:
    """The guesses on the audited records, as a result keeps them."""
    targets, groups = observations.targets, observations.groups
    members, judged = observations.members[targets, :audited], observations.judged[targets, :audited]
    return parts.guesses(guesses[:, :audited], members, judged, None if groups is None else groups[:audited])


def _curves(
    fitting: Sequence[Attack],
    runs: Sequence[AttackRun],
    chosen: IntArray,
    found: FloatArray,
    observations: Observations,
    alpha: float,
) -> tuple[Curve, ...]:
    """The ROC curve of the selected attack, and of each baseline that isn't the same everywhere."""
    everyone, share = np.arange(len(chosen)), observations.independent_share()
    shown = [(_most_chosen(runs, chosen), found)]
    for index, run in enumerate(runs):
        if run.name in BASELINES and (chosen != index).any():
            shown.append((run.name, evaluation.target_scores(fitting[index], observations, run.learned, everyone)))
    return tuple(
        roc.curve(name, roc.judged(values, everyone, observations), alpha=alpha, share=share) for name, values in shown
    )


def _histogram(runs: Sequence[AttackRun], chosen: IntArray, found: FloatArray, observations: Observations) -> Histogram:
    """Scores of the attack that was chosen for most targets, on these: those of another attack can't be compared."""
    name = _most_chosen(runs, chosen)
    places = np.flatnonzero([runs[index].name == name for index in chosen])
    return roc.histogram(name, roc.judged(found[places], places, observations))


def _accuracy(observations: Observations) -> Accuracy:
    correct = observations.signals.correct
    if correct is None:
        return Accuracy(None, None)
    inside, outside = observations.judged & observations.members, observations.judged & ~observations.members
    return Accuracy(float(correct[inside].mean()), float(correct[outside].mean()))


def _classes(design: AuditDesign) -> dict[str, Sequence[Any]]:
    """The classes as one more slice, where they are few enough to be looked at one by one."""
    return {parts.CLASS: design.classes} if 0 < len({*map(str, design.classes)}) <= parts.MOST_PARTS else {}


def _slices(
    slices: Mapping[str, Sequence[Any]], kept: Guesses, design: AuditDesign, settings: Settings
) -> tuple[SliceResult, ...]:
    found: list[SliceResult] = []
    for name, column in slices.items():
        values = np.array([str(value) for value in column])
        levels = error_budget.levels(settings.confidence, attacks=len(np.unique(values)) + 1, looks=design.looks)
        found += parts.count_parts(name, values, kept, levels)
    return tuple(found)


def _most_exposed(
    ranks: FloatArray, guesses: BoolArray, observations: Observations, audited: int
) -> tuple[Exposure, ...]:
    """Records whose ranks as a member and as a non-member lie furthest apart; a missing side counts as the middle.

    Of a group, whose records are drawn and scored together, the first one stands for all.
    """
    targets, groups = observations.targets, observations.groups
    judged = observations.judged[targets, :audited]
    members = observations.members[targets, :audited]
    inside, outside = judged & members, judged & ~members
    exposure = _mean_rank(ranks[:, :audited], inside) - _mean_rank(ranks[:, :audited], outside)
    shown = np.arange(audited) if groups is None else np.sort(np.unique(groups[:audited], return_index=True)[1])
    first = shown[np.argsort(-exposure[shown], kind="stable")[:SHOWN_RECORDS]]
    return tuple(
        Exposure(
            int(record),
            float(exposure[record]),
            _tally(guesses[:, record], inside[:, record]),
            _tally(~guesses[:, record], outside[:, record]),
        )
        for record in first
    )


def _tally(right: BoolArray, models: BoolArray) -> Tally:
    return Tally(int((right & models).sum()), int(models.sum()))


def _mean_rank(ranks: FloatArray, mask: BoolArray) -> FloatArray:
    count = mask.sum(axis=0)
    total = (ranks * mask).sum(axis=0)
    return np.asarray(np.divide(total, count, out=np.full(ranks.shape[1], 0.5), where=count > 0))
