"""Training: every model by its own call of the factory, on its own half, with its own seed.

Models are trained here or by the workers of a backend, each with one inner thread, so that the figures are the same
bit for bit whatever the number of workers. A model's answers are reduced to signals where it was trained; the model
itself is dropped unless it is asked for.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_mia import probes, reads
from pytest_mia.answers import Answer, checked
from pytest_mia.arrays import BoolArray, IntArray
from pytest_mia.dataset import take
from pytest_mia.errors import InvalidAuditError, MIAUsageError, ModelTrainingError
from pytest_mia.models import Adapter, adapter_for
from pytest_mia.models.adapter import CannotBatch, Together
from pytest_mia.probes.augment import augmented
from pytest_mia.probes.protocol import Oracle
from pytest_mia.randomness import seed_for, seeded, single_threaded
from pytest_mia.remedies.asker import remedied
from pytest_mia.remedies.protocol import Remedy
from pytest_mia.signals import Signals, mean, merged, signals_of
from pytest_mia.slots import UNCACHED, Cache, Slot

if TYPE_CHECKING:
    from pytest_mia.backends import Backend

Progress = Callable[[int, int, float], None]
"""Told of (models done, models in all, seconds since the start)."""

QUERIES_WHEN_ANSWERS_VARY = 16
QUERIES_WHEN_AUGMENTED = 4
VARIES_BEYOND = 1e-6


@dataclass(frozen=True)
class Data:
    """The records that models are trained on and asked about.

    Attributes
    ----------
    X, y
        Features and labels in the user's own types.
    classes
        The distinct labels in order; empty for models that answer with losses.
    labels
        Class code, or stratum, of each record (records,).
    """

    X: Any
    y: Any
    classes: Any
    labels: IntArray


@dataclass(frozen=True)
class Method:
    """How models are trained and asked.

    Attributes
    ----------
    training, predict, loss
        As the fixtures of these names gave them.
    device
        Where torch models are trained.
    queries
        Queries averaged per record, with `augment` besides the plain one; ``None`` decides it on the first model.
    augment
        As the fixture ``mia_augment`` gave it.
    probes
        Names of the probes that are run on every model; ``None`` decides it on the first model.
    seed
        The audit's seed, from which all models are asked about the same copies.
    remedy
        What is done to the models' answers.
    what_if
        The same methods with a remedy: each model is asked by all of them once it is trained.
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
        """The method that asks with these remedies too."""
        return replace(self, what_if=tuple(replace(self, remedy=remedy, what_if=()) for remedy in remedies))

    def settled(self, first: Trained) -> Method:
        """The method with what was decided on the first model, with and without remedies: queries and probes."""
        what_if = tuple(each.settled(asked) for each, asked in zip(self.what_if, first.what_if, strict=True))
        return replace(self, queries=first.queries, probes=first.probes, what_if=what_if)

    def probing_as(self, released: Trained) -> Method:
        """The method with the probes that were run on the released model, with and without remedies."""
        what_if = tuple(each.probing_as(asked) for each, asked in zip(self.what_if, released.what_if, strict=True))
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
        Its own.
    factory
        Gives it.
    members
        Its records (records,).
    company
        The jobs that are trained as one, this one among them; empty for a model that is trained alone.
    """

    number: int
    seed: int
    factory: Callable[[], Any]
    members: BoolArray
    company: tuple[Job, ...] = ()


Unit = Sequence[tuple[Job, Slot]]
"""What is trained in one go: a job alone, or those of one company that are in no cache, each with its slot."""


@dataclass(frozen=True)
class Trained:
    """What is kept of a trained model.

    Attributes
    ----------
    number
        The model's number in the audit.
    signals
        Its answers on all records, reduced.
    queries
        Queries that were averaged per record.
    probes
        Probes that were run.
    device, description
        Where and how it was trained.
    model
        The model itself, where it was asked for.
    seconds
        What training and asking it took.
    cached
        Whether it was trained by an earlier run, or by another process.
    what_if
        The same model asked with each remedy of the method.
    alone
        Why it was trained alone, though it had company.
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


