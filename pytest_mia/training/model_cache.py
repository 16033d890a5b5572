"""Models that were trained before: their outputs, under a key that covers everything that could change them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from types import UnionType
from typing import Any

import numpy as np

from pytest_mia.cache import code_watch, content_key, environment, recorder
from pytest_mia.cache.record import UnknownReadsError
from pytest_mia.cache.store import Entry, Store
from pytest_mia.cache.traces import Trace
from pytest_mia.core.types import AnyArray
from pytest_mia.data.records import Data
from pytest_mia.models.signals import Signals
from pytest_mia.models.torch import tensors
from pytest_mia.training.factories import FactoryProbe
from pytest_mia.training.jobs import UNCACHED, Cache, Job, Method, Slot, Trained, Watch

SIGNALS = tuple(row.name for row in dataclasses.fields(Signals))
WORDS: dict[str, type | UnionType] = {
    "queries": int,
    "probes": list,
    "device": str,
    "description": str,
    "seconds": float | int,
    "alone": str,
    "moved": str,
}
"""What is kept of a model besides its signals, each with its type in JSON."""

OTHER_VALUES = (
    "their code reads a value that differs in the cluster's workers, such as an environment variable, a file, or a "
    "changed variable of a module"
)
NOT_CACHED = (code_watch.ChangedCodeError, content_key.UnhashableValue, UnknownReadsError)


@dataclass(frozen=True)
class ModelSlot:
    """The place of one model in a store; it can be sent to another process.

    Attributes
    ----------
    store, key
        The store, and the model's key in it.
    number, records
        The model's number in this audit, and how many records it is queried about.
    code
        The user's code that trains it; it must be the same before and after the training.
    name
        A fingerprint of that code as it was before this process first ran it.
    earlier
        What the models of the same code read that are there already.
    what_if
        The slots of the model's answers with each remedy.
    """

    store: Store
    key: str
    number: int
    records: int
    code: Any
    name: str
    earlier: Trace = field(default_factory=Trace)
    what_if: tuple[ModelSlot, ...] = ()

    def load(self) -> Trained | None:
        """The stored model, unless something that its training read has changed since."""
        entry = self.store.load(self.key)
        what_if = [found for slot in self.what_if if entry is not None and (found := slot.load()) is not None]
        if entry is None or len(what_if) < len(self.what_if):
            return None
        try:
            return self._revive(entry, tuple(what_if))
        except (AttributeError, KeyError, TypeError, ValueError):
            self.store.damaged(self.key, "it holds something else")
            return None

    def _revive(self, entry: Entry, what_if: tuple[Trained, ...]) -> Trained | None:
        words, arrays, trace = entry.words, entry.arrays, Trace.read(entry.words["trace"])
        if not trace.holds():
            return None
        fitting = [len(array) == self.records and _are_numbers(array) for array in arrays.values()]
        fitting += [isinstance(words[name], kind) for name, kind in WORDS.items()]
        fitting += [isinstance(name, str) for name in words["probes"]]
        if not set(SIGNALS).issuperset(arrays) or not all(fitting):
            raise ValueError("these are no signals of this audit")
        details: dict[str, Any] = {name: words[name] for name in WORDS} | {"probes": tuple(words["probes"])}
        return Trained(self.number, Signals(**arrays), **details, cached=True, what_if=what_if, trace=trace)

    def claim(self, *, wait: float) -> AbstractContextManager[bool]:
        """Hold the lock of this model; see `Slot`."""
        return self.store.locked(self.key, wait=wait)

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        """Observe a training: what it reads, and whether the user's code stays as it is; see `Slot`."""
        watch = Watch()
        try:
            code = code_watch.CodeWatch(self.code, self.name)
        except NOT_CACHED as error:
            self._remark(error)
            yield watch
            return
        with recorder.recording(self.name) as record:
            yield watch
        try:
            code.check()
            if watch.doubt or not watch.elsewhere.holds():
                raise UnknownReadsError(watch.doubt or OTHER_VALUES)
            here = record.trace(without=str(self.store.folder)).with_earlier(watch.elsewhere)
            watch.trace = dataclasses.replace(here, values=code.values).with_earlier(self.earlier)
        except NOT_CACHED as error:
            self._remark(error)

    def _remark(self, error: Exception) -> None:
        self.store.remark(f"models are not cached: {error}")

    def save(self, trained: Trained, watch: Watch) -> None:
        """Store a model, and what it answers with each remedy; see `Slot`."""
        if watch.trace is None:
            return
        words = {name: getattr(trained, name) for name in WORDS}
        arrays = {name: array for name in SIGNALS if (array := getattr(trained.signals, name)) is not None}
        for slot, asked in zip(self.what_if, trained.what_if, strict=True):
            slot.save(asked, watch)
        self.store.save(self.key, Entry({**words, "trace": watch.trace.words}, arrays))


