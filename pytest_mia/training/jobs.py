"""The models to train, how they are trained and queried, and what is kept of each trained model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from pytest_mia.cache.traces import Trace
from pytest_mia.core.types import BoolArray
from pytest_mia.data.records import Data
from pytest_mia.models.protocol import Adapter
from pytest_mia.models.select import adapter_for
from pytest_mia.models.signals import Signals
from pytest_mia.remedies.protocol import Remedy


@dataclass(frozen=True)
class Method:
    """How models are trained and queried.

    Attributes
    ----------
    training, predict, loss
        What the fixtures ``mia_training``, ``mia_predict`` and ``mia_loss`` gave.
    device
        Where torch models are trained.
    queries
        Queries averaged per record, with `augment` besides the plain one; ``None``: the first model decides.
    augment
        What the fixture ``mia_augment`` gave.
    probes
        Names of the probes that are run on every model; ``None``: the first model decides.
    seed
        The audit's seed. It makes the changed copies, which are the same for all models.
    remedy
        What changes the models' answers; ``None`` for nothing.
    what_if
        The same method with each remedy: every trained model is queried with all of them.
    """

    training: Any
    predict: Any
    loss: Any
    device: str
    queries: int | None
    augment: Any = None
    probes: tuple[str, ...] | None = ()
    seed: int = 0
    remedy: Remedy | None = None
    what_if: tuple[Method, ...] = ()

    def trying(self, remedies: Iterable[Remedy]) -> Method:
        """The method that queries models with these remedies too."""
        return replace(self, what_if=tuple(replace(self, remedy=remedy, what_if=()) for remedy in remedies))

    def settled(self, first: Trained) -> Method:
        """The method with what was decided on the first model: queries, probes, and the CPU where no GPU has room."""
        what_if = tuple(each.settled(answered) for each, answered in zip(self.what_if, first.what_if, strict=True))
        device = first.device if first.moved else self.device
        return replace(self, device=device, queries=first.queries, probes=first.probes, what_if=what_if)

    def probing_as(self, released: Trained) -> Method:
        """The method with the probes that were run on the released model, with and without remedies."""
        what_if = tuple(
            each.probing_as(answered) for each, answered in zip(self.what_if, released.what_if, strict=True)
        )
        return replace(self, probes=released.probes, what_if=what_if)

    def adapter(self, model: Any, data: Data) -> Adapter:
        """The adapter for a model of this audit, without any remedy."""
        return adapter_for(
            model,
            classes=data.classes,
            training=self.training,
            predict=self.predict,
            loss=self.loss,
            device=self.device,
        )


@dataclass(frozen=True)
class Job:
    """One model to train.

    Attributes
    ----------
    number, seed
        The number and the seed of the model.
    factory
        The function that makes the model.
    members
        Which records it is trained on (records,).
    batch
        The jobs that are trained as one, this one included; empty for a model that is trained alone.
    """

    number: int
    seed: int
    factory: Callable[[], Any]
    members: BoolArray
    batch: tuple[Job, ...] = ()


@dataclass(frozen=True)
class Trained:
    """What is kept of a trained model.

    Attributes
    ----------
    number
        The model's number in the audit.
    signals
        Its answers on all records, reduced to signals.
    queries
        Queries that were averaged per record.
    probes
        Probes that were run.
    device, description
        Where and how it was trained.
    model
        The model itself, where models are kept; otherwise ``None``.
    seconds
        How long training and querying it took.
    cached
        Whether it was trained by an earlier run, or by another process.
    what_if
        The same model, queried with each remedy of the method.
    alone
        Why it was not trained with the whole of its batch; empty where it was.
    moved
        Why it ran on the CPU although the method names a GPU; empty where it did not.
    trace
        What its training read, where that is known.
    """

    number: int
    signals: Signals
    queries: int
    device: str
    description: str
    model: Any = None
    seconds: float = 0.0
    cached: bool = False
    probes: tuple[str, ...] = ()
    what_if: tuple[Trained, ...] = ()
    alone: str = ""
    moved: str = ""
    trace: Trace | None = None


@dataclass
class Watch:
    """What is known of a training that was watched.

    Attributes
    ----------
    trace
        What the training read; ``None`` where its models must not be kept.
    elsewhere
        What another machine read for it; it must be the same here.
    doubt
        Why more may have been read there; empty where all is known.
    """

    trace: Trace | None = None
    elsewhere: Trace = field(default_factory=Trace)
    doubt: str = ""


class Slot(Protocol):
    """The place of one model in a cache; it can be sent to another process.

    A process claims the slot, loads the model, and where there is none trains one under `watch` and saves it.

    Attributes
    ----------
    name
        Names the code that trains the model; empty where nothing is kept.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    def load(self) -> Trained | None:
        """The model, if it is there."""
        ...

    def claim(self, *, wait: float) -> contextlib.AbstractContextManager[bool]:
        """Keep other processes from training this model.

        The context's value is False where another process still trains it after `wait` seconds.
        """
        ...

    def watch(self) -> contextlib.AbstractContextManager[Watch]:
        """Observe what is read while the model is trained inside."""
        ...

    def save(self, trained: Trained, watch: Watch) -> None:
        """Keep a model that was trained under `watch`, unless that says that it must not be kept."""
        ...


class Cache(Protocol):
    """The slots of an audit's models."""

    def slots(self, jobs: Sequence[Job], method: Method, first: Trained | None = None) -> Sequence[Slot]:
        """The slot of each job; what the first model read counts for all."""
        ...


class Uncached:
    """A cache, and a slot, that keeps nothing."""

    name = ""

    def load(self) -> Trained | None:
        """Nothing."""

    def claim(self, *, wait: float) -> contextlib.AbstractContextManager[bool]:  # noqa: ARG002 - no other process trains it
        """Always held."""
        return contextlib.nullcontext(True)

    def watch(self) -> contextlib.AbstractContextManager[Watch]:
        """Nothing is observed."""
        return contextlib.nullcontext(Watch())

    def save(self, trained: Trained, watch: Watch) -> None:
        """Nothing is kept."""

    def slots(self, jobs: Sequence[Job], *_: object) -> Sequence[Slot]:
        """The same slot for each job."""
        return [self] * len(jobs)


UNCACHED = Uncached()

Unit = Sequence[tuple[Job, Slot]]
"""What is trained in one go: one job, or the jobs of one batch that are in no cache, each with its slot."""
