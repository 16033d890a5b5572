"""Log-odds of the truth, exact however sure a model is.

Each comes from the small probabilities themselves, never from 1 - p. Where a probability is exactly zero, or its
logarithm minus infinity, log-odds are infinite. How far off such answers stand is decided where the answers of all
models are known (`settle`): further than any other answer. Until then they are counted beside the finite part, so that
repeated queries can be averaged.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from pytest_mia.core.types import BoolArray, FloatArray, IntArray

LEAST_CERTAIN = -float(np.log(1e-12))
"""Log-odds at which answers that are certain stand at least: those of the probability 1e-12."""
HALF = float(np.log(2.0))
"""What is zero counts as half of the smallest probability that was answered, where that is less."""
SMALLEST_LOSS = 1e-290
"""Below it a sum of losses is the sum of the small probabilities themselves, whose logarithms are exact."""


class Odds(NamedTuple):
    """Log-odds of some records.

    Attributes
    ----------
    values
        The finite part (records,).
    certain
        How often they are infinite (records,): 1 where nothing but the truth is possible, -1 where the truth is
        impossible (or minus the number of labels whose truth is), else 0.
    """

    values: FloatArray
    certain: FloatArray


def split_truth(values: FloatArray, labels: IntArray) -> tuple[FloatArray, BoolArray]:
    """Each record's value of the true class (records,), and which values are those of other classes."""
    rows = np.arange(len(values))
    others = np.ones(values.shape, dtype=bool)
    others[rows, labels] = False
    return values[rows, labels], others


def of_logits(logits: FloatArray, impossible: BoolArray, labels: IntArray, temperature: float) -> Odds:
    """Log-odds of the true class from logits (records, classes), of which some are those of impossible classes."""
    true, others = split_truth(logits, labels)
    rest = special.logsumexp(logits / temperature, axis=1, b=others)
    without, nothing_else = impossible[~others], (impossible | ~others).all(axis=1)
    # Of what is certain only probabilities are left, so logits are set against their sum.
    total = special.logsumexp(logits, axis=1)
    others_alone = np.where(without, total / temperature - rest, true / temperature - rest)
    return Odds(np.where(nothing_else, (true - total) / temperature, others_alone), nothing_else * 1.0 - without)


def of_probabilities(probabilities: FloatArray, labels: IntArray, temperature: float) -> Odds:
    """Log-odds of the true class from probabilities (records, classes), whose rows need not sum to one."""
    powers = probabilities if temperature == 1 else probabilities ** (1 / temperature)
    true, others = split_truth(powers, labels)
    rest = np.where(others, powers, 0.0).sum(axis=1)
    return Odds(_logarithm(true) - _logarithm(rest), (rest == 0) * 1.0 - (true == 0))


def of_labels(values: FloatArray, temperature: float) -> Odds:
    """Log-odds that all labels of a record are as they are, from those (records, labels) of each, also infinite.

    The probability of all is the product of the labels'.
    """
    wrong, known = np.isneginf(values).sum(axis=1), np.isfinite(values)
    scaled = np.where(known, values, 0.0) / temperature
    loss = -np.where(known, special.log_expit(scaled), 0.0).sum(axis=1)
    small = -special.logsumexp(np.where(known, -scaled, -np.inf), axis=1, b=np.where(known.any(axis=1), 1, 0)[:, None])
    odds = np.where(loss < SMALLEST_LOSS, small, -loss - np.log(-np.expm1(-np.maximum(loss, SMALLEST_LOSS))))
    sure = ~known.any(axis=1)
    finite = np.where(wrong > 0, -loss, np.where(sure, -np.log(values.shape[1]), odds))
    return Odds(finite, np.where(wrong > 0, -wrong, sure * 1.0))


def settle(odds: Odds, temperature: float = 1.0) -> FloatArray:
    """Log-odds in which certain answers stand further off than all others: every one of them is finite.

    Parameters
    ----------
    odds
        Log-odds of all answers that are compared, of any shape.
    temperature
        The temperature at which they were computed.
    """
    values, certain = odds
    if not certain.any():
        return values
    furthest = float(np.abs(values).max())
    return np.asarray(values + certain * max(LEAST_CERTAIN / temperature, furthest + HALF / temperature))


def _logarithm(values: FloatArray) -> FloatArray:
    """The logarithm; 0 where there is none."""
    return np.asarray(np.log(np.where(values > 0, values, 1.0)))