def _are_numbers(array: AnyArray) -> bool:
    return array.dtype.kind == "f" and bool(np.isfinite(array).all())


class ModelCache:
    """The slots of an audit's models.

    Parameters
    ----------
    store
        Where models are stored.
    data
        The audit's records.
    factories
        The factories, with fresh models of each.
    """

    def __init__(self, store: Store, data: Data, factories: Sequence[FactoryProbe]) -> None:
        self._store, self._data, self._factories = store, data, factories
        self._codes: dict[Any, _Code] = {}

    def slots(self, jobs: Sequence[Job], method: Method, first: Trained | None = None) -> list[Slot]:
        """The slot of each job; nothing is cached where a factory has no content hash."""
        earlier = Trace() if first is None or first.trace is None else first.trace
        try:
            return [self._slot(job, self._code_of(job.factory, method), method, earlier) for job in jobs]
        except content_key.UnhashableValue as error:
            self._store.remark(f"models are not cached: {error}")
            return [UNCACHED] * len(jobs)

    def _slot(self, job: Job, code: _Code, method: Method, earlier: Trace) -> ModelSlot:
        asked = method.queries, method.probes, method.seed, None if method.remedy is None else repr(method.remedy)
        batch = tuple((each.seed, each.members) for each in job.batch)
        key = content_key.hash_content((code.name, code.rest, job.seed, *asked, job.members, batch))
        what_if = tuple(self._slot(job, code, each, earlier) for each in method.what_if)
        return ModelSlot(
            self._store, key, job.number, len(self._data.labels), code.content, code.name, earlier, what_if
        )

    def _code_of(self, factory: Callable[[], Any], method: Method) -> _Code:
        """The code that trains the models of a factory; its name is that before any of them is trained."""
        place = id(factory), method.device
        if place not in self._codes:
            fresh = next(each.models[-1] for each in self._factories if each.factory is factory)
            content = _code(factory, method)
            device = tensors.device_kind(method.adapter(fresh, self._data).device)
            rest = content_key.hash_content(({"a fresh model": fresh}, device, self._records, self._environment))
            self._codes[place] = _Code(content, code_watch.name_code(content), rest)
        return self._codes[place]

    @functools.cached_property
    def _records(self) -> str:
        data = self._data
        return content_key.hash_content(
            {"mia_dataset": (data.X, data.y), "classes": data.classes, "labels": data.labels}
        )

    @functools.cached_property
    def _environment(self) -> tuple[str, ...]:
        return environment.describe_environment()


def open_model_cache(store: Store | None, data: Data, factories: Sequence[FactoryProbe]) -> Cache:
    """The cache of models of these factories on these records; without a store nothing is kept."""
    return UNCACHED if store is None else ModelCache(store, data, factories)


@dataclass(frozen=True)
class _Code:
    """The user's code that trains models, its name, and a fingerprint of all else that they have in common."""

    content: dict[str, Any]
    name: str
    rest: str


def _code(factory: Callable[[], Any], method: Method) -> dict[str, Any]:
    """All of the user's code on which a model's outputs depend."""
    functions = {"mia_training": method.training, "mia_predict": method.predict, "mia_loss": method.loss}
    return {"mia_model_factory": factory, **functions, "mia_augment": method.augment}
