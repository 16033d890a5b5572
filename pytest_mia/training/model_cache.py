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

from pytest_mia.cache import content_key, environment, file_reads
from pytest_mia.cache.store import Entry, Store
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

CHANGES = (
    "models are not cached: a value that their factory or training reads changes while they are trained; if one of "
    "these functions imports a module, move the import to the top of the file"
)


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
    files
        Digests of the files that were read already.
    what_if
        The slots of the model's answers with each remedy.
    """

    store: Store
    key: str
    number: int
    records: int
    code: Any
    files: dict[str, str] = field(default_factory=dict)
    what_if: tuple[ModelSlot, ...] = ()

    def load(self) -> Trained | None:
        """The stored model, unless a file that its training read has changed since."""
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
        words, arrays = entry.words, entry.arrays
        if any(self._digest(path) != digest for path, digest in words["files"].items()):
            return None
        fitting = [len(array) == self.records and _are_numbers(array) for array in arrays.values()]
        fitting += [isinstance(words[name], kind) for name, kind in WORDS.items()]
        fitting += [isinstance(name, str) for name in words["probes"]]
        if not set(SIGNALS).issuperset(arrays) or not all(fitting):
            raise ValueError("these are no signals of this audit")
        details: dict[str, Any] = {name: words[name] for name in WORDS} | {"probes": tuple(words["probes"])}
        return Trained(self.number, Signals(**arrays), **details, cached=True, what_if=what_if)

    def claim(self, *, wait: float) -> AbstractContextManager[bool]:
        """Hold the lock of this model; see `Slot`."""
        return self.store.locked(self.key, wait=wait)

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        """Observe a training: which files it reads, and whether the user's code stays as it is; see `Slot`."""
        before, watch = content_key.try_hash_content(self.code), Watch()
        with watch_user_code():
            yield watch
        if content_key.try_hash_content(self.code) != before:
            self.store.remark(CHANGES)
            return
        try:
            watch.files = file_reads.digest_files_read(without=str(self.store.folder))
        except file_reads.ChangedError as error:
            self.store.remark(f"models are not cached: {error} was changed while they were trained")
        except file_reads.UnknownReadsError as error:
            self.store.remark(f"models are not cached: {error}")

    def save(self, trained: Trained, watch: Watch) -> None:
        """Store a model, and what it answers with each remedy; see `Slot`."""
        if watch.files is None:
            return
        words = {name: getattr(trained, name) for name in WORDS}
        arrays = {name: array for name in SIGNALS if (array := getattr(trained.signals, name)) is not None}
        for slot, asked in zip(self.what_if, trained.what_if, strict=True):
            slot.save(asked, watch)
        self.store.save(self.key, Entry({**words, "files": dict(watch.files)}, arrays))

    def _digest(self, path: str) -> str:
        if path not in self.files:
            self.files[path] = file_reads.digest_file(path)
        return self.files[path]


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

    def slots(self, jobs: Sequence[Job], method: Method) -> list[Slot]:
        """The slot of each job; nothing is cached where a factory has no content hash."""
        files: dict[str, str] = {}
        used = {id(job.factory) for job in jobs}
        try:
            names = {id(each.factory): self._name(each, method) for each in self._factories if id(each.factory) in used}
            return [self._slot(job, names[id(job.factory)], method, files) for job in jobs]
        except content_key.UnhashableValue as error:
            self._store.remark(f"models are not cached: {error}")
            return [UNCACHED] * len(jobs)

    def _slot(self, job: Job, name: str, method: Method, files: dict[str, str]) -> ModelSlot:
        asked = method.queries, method.probes, method.seed, None if method.remedy is None else repr(method.remedy)
        batch = tuple((each.seed, each.members) for each in job.batch)
        key = content_key.hash_content((name, job.seed, *asked, job.members, batch))
        records, code = len(self._data.labels), _code(job.factory, method)
        what_if = tuple(self._slot(job, name, each, files) for each in method.what_if)
        return ModelSlot(self._store, key, job.number, records, code, files, what_if)

    def _name(self, tried: FactoryProbe, method: Method) -> str:
        """A fingerprint of all that the models of a factory have in common."""
        fresh = tried.models[-1]
        device = tensors.device_kind(method.adapter(fresh, self._data).device)
        code = _code(tried.factory, method), {"a fresh model": fresh}
        return content_key.hash_content((code, device, self._records, self._environment))

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


@contextmanager
def watch_user_code() -> Iterator[None]:
    """Run the user's code in this context: it notes the files it reads, the modules it loads, the values it keeps."""
    with content_key.ignoring_what_training_loads(), file_reads.recording():
        yield


def _code(factory: Callable[[], Any], method: Method) -> dict[str, Any]:
    """All of the user's code on which a model's outputs depend."""
    functions = {"mia_training": method.training, "mia_predict": method.predict, "mia_loss": method.loss}
    return {"mia_model_factory": factory, **functions, "mia_augment": method.augment}
