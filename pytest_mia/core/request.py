"""What is audited, as it was given, and the attackers that may attack it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class AuditRequest:
    """What is audited: what the fixtures, or the arguments of `pytest_mia.audit`, gave.

    Attributes
    ----------
    model_factory
        A callable without arguments that returns a fresh, untrained model.
    dataset
        The records, in any form that `pytest_mia.data.dataset.as_dataset` takes. For a release it may be missing; where
        it is given, shadows train on its records too.
    training, predict, loss, target, shadow_factory, shadow_dataset, outputs, augment
        As the fixtures ``mia_training``, ``mia_predict``... give them; ``None`` where they were not overridden.
    attacker
        Name of the one attacker that is meant, where the last two hold several.
    """

    model_factory: Callable[[], Any] | None
    dataset: Any
    training: Any = None
    predict: Any = None
    loss: Any = None
    target: Any = None
    shadow_factory: Any = None
    shadow_dataset: Any = None
    outputs: Any = None
    augment: Any = None
    attacker: str = ""

    @property
    def attackers(self) -> tuple[AuditRequest, ...]:
        """The same for each attacker alone; itself, where only one was given."""
        names = next((tuple(given) for given in self._several), ())
        return tuple(replace(self, attacker=name) for name in names) if names and not self.attacker else (self,)

    @property
    def guess(self) -> Any:
        """The attacker's own guess of the factory, or a list of them; ``None`` where the attacker has none."""
        return _pick(self.shadow_factory, self.attacker)

    @property
    def own_records(self) -> Any:
        """The attacker's own records; ``None`` where the attacker has the audited ones."""
        return _pick(self.shadow_dataset, self.attacker)

    @property
    def may_differ(self) -> bool:
        """Whether shadows may answer unlike a released model: where the factory is a guess, or the records are others.

        Other records count only beside an attacker who has the factory and the audited records, and so shows whether
        the factory is that of the model.
        """
        everyone = replace(self, attacker="").attackers
        shown = any(each.guess is None and each.own_records is None for each in everyone)
        return self.guess is not None or (self.own_records is not None and shown)

    @property
    def shadow_factories(self) -> tuple[Any, ...]:
        """The attacker's guesses of the factory; the factory itself by default."""
        guesses = self.model_factory if self.guess is None else self.guess
        return tuple(guesses) if isinstance(guesses, (list, tuple)) else (guesses,)

    @property
    def held(self) -> Mapping[str, Any]:
        """Every attacker's own records by the attacker's name; those of a single attacker without a name."""
        if isinstance(self.shadow_dataset, Mapping):
            return self.shadow_dataset
        names = self.shadow_factory if isinstance(self.shadow_factory, Mapping) else [self.attacker]
        return dict.fromkeys(names, self.shadow_dataset)

    @property
    def problems(self) -> list[str]:
        """What is wrong with the names of the attackers."""
        names = [set(given) for given in self._several]
        if not all(names):
            return ["a mapping of attackers is empty; give at least one"]
        if any(not isinstance(name, str) or not name for each in names for name in each):
            return ["attackers need names, such as mia_shadow_dataset {'insider': ..., 'outsider': ...}"]
        if len(names) > 1 and names[0] != names[1]:
            lacking = ", ".join(sorted(names[0] ^ names[1]))
            return [
                f"mia_shadow_factory and mia_shadow_dataset name different attackers ({lacking}); "
                "give None to an attacker who has none"
            ]
        return []

    @property
    def _several(self) -> list[Mapping[str, Any]]:
        return [given for given in (self.shadow_factory, self.shadow_dataset) if isinstance(given, Mapping)]


def _pick(given: Any, attacker: str) -> Any:
    return given.get(attacker) if isinstance(given, Mapping) else given
