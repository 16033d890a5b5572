"""What a validity check is given, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from pytest_mia.attacks.observations import Observations


@dataclass(frozen=True)
class CheckResult:
    """What validity checks say of an audit.

    Attributes
    ----------
    findings
        Why the audit can't answer the question; each makes it invalid.
    notes
        What a reader of its result must know.
    """

    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


NOTHING = CheckResult()
"""What a check says that doesn't concern an audit, or finds nothing."""


@dataclass(frozen=True)
class Release:
    """A released model beside its shadows.

    Attributes
    ----------
    model
        The released model.
    fresh
        A fresh model of the shadows' factory; ``None`` where there is none.
    may_differ
        Whether the shadows may answer unlike it, as those of a guessed factory do.
    other_records
        Whether shadows were trained on an attacker's own records.
    """

    model: Any
    fresh: Any = None
    may_differ: bool = False
    other_records: bool = False


@dataclass(frozen=True)
class ObservedAudit:
    """An audit whose models have answered.

    Attributes
    ----------
    observations
        What attacks see.
    release
        The released model; ``None`` where a recipe is audited.
    drawn_elsewhere
        Whether memberships were drawn by the user, rather than by this plugin.
    """

    observations: Observations
    release: Release | None = None
    drawn_elsewhere: bool = False


class ObservationCheck(Protocol):
    """A check of what models answered."""

    def __call__(self, audit: ObservedAudit) -> CheckResult:
        """What it says of this audit; nothing where it doesn't concern it."""
        ...