def train_all(
    jobs: Sequence[Job],
    data: Data,
    method: Method,
    *,
    backend: Backend | None = None,
    progress: Progress | None = None,
    keep_models: bool = False,
    deadline: float = math.inf,
    cache: Cache = UNCACHED,
) -> list[Trained]:
    """Train every model that is in no cache, and ask it about every record.

    The first model is trained in this process: it shows early what is wrong, tells the time that the others will
    take, and whether answers vary. The others follow here, or on the backend where that pays.

    Parameters
    ----------
    jobs
        The models to train.
    data, method
        On what, and how.
    backend
        Trains models at the same time; ``None`` trains all of them in this process.
    progress
        Told before and after each model; models from the cache don't count.
    keep_models
        Keep the models; they are then all trained in this process.
    deadline
        Time, by ``time.perf_counter``, after which no more models are waited for; the first one always is.
    cache
        Where models that were trained before are found, and others are kept.

    Returns
    -------
    list of Trained
        In the order of `jobs`.

    Raises
    ------
    ModelTrainingError
        When the user's code raises; the message holds its traceback.
    InvalidAuditError
        When a model answers with NaN.
    """
    start, tell = time.perf_counter(), progress or _silent
    slot = cache.slots(jobs[:1], method)[0]
    first = slot.load()
    if first is None:
        if backend is not None:
            backend.check(jobs, method)
        tell(0, len(jobs), 0.0)
        train = trainer(jobs[0], data, method, keep_models=keep_models)
        first = slot.obtain(functools.partial(train, jobs[0]), wait=math.inf)
    assert first is not None, "a slot that is waited for without an end gives a model"
    method = method.settled(first)
    slots = cache.slots(jobs[1:], method)
    found = [slot.load() for slot in slots]
    missing = [(job, slot) for job, slot, one in zip(jobs[1:], slots, found, strict=True) if one is None]
    trained = [first, *(one for one in found if one is not None)]
    new = int(not first.cached)
    total = new + len(missing)
    tell(new, total, time.perf_counter() - start)
    sent = backend is not None and not keep_models and backend.suits(first, len(missing))
    parts = _units(missing)
    models = backend.train(parts, data, method) if backend is not None and sent else None
    here = functools.partial(obtained, data=data, method=method, keep_models=keep_models)
    others = _obtained(parts, models, here, deadline)
    while time.perf_counter() < deadline and (one := next(others, None)) is not None:
        trained.append(one)
        new += 1
        tell(new, total, time.perf_counter() - start)
    others.close()
    return sorted(trained, key=lambda one: one.number)


def _units(missing: Unit) -> list[Unit]:
    """Those of one company together; large companies first, so that no worker is left with one at the end."""
    found = itertools.groupby(missing, key=lambda each: [job.number for job in each[0].company] or each[0].number)
    return sorted((list(unit) for _, unit in found), key=len, reverse=True)


def _obtained(
    missing: Sequence[Unit],
    models: Generator[Trained, None, None] | None,
    here: Callable[..., Sequence[Trained]],
    deadline: float,
) -> Generator[Trained, None, None]:
    """Models that a backend trains, or this process; at last those that other processes were training meanwhile."""
    models = models or (one for unit in missing for one in here(unit, wait=0.0))
    done = set()
    with contextlib.closing(models):
        for one in models:
            done.add(one.number)
            yield one
    for unit in missing:
        left = [(job, slot) for job, slot in unit if job.number not in done]
        yield from here(left, wait=max(0.0, deadline - time.perf_counter()))


def obtained(unit: Unit, data: Data, method: Method, *, wait: float, keep_models: bool = False) -> list[Trained]:
    """The models of a unit, each kept in its slot; without those that another process trains just now.

    Parameters
    ----------
    unit
        What to train.
    data, method
        On what, and how.
    wait
        Seconds to wait for another process.
    keep_models
        Keep the models themselves too.
    """
    return _kept(unit, trainer(unit[0][0], data, method, keep_models=keep_models), wait) if unit else []


