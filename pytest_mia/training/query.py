"""Querying a trained model about every record, reducing its answers to signals, and checking their order.

Does a model answer each record by itself, and in the order in which it was asked? Answers that come back in another
order are given to the wrong records, where no attack finds anything: every limit would be passed. They betray
themselves when some of the records are asked about once more, in another order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.core.errors import InvalidAuditError, MIAUsageError, ModelTrainingError
from pytest_mia.core.seeding import generator_for, seed_for, seeded, single_threaded
from pytest_mia.core.text import counted
from pytest_mia.core.types import BoolArray, FloatArray, IntArray
from pytest_mia.data.containers import as_array, count, take
from pytest_mia.data.records import Data
from pytest_mia.models.answers import Answer, Labels, LogOdds, Residuals, check_answer
from pytest_mia.models.protocol import Adapter
from pytest_mia.models.queries import registry
from pytest_mia.models.queries.augment import augment_records
from pytest_mia.models.queries.protocol import QueryTarget
from pytest_mia.models.signals import LARGEST, Signals, mean, merged, signals_of
from pytest_mia.models.torch.cuda import memory_ran_out
from pytest_mia.remedies.asker import add_remedy
from pytest_mia.training.failures import attempts, describe_failure
from pytest_mia.training.jobs import Method, Trained

QUERIES_WHEN_ANSWERS_VARY = 16


QUERIES_WHEN_AUGMENTED = 4


VARIES_BEYOND = 1e-6


def query_model(adapter: Adapter, model: Any, data: Data, method: Method, number: int, seed: int) -> Trained:
    """A trained model's answers, and those that it would give with each remedy of the method.

    A remedied model is asked as any other is, noisy copies included where its answers are coarse: what it shows is what
    an attacker would see. There is nothing to remedy in labels alone.
    """
    signals, settled = measure_signals(adapter, model, data, method, seed)
    device, description = adapter.device, adapter.trainer.description
    plain = Trained(number, signals, settled.queries or 1, device, description, probes=settled.probes or ())
    what_if = [
        plain
        if signals.confidence is None
        else query_model(add_remedy(adapter, remedy), model, data, each, number, seed)
        for each in method.what_if
        if (remedy := each.remedy) is not None
    ]
    return replace(plain, what_if=tuple(what_if))


def measure_signals(adapter: Adapter, model: Any, data: Data, method: Method, seed: int) -> tuple[Signals, Method]:
    """Signals of a trained model on every record, averaged over queries where its answers vary.

    What it answers on changed copies stands beside that: an attacker who asks more often is not to find less.

    Returns
    -------
    Signals, Method
        The signals, and the method with what was decided on this model: its queries and its probes.
    """
    everything = np.arange(len(data.labels))

    def answer_once(number: int, *, changed: bool) -> Answer:
        # Copies, since the user's code may write to them: a model would spoil what the next one is asked.
        X, y = (None if part is None else take(part, everything) for part in (data.X, data.y))
        if changed:
            X = augment_records(method.augment, X, seed=method.seed, number=number)
        with seeded(seed_for(seed, "query", number)):
            answer = adapter.asker.answer(model, X, y)
        return check_answer(answer, len(data.labels))

    def reduce_once(number: int, *, changed: bool = False) -> Signals:
        return signals_of(answer_once(number, changed=changed), data.labels)

    plain, augments = answer_once(0, changed=False), method.augment is not None
    first = signals_of(plain, data.labels)
    if method.queries is None:
        usual = QUERIES_WHEN_AUGMENTED if augments else 1
        method = replace(method, queries=QUERIES_WHEN_ANSWERS_VARY if _differ(first, reduce_once(1)) else usual)
    assert method.queries is not None
    again = (reduce_once(number) for number in range(1, method.queries))
    if not augments:
        signals = mean([first, *again])
    else:
        copies = mean([first, *(reduce_once(number, changed=True) for number in range(1, method.queries + 1))])
        signals = mean([first, *again]) if _differ(first, reduce_once(1)) else first
        signals = replace(
            signals,
            augmented_correct=copies.correct,
            augmented_confidence=copies.confidence,
            augmented_certain=copies.certain,
        )
    return _add_probes(signals, plain, QueryTarget(adapter, model, data.labels), data, method, seed)


def describe_queries(one: Trained, method: Method, wanted: int | None) -> tuple[str, ...]:
    """What a report says of how often a model was asked about each record; nothing, where that was once.

    Parameters
    ----------
    one, method
        The model, and how it was asked.
    wanted
        The queries that the user asked for; ``None`` where the model's answers decided.
    """
    varied = wanted is None and one.queries == QUERIES_WHEN_ANSWERS_VARY
    if method.augment is not None:
        so_many = ", because its answers vary" if varied else ""
        copies = counted(one.queries, "changed record")
        return (f"for each record the model was asked about {copies}, made by mia_augment{so_many}",)
    if one.queries == 1:
        return ()
    why = "because the model's answers vary" if varied else "as the setting queries says"
    return (f"the answers to {one.queries} queries per record were averaged, {why}",)


def _add_probes(
    signals: Signals, plain: Answer, oracle: QueryTarget, data: Data, method: Method, seed: int
) -> tuple[Signals, Method]:
    """The signals with those of the probes; where nothing was asked for, with those that a plain answer calls for."""
    names = registry.choose_by_default(plain, data.X) if method.probes is None else method.probes
    try:
        found = registry.measure(names, oracle, data.X, seed=method.seed, model_seed=seed)
    except Exception as error:
        if method.probes is not None or memory_ran_out(error):
            raise
        # A model that can't be asked about copies is audited without, as its note says.
        names, found = (), Signals()
    return merged(signals, found), replace(method, probes=names)


def _differ(first: Signals, second: Signals) -> bool:
    a, b = (signals.confidence if signals.confidence is not None else signals.correct for signals in (first, second))
    assert a is not None
    assert b is not None
    otherwise = first.certain is not None and second.certain is not None and (first.certain != second.certain).any()
    return bool(otherwise or np.any(np.abs(a - b) > VARIES_BEYOND * np.maximum(1.0, np.abs(a))))


def query_released(model: Any, data: Data, method: Method, seed: int, *, number: int = 0) -> Trained:
    """An already trained model, asked about every record; `number` is its own in the audit.

    Raises
    ------
    MIAUsageError
        When it can't be asked, or probed, in the way that was asked for.
    ModelTrainingError
        When the model, or the user's way to ask it, raises.
    """
    own = seed_for(seed, "released")
    with single_threaded():
        try:
            for attempt in attempts(method):
                with attempt:
                    adapter = attempt.method.adapter(model, data)
                    problems = registry.find_problems(attempt.method.probes or (), adapter, model, data.X)
                    if problems:
                        raise MIAUsageError(problems)
                    check_order(adapter, model, data.X, data.y, own)
                    answered = query_model(adapter, model, data, attempt.method, number, own)
                    answered = replace(answered, moved=attempt.moved)
        except (MIAUsageError, InvalidAuditError):
            raise
        except Exception as error:
            raise ModelTrainingError(describe_failure("the released model could not be queried", error)) from None
    return answered


MOST_ASKED = 1000
TOLERANCE = 0.01
"""By how much an answer may differ, as a part of its size where that is above 1: rounding depends on the batch."""
FEWEST_OTHERWISE = 0.01
"""Share of the records that must be answered otherwise."""
BY_CHANCE = 0.3
"""Agreement beyond chance (Cohen's kappa) below which labels are those of other records."""


def query_rows(model: Any, data: Data, rows: IntArray, method: Method, seed: int) -> Signals:
    """Signals of a model on some of the records, queried once without any remedy."""
    with seeded(seed), single_threaded():
        adapter = method.adapter(model, data)
        answer = adapter.asker.answer(model, take(data.X, rows), None if data.y is None else take(data.y, rows))
    return signals_of(check_answer(answer, len(rows)), data.labels[rows])


def check_order(adapter: Adapter, model: object, X: object, y: object, seed: int) -> None:
    """Ask a trained model about half of up to a thousand records in another order.

    Parameters
    ----------
    adapter, model
        Who is asked.
    X, y
        All records, in the user's own types.
    seed
        The model's seed.

    Raises
    ------
    InvalidAuditError
        When answers come in another order, or depend on what else is asked at the same time. Answers that vary by
        themselves are no reason.
    """
    rng = generator_for(seed, "order")
    straight = np.sort(rng.permutation(count(X))[:MOST_ASKED])
    places = rng.permutation(len(straight))[: len(straight) // 2]

    if not len(places):
        return

    def query_part(records: IntArray, number: int) -> FloatArray:
        part = None if y is None else take(y, records)
        with seeded(seed_for(seed, "order", number)):
            answer = check_answer(adapter.asker.answer(model, take(X, records), part), len(records))
        return _rows(answer, part)

    before = query_part(straight, 0)
    expected, after = before[places], query_part(straight[places], 0)
    otherwise = ~_same(expected, after)
    if otherwise.mean() < FEWEST_OTHERWISE:
        return
    permuted = rng.permutation(len(straight))
    times = int(otherwise.sum())
    where = f"the model was asked about {counted(len(places), 'record')} again in another order, and answered {times}"
    if _is_other_order(before[permuted], query_part(straight[permuted], 1)):
        raise InvalidAuditError(
            f"{where} of them with the answers of other records: answers must come in the order of the records; look "
            "for a data loader that shuffles, a sort, a group-by, or a fixed seed in the code that queries the model"
        )
    # Labels that vary seldom may all stay for once; where both orders answer as before, the order decides.
    orders = (before, straight), (after, straight[places])
    if all(_same(answers, query_part(asked, 1)).all() for answers, asked in orders):
        raise InvalidAuditError(
            f"{where} of them differently: its answer on a record depends on the other records of the call, or on the "
            "record's place; query it in evaluation mode (model.eval()), without batch statistics and without noise of "
            "a fixed seed"
        )


def _rows(answer: Answer, y: object) -> FloatArray:
    """An answer as numbers (records, ...), without what is known of the record itself."""
    match answer:
        case Labels(codes):
            values: npt.NDArray[np.generic] = codes
        case Residuals(residuals):
            values = as_array(y).reshape(residuals.shape) - residuals
        case LogOdds(odds):
            values = np.abs(odds)
        case _:
            values = answer.values
    rows = values.reshape(len(values), -1).astype(np.float64)
    return np.nan_to_num(rows, nan=1.0, posinf=LARGEST, neginf=-LARGEST)


def _same(first: FloatArray, second: FloatArray) -> BoolArray:
    """Which records (records,) have the same answer."""
    return np.asarray((np.abs(first - second) <= TOLERANCE * np.maximum(1.0, np.abs(first))).all(axis=1))


def _is_other_order(first: FloatArray, second: FloatArray) -> bool:
    """Whether these are the same answers, given to other records."""
    ordered = [rows[np.lexsort(rows.T)] for rows in (first, second)]
    if not _same(*ordered).all():
        return False
    # A few labels that vary may leave their counts as they were.
    _, shares = np.unique(first, axis=0, return_counts=True)
    chance = float(((shares / len(first)) ** 2).sum())
    return bool(_same(first, second).mean() - chance < BY_CHANCE * (1 - chance))
