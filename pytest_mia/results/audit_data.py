"""What an audit found, in plain built-in types: the source of every message and report.

The fields carry the names of the JSON report (``AuditData.to_dict``). Nothing here holds a feature value: records are
named by their index.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pytest_mia.core.reported import UNREPORTED, Reported, reported_as
from pytest_mia.results.controls import Controls
from pytest_mia.results.values import (
    Accuracy,
    AttackResult,
    CacheUse,
    Change,
    Columns,
    Curve,
    Exposure,
    Guesses,
    Histogram,
    Seconds,
    SliceResult,
)
from pytest_mia.statistics.counts import CoinGuesses, Counts, Interval, Selected

SAME_ACCURACY = 0.005
"""Accuracies that are nearer than this count as the same when the cheapest remedy is sought."""

NO_CACHE = CacheUse()


@dataclass(frozen=True)
class RemedyResult(Reported):
    """What a remedy would make of an audit: the audit of the same models, shipped with it.

    Attributes
    ----------
    remedy
        How it is written, such as "RoundedAnswers(estimator, step=0.25)".
    idea
        What it does, in a few words.
    audit
        The audit; judged once the result is.
    trains
        Whether models were trained anew for it.
    """

    remedy: str
    idea: str
    audit: AuditData = field(metadata=reported_as(lambda remedy: {"trains": remedy.trains, **_remedied(remedy.audit)}))
    trains: bool = False


@dataclass(frozen=True, kw_only=True)
class AuditData(Reported):
    """One audit, in plain values, in the order of the JSON report; `pytest_mia.AuditResult` adds the gates.

    Attributes
    ----------
    kind
        "recipe" or "release".
    attack
        The attack that was selected on the shadows (for most targets, where targets differ).
    advantage
        TPR - FPR of the selected attack, with bounds.
    selected
        The guesses behind `advantage`.
    tails
        The selected attack and its guesses at the false-positive rates "0.001", "0.01" and "0.1".
    attacks
        Every attack that ran, best first.
    shadows, models, records
        Shadows that attack each target, models asked, records audited.
    accuracy, slices, most_exposed, seed, device, seconds
        As their names say.
    findings
        Reasons why the data can't answer the question; any of them makes the verdict *invalid*.
    notes
        What a reader should know: settings that were filled in, what could not be measured.
    replay
        The exact command, or call, that repeats the audit.
    looks
        How often the audit may say leak, at each look of an early stop and for each attacker; its lower bounds are
        corrected for that.
    shift
        Advantage with which members and non-members of a release can be told apart without any model; beyond half of
        the limit it makes a verdict *invalid*.
    cache
        How many models were taken from the cache.
    inconclusive
        What a gate does when the data can't decide: "fail", "warn" or "skip".
    test, metric, threshold, verdict, reasons
        Filled in by a gate: the test's node ID, what was judged, the limit, the verdict and why.
    judged
        The interval that was judged: `advantage`, or that of the gate's own metric.
    attacker
        Whose audit this is, where several attackers were compared.
    attackers
        The audit of each of them; this result is then that of the strongest.
    classes
        The selected attack on the records of each class, where there are no more than a hundred.
    curves
        ROC curves: of the selected attack first, then of the baselines that need no shadows.
    histogram
        Scores of the selected attack; ``None`` where nothing was recorded.
    next_steps
        What to try next, filled in by a gate.
    change
        How far the advantage moved since a baseline was saved; ``None`` where nothing is compared.
    what_if
        What each remedy would make of it, from the one that changes least to the one that changes most.
    lines
        Lines to change that train the model in a way that leaks less.
    coins
        Guesses of who is a member, of a number that was fixed beforehand, on which a claimed epsilon is judged; more
        than one where they depend on each other.
    grouped
        Whether records are drawn in groups, so that the most exposed are groups, named by their first records.
    guesses
        Each guess of the selected attack, for `by`.
    columns
        What else the records can be divided by: never part of a report, a pickle or the cache.
    detectable
        The smallest advantage that an audit of this size tells from 0 four times in five; ``None`` where none is.
    controls
        What the controls found; ``None`` where they weren't asked for.
    """

    test: str = ""
    kind: str
    metric: str = "membership_advantage"
    threshold: float | None = None
    verdict: str | None = None
    reasons: tuple[str, ...] = ()
    advantage: Interval
    judged: Interval | None = field(
        metadata=reported_as(lambda audit: {"judged": audit.judged or audit.advantage}), default=None
    )
    attack: str
    attacks: tuple[AttackResult, ...]
    attacker: str = ""
    attackers: tuple[AuditData, ...] = field(
        metadata=reported_as(lambda audit: {"attackers": [_attacker(each) for each in audit.attackers]}), default=()
    )
    change: Change | None = None
    what_if: tuple[RemedyResult, ...] = field(
        metadata=reported_as(lambda audit: {"what_if": audit.what_if, "cheapest": _cheapest(audit)}), default=()
    )
    lines: tuple[str, ...] = ()
    coins: tuple[CoinGuesses, ...] = ()
    detectable: float | None = None
    controls: Controls | None = None
    shadows: int
    models: int
    records: int
    accuracy: Accuracy
    slices: tuple[SliceResult, ...]
    classes: tuple[SliceResult, ...] = ()
    curves: tuple[Curve, ...] = field(metadata=reported_as(lambda audit: {"roc": audit.curves}), default=(), repr=False)
    histogram: Histogram | None = field(default=None, repr=False)
    most_exposed: tuple[Exposure, ...]
    grouped: bool = False
    seed: int
    device: str
    seconds: Seconds
    cache: CacheUse = NO_CACHE
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    message: str = field(default="", repr=False)
    next_steps: tuple[str, ...] = field(default=(), repr=False)
    replay: str = ""
    selected: Counts = field(metadata=UNREPORTED)
    tails: Mapping[str, Selected] = field(metadata=UNREPORTED)
    looks: int = field(metadata=UNREPORTED, default=1)
    shift: float = field(metadata=UNREPORTED, default=0.0)
    inconclusive: str = field(metadata=UNREPORTED, default="fail")
    guesses: Guesses | None = field(metadata=UNREPORTED, default=None, repr=False)
    columns: Columns | None = field(metadata=UNREPORTED, default=None, repr=False, compare=False)

    @property
    def auc(self) -> float:
        """Area under the ROC curve of the selected attack."""
        return next(each.auc for each in self.attacks if each.name == self.attack)

    @property
    def cheapest(self) -> RemedyResult | None:
        """The cheapest remedy that was measured to pass, once the result is judged.

        That is the first, so the one that changes least, of those that cost less than half a percentage point of
        accuracy more than the most accurate one.
        """
        passing = [each for each in self.what_if if each.audit.verdict == "pass"]
        accuracies = [each.audit.accuracy.test or 0.0 for each in passing]
        near = [each for each, test in zip(passing, accuracies, strict=True) if test > max(accuracies) - SAME_ACCURACY]
        return next(iter(near), None)


def _attacker(audit: AuditData) -> dict[str, Any]:
    """One row of the table of attackers, as the JSON report shows it."""
    return {"name": audit.attacker, **_measured(audit)}


def _cheapest(audit: AuditData) -> str | None:
    return None if audit.cheapest is None else audit.cheapest.remedy


def _remedied(audit: AuditData) -> dict[str, Any]:
    """What the JSON report shows of an audit with a remedy."""
    return {**_measured(audit), "accuracy": audit.accuracy}


def _measured(audit: AuditData) -> dict[str, Any]:
    return {
        "verdict": audit.verdict,
        "attack": audit.attack,
        "advantage": audit.advantage,
        "judged": audit.judged or audit.advantage,
        "auc": audit.auc,
    }


Audit = TypeVar("Audit", bound=AuditData)
"""An audit of any class: what judges it gives back one of the same class."""