def _kept(unit: Unit, train: Callable[[Job], Trained], wait: float) -> list[Trained]:
    """Who has the first model has all of them: the others are kept before its slot is let go."""
    if not unit:
        return []
    (job, slot), *rest = unit
    others: list[Trained] = []

    def trained() -> Trained:
        one = train(job)
        with reads.unheard():
            others.extend(_kept(rest, train, 0.0))
        return one

    first = slot.obtain(trained, wait=wait)
    return [] if first is None else [first, *(others or _kept(rest, train, wait))]


def trainer(job: Job, data: Data, method: Method, *, keep_models: bool) -> Callable[[Job], Trained]:
    """Trains the job, and others of its company: all of them when the first one is asked for."""
    if not job.company:
        return functools.partial(train_one, data=data, method=method, keep_model=keep_models)

    @functools.cache
    def together() -> dict[int, Trained]:
        return {one.number: one for one in train_together(job.company, data, method, keep_models=keep_models)}

    return lambda one: together()[one.number]


def train_together(jobs: Sequence[Job], data: Data, method: Method, *, keep_models: bool = False) -> list[Trained]:
    """Train models as one and ask each about every record; one by one where it turns out that they can't be."""
    start = time.perf_counter()
    models: Sequence[Any] = [call_factory(job.factory, job.seed) for job in jobs]
    adapter = method.adapter(models[0], data)
    assert isinstance(adapter.trainer, Together), "jobs have company only where it was found that they can be"
    rows, seeds = [np.flatnonzero(job.members) for job in jobs], [job.seed for job in jobs]
    with seeded(seeds[0]), single_threaded():
        try:
            models = adapter.trainer.fit_together(models, data.X, data.y, rows, seeds)
        except CannotBatch as error:
            alone = (train_one(job, data, method, keep_model=keep_models) for job in jobs)
            return [replace(one, alone=str(error)) for one in alone]
    found = []
    for job, model in zip(jobs, models, strict=True):
        with _named(job), seeded(job.seed), single_threaded():
            trained = _asked(adapter, model, data, method, job.number, job.seed)
        found.append(replace(trained, model=model if keep_models else None))
    seconds = (time.perf_counter() - start) / len(jobs)
    return [replace(one, seconds=seconds) for one in found]


def train_one(job: Job, data: Data, method: Method, *, keep_model: bool = False) -> Trained:
    """Train one model and ask it about every record; the user's global generators stay as they were."""
    start = time.perf_counter()
    with seeded(job.seed), single_threaded(), _named(job):
        model = job.factory()
        adapter = method.adapter(model, data)
        rows = np.flatnonzero(job.members)
        # Once more, for the libraries that the factory was the first to import.
        with single_threaded():
            model = adapter.fit(model, take(data.X, rows), None if data.y is None else take(data.y, rows), job.seed)
            trained = _asked(adapter, model, data, method, job.number, job.seed)
    return replace(trained, model=model if keep_model else None, seconds=time.perf_counter() - start)


@contextlib.contextmanager
def _named(job: Job) -> Iterator[None]:
    """Errors name the model that is trained here, and show the user's own code."""
    try:
        yield
    except (MIAUsageError, InvalidAuditError) as error:
        error.add_note(f"while training model {job.number} (seed {job.seed})")
        raise
    except Exception as error:
        why = " since memory ran out (train fewer models at the same time: --mia-jobs=1)"
        why = why if isinstance(error, MemoryError) else ""
        raise ModelTrainingError(
            _failure(f"model {job.number} (seed {job.seed}) could not be trained{why}", error)
        ) from None


def _asked(adapter: Adapter, model: Any, data: Data, method: Method, number: int, seed: int) -> Trained:
    """A trained model's answers, and those that it would give with each remedy of the method.

    A remedied model is asked as any other is, noisy copies included where its answers are coarse: what it shows is what
    an attacker would see. There is nothing to remedy in labels alone.
    """
    signals, settled = ask(adapter, model, data, method, seed)
    device, description = adapter.device, adapter.description
    plain = Trained(number, signals, settled.queries or 1, device, description, probes=settled.probes or ())
    what_if = [
        plain if signals.confidence is None else _asked(remedied(adapter, remedy), model, data, each, number, seed)
        for each in method.what_if
        if (remedy := each.remedy) is not None
    ]
    return replace(plain, what_if=tuple(what_if))


