"""What a run of tests leaves: its audits, each with the place of its test, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class Place(NamedTuple):
    """Where a test stands.

    Attributes
    ----------
    file
        Its file, relative to pytest's root folder.
    line
        The line that failed, or its first one, counted from 1.
    failed
        Whether it failed, rather than passed, was skipped, or was expected to fail.
    """

    file: str
    line: int
    failed: bool


Placed = Sequence[tuple[Mapping[str, Any], Place]]
"""Audits, as `AuditResult.to_dict` gives them, each with the place of its test."""


@dataclass(frozen=True)
class RunOutcome:
    """All that a report of a run shows.

    Attributes
    ----------
    placed
        All audits in the order of their tests, each with its place.
    lost
        What never arrived from the processes that run the tests, in words.
    unheeded
        Which tests passed though their audit did not, in words.
    """

    placed: Placed
    lost: Sequence[str] = ()
    unheeded: Sequence[str] = ()

    @property
    def audits(self) -> list[Mapping[str, Any]]:
        """All audits, without the places."""
        return [audit for audit, _ in self.placed]
