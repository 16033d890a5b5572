"""Does a model answer each record by itself, and in the order in which it was asked?

Answers that come back in another order are given to the wrong records, where no attack finds anything: every limit
would be passed. They betray themselves when some of the records are asked about once more, in another order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pytest_mia.core.errors import InvalidAuditError
from pytest_mia.core.seeding import generator_for, seed_for, seeded
from pytest_mia.core.text import counted
from pytest_mia.core.types import BoolArray, FloatArray, IntArray
from pytest_mia.data.containers import as_array, count, take
from pytest_mia.models.answers import Answer, Labels, LogOdds, Residuals, check_answer
from pytest_mia.models.protocol import Adapter

MOST_ASKED = 1000
TOLERANCE = 0.01
"""By how much an answer may differ, as a part of its size where that is above 1: rounding depends on the batch."""
FEWEST_OTHERWISE = 0.01
"""Share of the records that must be answered otherwise."""
BY_CHANCE = 0.3
"""Agreement beyond chance (Cohen's kappa) below which labels are those of other records."""


def check(adapter: Adapter, model: object, X: object, y: object, seed: int) -> None:
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

    def query_rows(records: IntArray, number: int) -> FloatArray:
        part = None if y is None else take(y, records)
        with seeded(seed_for(seed, "order", number)):
            answer = check_answer(adapter.answer(model, take(X, records), part), len(records))
        return _rows(answer, part)

    before = query_rows(straight, 0)
    expected, after = before[places], query_rows(straight[places], 0)
    otherwise = ~_same(expected, after)
    if otherwise.mean() < FEWEST_OTHERWISE:
        return
    permuted = rng.permutation(len(straight))
    times = int(otherwise.sum())
    where = f"the model was asked about {counted(len(places), 'record')} again in another order, and answered {times}"
    if _is_other_order(before[permuted], query_rows(straight[permuted], 1)):
        raise InvalidAuditError(
            f"{where} of them with the answers of other records: answers must come in the order of the records; look "
            "for a data loader that shuffles, a sort, a group-by, or a fixed seed in the code that queries the model"
        )
    if _same(before, query_rows(straight, 1)).all():
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
    return np.nan_to_num(values.reshape(len(values), -1).astype(np.float64), nan=1.0)


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