def ask(adapter: Adapter, model: Any, data: Data, method: Method, seed: int) -> tuple[Signals, Method]:
    """Signals of a trained model on every record, averaged over queries where its answers vary, or copies do.

    Returns
    -------
    Signals, Method
        The signals, and the method with what was decided on this model: its queries and its probes.
    """
    everything = np.arange(len(data.labels))

    def query(number: int, *, changed: bool) -> Answer:
        # Copies, since the user's code may write to them: a model would spoil what the next one is asked.
        X, y = (None if part is None else take(part, everything) for part in (data.X, data.y))
        if changed:
            X = augmented(method.augment, X, seed=method.seed, number=number)
        with seeded(seed_for(seed, "query", number)):
            answer = adapter.answer(model, X, y)
        return checked(answer, len(data.labels))

    def reduced(number: int, *, changed: bool = False) -> Signals:
        return signals_of(query(number, changed=changed), data.labels)

    plain, augments = query(0, changed=False), method.augment is not None
    first = signals_of(plain, data.labels)
    if method.queries is None:
        usual = QUERIES_WHEN_AUGMENTED if augments else 1
        method = replace(method, queries=QUERIES_WHEN_ANSWERS_VARY if _differ(first, reduced(1)) else usual)
    assert method.queries is not None
    others = (reduced(number, changed=augments) for number in range(1, method.queries + augments))
    signals = mean([first, *others])
    if augments:
        signals = replace(signals, correct=first.correct, augmented_correct=signals.correct)
    return _probed(signals, plain, Oracle(adapter, model, data.labels), data, method, seed)


def _probed(
    signals: Signals, plain: Answer, oracle: Oracle, data: Data, method: Method, seed: int
) -> tuple[Signals, Method]:
    """The signals with those of the probes; where nothing was asked for, with those that a plain answer calls for."""
    names = probes.by_default(plain, data.X) if method.probes is None else method.probes
    try:
        found = probes.measure(names, oracle, data.X, seed=method.seed, model_seed=seed)
    except Exception:
        if method.probes is not None:
            raise
        # A model that can't be asked about copies is audited without, as its note says.
        names, found = (), Signals()
    return merged(signals, found), replace(method, probes=names)


def call_factory(factory: Callable[[], Any], seed: int) -> Any:
    """A fresh model, before any is trained; an error in the factory is shown as the user's own.

    Raises
    ------
    ModelTrainingError
        When the factory raises.
    """
    with seeded(seed):
        try:
            return factory()
        except Exception as error:
            raise ModelTrainingError(_failure("the model factory failed", error)) from None


def _silent(_done: int, _total: int, _seconds: float) -> None:
    pass


def _differ(first: Signals, second: Signals) -> bool:
    a, b = (signals.confidence if signals.confidence is not None else signals.correct for signals in (first, second))
    assert a is not None
    assert b is not None
    return bool(np.any(np.abs(a - b) > VARIES_BEYOND * np.maximum(1.0, np.abs(a))))


def _failure(what: str, error: Exception) -> str:
    """One line that says what failed, then the traceback of the user's code without our own frames."""
    ours, told = str(Path(__file__).parent), traceback.TracebackException.from_exception(error)
    frames = [frame for frame in told.stack if not frame.filename.startswith(ours)]
    told.stack = traceback.StackSummary.from_list(frames or told.stack)
    return f"{what}: {type(error).__name__}: {error}\n\n{''.join(told.format())}"


def ask_released(model: Any, data: Data, method: Method, seed: int, *, number: int = 0) -> Trained:
    """An already trained model, asked about every record; `number` is its own in the audit.

    Raises
    ------
    MIAUsageError
        When it can't be asked, or probed, in the way that was asked for.
    ModelTrainingError
        When the model, or the user's way to ask it, raises.
    """
    with single_threaded():
        try:
            adapter = method.adapter(model, data)
            problems = probes.problems(method.probes or (), adapter, model, data.X)
            if problems:
                raise MIAUsageError(problems)
            return _asked(adapter, model, data, method, number, seed_for(seed, "released"))
        except (MIAUsageError, InvalidAuditError):
            raise
        except Exception as error:
            raise ModelTrainingError(_failure("the released model could not be asked", error)) from None
