"""From a model's answers to signals: a few numbers per record, all that the attacks need.

Answers are reduced as soon as a model has given them, so memory does not grow with models x records x classes. Every
signal is higher where the model is surer of the true label.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.types import BoolArray, FloatArray, IntArray
from pytest_mia.models.answers import (
    Answer,
    Labels,
    Logits,
    LogOdds,
    Losses,
    Probabilities,
    Residuals,
    TokenLogProbabilities,
)
from pytest_mia.models.digits import digits_of, digits_tell
from pytest_mia.models.log_odds import Odds, of_labels, of_logits, of_probabilities, settle, split_truth

TEMPERATURE = 2.0
SHOWN = 3
SMALLEST_LOG = 1e-30
LOWEST_LOG = float(np.log(np.finfo(np.float64).tiny))
"""What stands for the logarithm of zero in a modified entropy."""
LOSS_FLOOR = 1e-3
SMALLEST_DEVIATION = 1e-6
LOWEST_PERCENTS = (5, 10, 20, 40, 100)
"""Parts of a text's tokens, the least likely ones, over which their log-probabilities are averaged."""
LARGEST = 1e50
"""Logits and losses beyond it, which only float64 can hold, count as this: their squares must be finite too."""


@dataclass(frozen=True)
class Signals:
    """Numbers per record: (records,) for one model, (models, records) once stacked; ``None`` where an answer has none.

    Attributes
    ----------
    correct
        1.0 where the guessed label is the true one, else 0.0.
    confidence
        phi, the log-odds of the true class, log p_y / (1 - p_y) (LiRA, Carlini et al. 2022, section IV-C), or of all
        of a record's labels together; for losses -log of the loss, or minus the loss where losses can be negative; for
        a regression -log of the squared residual; for texts the mean log-probability of their tokens.
    tempered
        The same at temperature 2, which keeps saturated models apart (RMIA, Zarifzadeh et al. 2024).
    modified_entropy
        Minus the modified entropy Mentr (Song & Mittal 2021, eq. 6).
    shown
        The three largest probabilities in falling order, shape (..., records, 3).
    entropy
        Minus the entropy of the probabilities, in nats; it looks at no label (Song & Mittal 2021).
    residual
        What is left of a regression with one output, y - f(x), with its sign; of several outputs, until models are
        stacked, shape (records, outputs).
    lowest, lowest_standardised
        Mean log-probability of the least likely tokens of a text, at each of `LOWEST_PERCENTS`, shape (..., records, 5)
        (Min-K%, Shi et al. 2024); the same with each token's standardised over the vocabulary (Min-K%++, Zhang et al.
        2025).
    noise_robustness
        Share of noisy copies that are answered with the true label, for each level of noise, shape (..., records, 4).
    augmented_correct
        Share of right answers among the record and its augmented copies.
    augmented_confidence
        The confidence, averaged over the record and its augmented copies.
    boundary_distance
        How far the record lies from the decision boundary, 0 where the guessed label is wrong.
    gradient_norm
        Minus the logarithm of the norm of the loss's gradient.
    answered
        Code of the guessed label, -1 where it is none of the dataset's classes; of scores for two classes ``None``,
        since `correct` says it then.
    digits
        How many digits the answer has, as `digits.digits_of` counts them, shape (..., records, 3); ``None`` once models
        are stacked whose answers don't differ in it.
    columns
        Of several outputs of a regression what is left, on one scale; of several labels the log-odds of each; shape
        (..., records, columns).
    certain, augmented_certain
        How often `confidence` and `tempered`, or `augmented_confidence`, are infinite, as `log_odds.Odds` counts it;
        ``None`` once models are stacked, where such answers get their place.
    """

    correct: FloatArray | None = None
    confidence: FloatArray | None = None
    tempered: FloatArray | None = None
    modified_entropy: FloatArray | None = None
    shown: FloatArray | None = None
    entropy: FloatArray | None = None
    residual: FloatArray | None = None
    lowest: FloatArray | None = None
    lowest_standardised: FloatArray | None = None
    noise_robustness: FloatArray | None = None
    augmented_correct: FloatArray | None = None
    augmented_confidence: FloatArray | None = None
    boundary_distance: FloatArray | None = None
    gradient_norm: FloatArray | None = None
    answered: FloatArray | None = None
    digits: FloatArray | None = None
    columns: FloatArray | None = None
    certain: FloatArray | None = None
    augmented_certain: FloatArray | None = None

    def of(self, models: IntArray, records: IntArray) -> Signals:
        """The stacked signals of some models on some records."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        pairs = models[:, None], records
        return Signals(**{name: None if array is None else array[pairs] for name, array in fields.items()})


def signals_of(answer: Answer, labels: IntArray) -> Signals:
    """Reduce one model's answer to signals.

    Parameters
    ----------
    answer
        What the model answered, checked.
    labels
        Class codes (records,) of the true labels; looked at for classes alone.
    """
    match answer:
        case Logits(values):
            return _of_logits(_limited(values), np.isneginf(values), labels, digits_of(values))
        case Probabilities(values):
            return _of_probabilities(values, labels)
        case Labels(codes):
            return Signals(correct=(codes == labels).astype(np.float64), answered=codes.astype(np.float64))
        case Losses(values):
            return Signals(confidence=-_limited(values), digits=digits_of(values[:, None]))
        case Residuals(values, raw=raw):
            return _of_residuals(_limited(values), digits_of(values if raw is None else raw))
        case LogOdds(values, raw=raw):
            return _of_log_odds(values, digits_of(values if raw is None else raw))
        case TokenLogProbabilities():
            return _of_tokens(answer)


def stack(parts: Sequence[Signals], *, losses: bool = False) -> Signals:
    """Signals of several models as one, (models, records); losses get their log scale here, where all are known.

    So do residuals, and those of several outputs are put on one scale, by each output's mean absolute residual.

    Raises
    ------
    MIAUsageError
        When some models answer with scores and others with labels alone.
    """
    stacked = _settled(_joined(parts, np.stack))
    if stacked.residual is not None:
        scaled = _of_regressions(stacked, stacked.residual)
    elif losses and stacked.confidence is not None:
        scaled = dataclasses.replace(stacked, confidence=_log_scale(stacked.confidence))
    else:
        return stacked
    copies = stacked.augmented_confidence
    return scaled if copies is None else dataclasses.replace(scaled, augmented_confidence=_log_scale(copies))


def mean(parts: Sequence[Signals]) -> Signals:
    """Signals averaged over repeated queries: the log-odds are averaged, not the probabilities.

    Of guessed labels it is the most frequent one that counts, and of digits the most.

    Raises
    ------
    MIAUsageError
        When some answers are scores and others labels alone.
    """
    averaged = _joined(parts, lambda values: np.mean(values, axis=0))
    guesses = [part.answered for part in parts if part.answered is not None]
    digits = [part.digits for part in parts if part.digits is not None]
    return dataclasses.replace(
        averaged,
        answered=stats.mode(guesses, axis=0).mode if guesses else None,
        digits=np.max(digits, axis=0) if digits else None,
    )


def merged(first: Signals, second: Signals) -> Signals:
    """The signals of one model from two sources, which have no field in common."""
    fields = {field.name: getattr(second, field.name) for field in dataclasses.fields(second)}
    return dataclasses.replace(first, **{name: array for name, array in fields.items() if array is not None})


def same(first: Signals, second: Signals) -> bool:
    """Whether two models answered exactly alike, as far as their labels and confidences tell."""
    names = ("correct", "confidence", "certain")
    pairs = ((getattr(first, name), getattr(second, name)) for name in names)
    return all(a is b or (a is not None and b is not None and np.array_equal(a, b)) for a, b in pairs)


def _joined(parts: Sequence[Signals], join: Callable[[list[FloatArray]], FloatArray]) -> Signals:
    kinds = ["labels alone" if part.confidence is None else "scores" for part in parts]
    other = next((place for place, kind in enumerate(kinds) if kind != kinds[0]), None)
    if other is not None:
        raise MIAUsageError(
            f"models answer in different ways: the first with {kinds[0]}, number {other} with {kinds[other]}; "
            "give mia_predict, and let it answer in one way for all models"
        )
    fields = {field.name: [getattr(part, field.name) for part in parts] for field in dataclasses.fields(Signals)}
    return Signals(**{name: None if values[0] is None else join(values) for name, values in fields.items()})


def _limited(values: FloatArray) -> FloatArray:
    return np.clip(np.asarray(values, dtype=np.float64), -LARGEST, LARGEST)


def _settled(stacked: Signals) -> Signals:
    """The signals with a place for answers that are certain."""

    def placed(name: str, certain: FloatArray | None, temperature: float = 1.0) -> FloatArray | None:
        values: FloatArray | None = getattr(stacked, name)
        return values if values is None or certain is None else settle(Odds(values, certain), temperature)

    return dataclasses.replace(
        stacked,
        confidence=placed("confidence", stacked.certain),
        tempered=placed("tempered", stacked.certain, TEMPERATURE),
        augmented_confidence=placed("augmented_confidence", stacked.augmented_certain),
        certain=None,
        augmented_certain=None,
        digits=stacked.digits if stacked.digits is not None and digits_tell(stacked.digits) else None,
        columns=None if stacked.columns is None else settle(_limited_odds(stacked.columns)),
    )


def _limited_odds(columns: FloatArray) -> Odds:
    """Log-odds of single labels, of which infinite ones, averaged over queries or not, are at the limit."""
    certain = np.abs(columns) >= LARGEST / 100
    return Odds(np.where(certain, 0.0, columns), np.where(certain, np.sign(columns), 0.0))


def _of_logits(logits: FloatArray, impossible: BoolArray, labels: IntArray, digits: FloatArray) -> Signals:
    phi = of_logits(logits, impossible, labels, 1.0)
    probabilities = special.softmax(logits, axis=1)
    _, others = split_truth(logits, labels)
    odds = phi.values + phi.certain * LARGEST
    log_true = np.maximum(special.log_expit(odds), LOWEST_LOG)
    return Signals(
        correct=(logits.argmax(axis=1) == labels).astype(np.float64),
        confidence=phi.values,
        tempered=of_logits(logits, impossible, labels, TEMPERATURE).values,
        modified_entropy=_minus_modified_entropy(probabilities, others, log_true, special.expit(-odds)),
        shown=_largest(probabilities),
        entropy=-special.entr(probabilities).sum(axis=1),
        answered=_guess(logits),
        digits=digits,
        certain=phi.certain,
    )


def _of_probabilities(values: FloatArray, labels: IntArray) -> Signals:
    # Rounding may leave them a little outside, where no root is defined.
    probabilities = np.clip(np.asarray(values, dtype=np.float64), 0.0, 1.0)
    true, others = split_truth(probabilities, labels)
    phi = of_probabilities(probabilities, labels, 1.0)
    log_true = np.log(np.maximum(true, np.finfo(np.float64).tiny))
    rest = np.where(others, probabilities, 0.0).sum(axis=1)
    return Signals(
        correct=(probabilities.argmax(axis=1) == labels).astype(np.float64),
        confidence=phi.values,
        tempered=of_probabilities(probabilities, labels, TEMPERATURE).values,
        modified_entropy=_minus_modified_entropy(probabilities, others, log_true, rest),
        shown=_largest(probabilities),
        entropy=-special.entr(probabilities).sum(axis=1),
        answered=_guess(probabilities),
        digits=digits_of(values),
        certain=phi.certain,
    )


def _guess(scores: FloatArray) -> FloatArray | None:
    return scores.argmax(axis=1).astype(np.float64) if scores.shape[1] > 2 else None


def _of_residuals(residuals: FloatArray, digits: FloatArray) -> Signals:
    residual = residuals[:, 0] if residuals.shape[1] == 1 else residuals
    return Signals(confidence=-(residuals**2).sum(axis=1), residual=residual, digits=digits)


def _of_regressions(stacked: Signals, residuals: FloatArray) -> Signals:
    """Signals of stacked residuals (models, records), or of several outputs (models, records, outputs)."""
    if residuals.ndim == 2:
        return dataclasses.replace(stacked, confidence=_log_scale(-(residuals**2)))
    scale = np.abs(residuals).mean(axis=(0, 1))
    columns = residuals / np.where(scale > 0, scale, 1.0)
    return dataclasses.replace(
        stacked, confidence=_log_scale(-(columns**2).sum(axis=2)), residual=None, columns=columns
    )


def _of_log_odds(values: FloatArray, digits: FloatArray) -> Signals:
    """All labels of a record as one event."""
    given = np.where(np.isinf(values), values, _limited(values))
    together = of_labels(given, 1.0)
    return Signals(
        correct=np.asarray((given > 0).all(axis=1), dtype=np.float64),
        confidence=together.values,
        tempered=of_labels(given, TEMPERATURE).values,
        digits=digits,
        columns=_limited(values) if values.shape[1] > 1 else None,
        certain=together.certain,
    )


def _of_tokens(answer: TokenLogProbabilities) -> Signals:
    values = _limited(answer.values)
    lowest, standardised = _lowest(values), None
    if answer.means is not None and answer.deviations is not None:
        # A distribution that doesn't vary says nothing of a token.
        varied = np.where(answer.deviations > SMALLEST_DEVIATION, answer.deviations, np.inf)
        standardised = _lowest(np.where(np.isnan(values), np.nan, (values - answer.means) / varied))
    return Signals(confidence=lowest[:, -1], lowest=lowest, lowest_standardised=standardised)


def _lowest(values: FloatArray) -> FloatArray:
    """Means of the smallest values of each row, NaN left out, at each of `LOWEST_PERCENTS`; one value at least."""
    counts = (~np.isnan(values)).sum(axis=1)
    sums = np.cumsum(np.nan_to_num(np.sort(values, axis=1), nan=0.0), axis=1)
    kept = np.maximum(1, np.outer(counts, LOWEST_PERCENTS) // 100)
    return np.asarray(np.take_along_axis(sums, kept - 1, axis=1) / kept)


def _minus_modified_entropy(
    probabilities: FloatArray, others: BoolArray, log_true: FloatArray, rest: FloatArray
) -> FloatArray:
    log_not = np.log(np.maximum(1 - probabilities, SMALLEST_LOG))
    return np.asarray(rest * log_true + np.where(others, probabilities * log_not, 0.0).sum(axis=1))


def _largest(probabilities: FloatArray) -> FloatArray:
    shown = min(SHOWN, probabilities.shape[1])
    largest = -np.sort(-probabilities, axis=1)[:, :shown]
    return np.pad(largest, ((0, 0), (0, SHOWN - shown))).astype(np.float32)


def _log_scale(minus_losses: FloatArray) -> FloatArray:
    """Losses on the scale on which they are nearest to Gaussian, where that is defined: no loss below zero."""
    if minus_losses.max() > 0 or minus_losses.min() == 0:
        return minus_losses
    floor = LOSS_FLOOR * np.median(-minus_losses)
    return np.asarray(-np.log(-minus_losses + max(float(floor), float(np.finfo(np.float64).tiny))))
