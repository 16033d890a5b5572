"""What audits found when somebody last agreed to it, and the change since then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_mia._version import __version__
from pytest_mia.core.settings import Settings
from pytest_mia.results.values import Change
from pytest_mia.statistics import error_budget
from pytest_mia.statistics.counts import Counts, Interval
from pytest_mia.verdicts.audit_result import AuditResult

DIGITS = 6
SIDES = ("flagged_members", "members", "flagged_nonmembers", "nonmembers")
STRENGTH = ("shadows", "attacks", "queries")
"""Settings that decide how strong an audit is: where they differ, so does what it finds."""


@dataclass(frozen=True)
class SavedAudit:
    """One audit as a baseline keeps it.

    Attributes
    ----------
    kind, attack, records, seed
        As in `AuditResult`.
    counts
        The guesses behind the advantage, from which its interval is made at any confidence.
    confidence
        That of the audit.
    strength
        The settings of these names that were asked for: shadows, attacks, queries.
    version
        The version of this package that made the audit.
    """

    kind: str
    attack: str
    records: int
    seed: int
    counts: Counts
    confidence: float
    strength: Mapping[str, Any]
    version: str = __version__

    @property
    def advantage(self) -> Interval:
        """TPR - FPR, each bound at the audit's confidence by itself."""
        return error_budget.plain_interval(self.counts, self.confidence)

    def differences(self, kind: str, settings: Settings) -> list[str]:
        """Why an audit of this kind, with these settings, is not to be compared with this one."""
        now = _strength(settings)
        found = [f"it is of a {self.kind}, not of a {kind}"] if self.kind != kind else []
        return found + [
            f"it has {name} {_text(self.strength[name])}, not {_text(now[name])}"
            for name in STRENGTH
            if self.strength[name] != now[name]
        ]

    def to_dict(self) -> dict[str, Any]:
        """Built-in types, as the file holds them."""
        shown = {name: round(value, DIGITS) for name, value in self.advantage.to_dict().items() if value is not None}
        sides = {name: list(getattr(self.counts, name)) for name in SIDES}
        return {
            "advantage": shown,
            "attack": self.attack,
            "counts": {**sides, "share": round(self.counts.share, DIGITS)},
            "kind": self.kind,
            "pytest_mia": self.version,
            "records": self.records,
            "seed": self.seed,
            "settings": dict(self.strength),
        }


@dataclass(frozen=True)
class Baseline:
    """What a file holds: audits by the node IDs of their tests."""

    name: str
    audits: Mapping[str, SavedAudit]

    def missing(self, test: str, kind: str, settings: Settings) -> str | None:
        """Why there is nothing to compare a test's audit with, or ``None`` where there is."""
        if test not in self.audits:
            return f"the baseline {self.name} holds no audit of {test}"
        differences = self.audits[test].differences(kind, settings)
        reason = f"the audit of {test} in the baseline {self.name} can't be compared: {'; '.join(differences)}"
        return reason if differences else None

    def change(self, test: str, result: AuditResult, settings: Settings) -> Change:
        """How far the advantage of a test's audit moved, with bounds for it, where the two can be compared.

        Both audits are taken for independent. With one seed they share halves and noise, which makes them alike: the
        bounds are then wider than they need be.
        """
        missing = self.missing(test, result.kind, settings)
        if missing:
            return Change(self.name, None, None, missing)
        before, confidence = self.audits[test], result.advantage.confidence
        moved = error_budget.change_interval(before.counts, result.selected, confidence)
        return Change(self.name, error_budget.plain_interval(before.counts, confidence), moved, _growth(before, result))


def summarise(result: AuditResult, settings: Settings) -> SavedAudit:
    """A result as a baseline keeps it."""
    return SavedAudit(
        result.kind,
        result.attack,
        result.records,
        result.seed,
        result.selected,
        result.advantage.confidence,
        _strength(settings),
    )


def _strength(settings: Settings) -> dict[str, Any]:
    attacks = None if settings.attacks is None else sorted(settings.attacks)
    return {"shadows": settings.shadows, "attacks": attacks, "queries": settings.queries}


def _growth(before: SavedAudit, result: AuditResult) -> str:
    """What else differs, which a reader should know and which forbids no comparison."""
    models = len(before.counts.members), len(result.selected.members)
    parts = [f"records {before.records:,}, now {result.records:,}"] if before.records != result.records else []
    parts += [f"targets {models[0]}, now {models[1]}"] if models[0] != models[1] else []
    parts += [f"pytest-mia {before.version}, now {__version__}"] if before.version != __version__ else []
    return "; ".join(parts)


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else "unset" if value is None else str(value)
