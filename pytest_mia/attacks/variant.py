"""Variants of attacks: another attack, run on changed signals or with changed scores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from pytest_mia.attacks.protocol import Attack, Reference, Scored


@dataclass(frozen=True)
class Variant(Scored):
    """An attack that is made of another one, and is described by it.

    Attributes
    ----------
    attack
        The other attack.
    naming, describing
        Its name and its summary, in which ``{}`` stands for those of the other attack.
    """

    attack: Attack
    naming: ClassVar[str] = "{}"
    describing: ClassVar[str] = "{}"

    @cached_property
    def name(self) -> str:
        """The attack's name, changed."""
        return self.naming.format(self.attack.name)

    @cached_property
    def signals(self) -> tuple[str, ...]:
        """The attack's signals."""
        return self.attack.signals

    @cached_property
    def least_shadows(self) -> int:
        """The shadow models that the attack needs."""
        return self.attack.least_shadows

    @cached_property
    def family(self) -> str:
        """The attack's family."""
        return self.attack.family

    @cached_property
    def summary(self) -> str:
        """What the attack does, and what is changed."""
        return self.describing.format(self.attack.summary)

    @cached_property
    def reference(self) -> Reference:
        """Where the attack is published."""
        return self.attack.reference

    @cached_property
    def needs_features(self) -> bool:  # type: ignore[override]
        """Whether the attack uses the records."""
        return self.attack.needs_features

    @cached_property
    def needs_opinions(self) -> bool:  # type: ignore[override]
        """Whether the attack uses opinions."""
        return self.attack.needs_opinions
