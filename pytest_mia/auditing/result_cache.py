"""Results of attacks, stored under a key that covers everything that the attacks see; a verdict is never stored."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from pytest_mia.attacks.observations import Observations
from pytest_mia.auditing.design import AuditDesign
from pytest_mia.cache import content_key, environment
from pytest_mia.cache.store import Entry, Store
from pytest_mia.core.settings import Settings
from pytest_mia.verdicts.audit_result import AuditResult

Naming = Callable[[Sequence[Any]], dict[str, str]]


@dataclass(frozen=True)
class ResultSlot:
    """The place of one result in a store.

    Attributes
    ----------
    store, key
        Where.
    design
        The audit's design, by which the values of slices and classes are named.
    """

    store: Store
    key: str
    design: AuditDesign

    def load(self) -> AuditResult | None:
        """The result, if it is there."""
        entry = self.store.load(self.key)
        if entry is None:
            return None
        try:
            return _rename(revive(AuditResult, entry.words["result"]), self.design, _values)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            self.store.damaged(self.key, str(error))
            return None

    def claim(self) -> AbstractContextManager[bool]:
        """Keep other processes from looking for the same result."""
        return self.store.locked(self.key, wait=math.inf)

    def save(self, result: AuditResult) -> None:
        """Keep the result, without the values of slices and classes: records hold them, so no entry does."""
        named = _rename(result, self.design, _places)
        self.store.save(self.key, Entry({"result": dataclasses.asdict(named)}))


def find_slot(
    store: Store | None, names: Sequence[str], observations: Observations, design: AuditDesign, settings: Settings
) -> ResultSlot | None:
    """The slot of what these attacks find; ``None`` where nothing is kept.

    Parameters
    ----------
    store
        Where it lies, if anywhere.
    names, observations, design, settings
        The attacks, what they run on, and what else decides the result.
    """
    if store is None:
        return None
    try:
        content = tuple(names), observations, design, settings.deciding
        return ResultSlot(store, content_key.hash_content((content, environment.describe_environment())), design)
    except content_key.UnhashableValue as error:
        store.remark(f"the attacks' result is not cached: {error}")
        return None


def revive(kind: Any, words: Any) -> Any:
    """A value of a type, made again from plain JSON values: dataclasses, tuples, mappings and what they hold.

    Raises
    ------
    KeyError, TypeError, ValueError
        When the words don't fit the type.
    """
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        fields: Mapping[str, Any] = _fields(kind)  # type: ignore[arg-type]
        return kind(**{name: revive(inside, words[name]) for name, inside in fields.items()})  # type: ignore[operator]
    if origin is tuple:
        return tuple(revive(inner[0], each) for each in words)
    if origin is types.UnionType:
        return None if words is None else revive(inner[0], words)
    if isinstance(words, dict):
        return {name: revive(inner[1], each) for name, each in words.items()}
    if not isinstance(words, kind):
        raise TypeError(f"{words!r} is no {kind.__name__}")
    return words


@functools.cache
def _fields(kind: type) -> dict[str, Any]:
    """The type of each field of a dataclass."""
    hints = typing.get_type_hints(kind)
    return {row.name: hints[row.name] for row in dataclasses.fields(kind)}


def _rename(result: AuditResult, design: AuditDesign, naming: Naming) -> AuditResult:
    """The result with its classes and its slices' values named in another way."""
    names, classes = {name: naming(column) for name, column in design.slices.items()}, naming(design.classes)
    return dataclasses.replace(
        result,
        slices=tuple(dataclasses.replace(part, value=names[part.by][part.value]) for part in result.slices),
        classes=tuple(dataclasses.replace(part, value=classes[part.value]) for part in result.classes),
    )


def _values(column: Sequence[Any]) -> dict[str, str]:
    """Names of the values of a slice, by their places among them."""
    return {str(place): value for place, value in enumerate(sorted({str(value) for value in column}))}


def _places(column: Sequence[Any]) -> dict[str, str]:
    return {value: place for place, value in _values(column).items()}
