"""What of an audit's design decides how its attacks' figures are summed up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_mia.core.types import BoolArray


@dataclass(frozen=True)
class AuditDesign:
    """The design of an audit, besides what its models answered; most attributes are as in `AuditResult`.

    Attributes
    ----------
    kind, shadows, models, looks, shift
        As there.
    audited
        How many records are audited; they are the first ones.
    slices
        Values of each slice on the audited records.
    classes
        Class of each audited record; empty where there are none.
    copied
        Whether each audited record has copies, which are drawn together with it; ``None`` where none has.
    """

    kind: str
    audited: int
    shadows: int
    models: int
    looks: int = 1
    shift: float = 0.0
    slices: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    classes: Sequence[Any] = ()
    copied: BoolArray | None = None
