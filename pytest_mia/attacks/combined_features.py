"""All that is known of an answer, as columns: what the combined attack weighs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from pytest_mia.attacks.likelihood_ratios import compare_predictives, log_normal, shared_variance
from pytest_mia.attacks.moments import Moments, mean_outside, means
from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.probability_ratios import PROBABILITIES, logarithm, offline_reference
from pytest_mia.core.types import FloatArray, IntArray

OFFLINE = (0.3, 0.9)
CALIBRATED = ("confidence", "tempered", "augmented_confidence")
"""Signals that are set against the shadows' rather than shown as they are."""
APART = ("certain", "augmented_certain", "answered", "digits", "columns")
"""Signals that are part of others, or that attacks of their own look at."""
LARGEST = 1e30
"""Where evidence is cut off, so that it stays finite in float32."""


def evidence(observations: Observations, models: IntArray) -> FloatArray:
    """Columns of evidence on some models, each attacked with all references but itself.

    Parameters
    ----------
    observations
        What the attacker sees.
    models
        Rows of the models.

    Returns
    -------
    FloatArray
        (models, records, columns), in float32: log-odds, plain and free of their class's level, with what single
        attacks make of them; expected levels and spreads of the shadows; relative probabilities; what else was shown.
    """
    columns = [_log_odds, _relative, _shown]
    parts = zip(*(column(observations, models) for column in columns), strict=True)
    stacked = (np.column_stack([each for part in row for each in part]) for row in parts)
    found = np.stack([np.clip(each, -LARGEST, LARGEST).astype(np.float32) for each in stacked])
    phi = observations.signal("confidence")
    # Where all models answer alike, how many shadows had a record is all that would be left, and tells nothing.
    return np.zeros_like(found) if (phi == phi[:1]).all() else found


def _log_odds(observations: Observations, models: IntArray) -> Iterator[list[FloatArray]]:
    phi, level_free = (each.signal("confidence") for each in (observations, observations.centre_by_class()))
    copies = observations.signals.augmented_confidence
    given = [(each, observations.moments(each)) for each in (phi, level_free, copies) if each is not None]
    for model in models:
        inside, outside = given[0][1].without(model)
        expected = means(inside, outside)
        spreads = [np.sqrt(side.squares / np.maximum(side.count, 1)) for side in (inside, outside)]
        yield [
            *(column for values, moments in given for column in _calibrated(values[model], moments, model)),
            *expected,
            expected[0] - expected[1],
            *spreads,
        ]


def _calibrated(values: FloatArray, moments: Moments, model: int) -> list[FloatArray]:
    """A signal, and what LiRA, NIG-t and MAST make of it."""
    inside, outside = moments.without(model)
    mean_in, mean_out = means(inside, outside)
    var_in, var_out = (shared_variance(values, side) for side in (inside, outside))
    return [
        values,
        values - mean_in,
        values - mean_out,
        values - (mean_in + mean_out) / 2,
        (values - mean_out) / np.sqrt(var_out),
        log_normal(values, mean_in, var_in) - log_normal(values, mean_out, var_out),
        compare_predictives(values, inside, outside),
    ]


def _relative(observations: Observations, models: IntArray) -> Iterator[list[FloatArray]]:
    """Probabilities against the shadows', as RMIA and BASE compare them, at temperatures 1 and 2."""
    signals = observations.signals
    given = [
        observations.transformed(each.signal, each.transform)
        for each in reversed(PROBABILITIES)
        if getattr(signals, each.signal) is not None
    ]
    moments = [observations.moments(each) for each in given]
    for model in models:
        found: list[FloatArray] = []
        for values, each in zip(given, moments, strict=True):
            inside, outside = each.without(model)
            mean_in, mean_out = means(inside, outside)
            expected = mean_outside(outside)
            references = [(mean_in + mean_out) / 2, *(offline_reference(expected, a) for a in OFFLINE)]
            found += [logarithm(values[model]) - logarithm(reference) for reference in references]
        yield found


def _shown(observations: Observations, models: IntArray) -> Iterator[list[FloatArray]]:
    """Every other number of the answer as it is."""
    signals = observations.signals
    given = [
        array
        for field in dataclasses.fields(signals)
        if field.name not in (*CALIBRATED, *APART) and (array := getattr(signals, field.name)) is not None
    ]
    for model in models:
        yield [each[model] for each in given]
