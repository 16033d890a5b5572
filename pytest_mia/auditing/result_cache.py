"""What attacks found before, under a key that covers everything that they see; a verdict is never stored."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_mia.attacks.observations import Observations
from pytest_mia.auditing.summary import Context
from pytest_mia.cache import content_key, environment
from pytest_mia.cache.store import Entry, Store
from pytest_mia.core.settings import Settings
from pytest_mia.results.audit_data import NO_CACHE
from pytest_mia.results.values import Seconds
from pytest_mia.verdicts.audit_result import AuditResult

Naming = Callable[[Sequence[Any]], dict[str, str]]


def obtain(
    store: Store,
    names: tuple[str, ...],
    observations: Observations,
    context: Context,
    settings: Settings,
    find: Callable[[], AuditResult],
) -> AuditResult:
    """The result from the store; otherwise found here, and stored.

    Parameters
    ----------
    store
        Where it lies.
    names, observations, context, settings
        The attacks, what they run on, and what else the result says.
    find
        Finds it.
    """
    try:
        content = names, observations, _deciding(context), _deciding_settings(settings)
        key = content_key.hash_content((content, environment.describe_environment()))
    except content_key.UnhashableValue as error:
        store.remark(f"the attacks' result is not cached: {error}")
        return find()
    found = _load(store, key, context)
    if found is None:
        with store.locked(key, wait=math.inf):
            found = _load(store, key, context) or _found(store, key, context, find)
    return dataclasses.replace(found, **_said(context, settings))


def revived(kind: Any, words: Any) -> Any:
    """Plain words, as JSON has them, as a value of a type again: dataclasses, tuples, mappings and what they hold.

    Raises
    ------
    KeyError, TypeError, ValueError
        When the words don't fit the type.
    """
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        fields: Mapping[str, Any] = _fields(kind)  # type: ignore[arg-type]
        return kind(**{name: revived(inside, words[name]) for name, inside in fields.items()})  # type: ignore[operator]
    if origin is tuple:
        return tuple(revived(inner[0], each) for each in words)
    if origin is types.UnionType:
        return None if words is None else revived(inner[0], words)
    if isinstance(words, dict):
        return {name: revived(inner[1], each) for name, each in words.items()}
    if not isinstance(words, kind):
        raise TypeError(f"{words!r} is no {kind.__name__}")
    return words


@functools.cache
def _fields(kind: type) -> dict[str, Any]:
    """The type of each field of a dataclass."""
    hints = typing.get_type_hints(kind)
    return {row.name: hints[row.name] for row in dataclasses.fields(kind)}


def _deciding(context: Context) -> Context:
    """What of the context decides what is found."""
    return dataclasses.replace(
        context, device="", findings=(), notes=(), replay="", training_seconds=0.0, cache=NO_CACHE, columns=None
    )


def _deciding_settings(settings: Settings) -> Settings:
    """What of the settings decides what is found; the attacks are named by themselves."""
    return dataclasses.replace(
        settings,
        device="auto",
        attacks=None,
        inconclusive="fail",
        queries=None,
        jobs=None,
        cache="use",
        time_limit=None,
        what_if="off",
        controls=False,
    )


def _said(context: Context, settings: Settings) -> dict[str, Any]:
    """What a result says of its own audit."""
    return {
        "device": context.device,
        "seconds": Seconds(context.training_seconds, 0.0),
        "findings": context.findings,
        "notes": context.notes,
        "replay": context.replay,
        "cache": context.cache,
        "columns": context.columns,
        "inconclusive": settings.inconclusive,
    }


def _found(store: Store, key: str, context: Context, find: Callable[[], AuditResult]) -> AuditResult:
    found = find()
    kept = dataclasses.replace(_renamed(found, context, _places), **_said(_deciding(context), Settings()))
    store.save(key, Entry({"result": dataclasses.asdict(kept)}))
    return found


def _load(store: Store, key: str, context: Context) -> AuditResult | None:
    entry = store.load(key)
    if entry is None:
        return None
    try:
        return _renamed(revived(AuditResult, entry.words["result"]), context, _values)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        store.damaged(key, str(error))
        return None


def _renamed(result: AuditResult, context: Context, naming: Naming) -> AuditResult:
    """The result with its classes and its slices' values named in another way: records hold them, so no entry does."""
    names, classes = {name: naming(column) for name, column in context.slices.items()}, naming(context.classes)
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
