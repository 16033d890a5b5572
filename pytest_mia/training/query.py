"""Asking a trained model about every record, and reducing its answers to signals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pytest_mia.core.errors import InvalidAuditError, MIAUsageError, ModelTrainingError
from pytest_mia.core.seeding import seed_for, seeded, single_threaded
from pytest_mia.core.text import counted
from pytest_mia.data.containers import take
from pytest_mia.data.records import Data
from pytest_mia.models.answers import Answer, check_answer
from pytest_mia.models.protocol import Adapter
from pytest_mia.models.queries import registry
from pytest_mia.models.queries.augment import augment_records
from pytest_mia.models.queries.protocol import QueryTarget
from pytest_mia.models.signals import Signals, mean, merged, signals_of
from pytest_mia.models.torch.cuda import memory_ran_out
from pytest_mia.remedies.asker import add_remedy
from pytest_mia.training import answer_order
from pytest_mia.training.jobs import Method, Trained
from pytest_mia.training.out_of_memory import attempts
from pytest_mia.training.user_errors import describe_failure

QUERIES_WHEN_ANSWERS_VARY = 16


QUERIES_WHEN_AUGMENTED = 4


VARIES_BEYOND = 1e-6


def query_model(adapter: Adapter, model: Any, data: Data, method: Method, number: int, seed: int) -> Trained:
    """A trained model's answers, and those that it would give with each remedy of the method.

    A remedied model is asked as any other is, noisy copies included where its answers are coarse: what it shows is what
    an attacker would see. There is nothing to remedy in labels alone.
    """
    signals, settled = measure_signals(adapter, model, data, method, seed)
    device, description = adapter.device, adapter.description
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
            answer = adapter.answer(model, X, y)
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
        signals = replace(signals, augmented_correct=copies.correct, augmented_confidence=copies.confidence)
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
    return bool(np.any(np.abs(a - b) > VARIES_BEYOND * np.maximum(1.0, np.abs(a))))


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
                    answer_order.check(adapter, model, data.X, data.y, own)
                    answered = query_model(adapter, model, data, attempt.method, number, own)
                    answered = replace(answered, moved=attempt.moved)
        except (MIAUsageError, InvalidAuditError):
            raise
        except Exception as error:
            raise ModelTrainingError(describe_failure("the released model could not be queried", error)) from None
    return answered
