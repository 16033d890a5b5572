"""Where scores stand among others."""

from __future__ import annotations

import numpy as np

from pytest_mia.core.types import FloatArray


def rank_within_rows(scores: FloatArray) -> FloatArray:
    """Rank of each score among all of its row (..., scores), from 0 to 1, ties in the middle."""
    count = scores.shape[-1]
    found = np.empty(scores.shape)
    for row in np.ndindex(scores.shape[:-1]):
        order = np.argsort(scores[row])
        arranged = scores[row][order]
        edges = np.concatenate([[0], np.flatnonzero(arranged[1:] != arranged[:-1]) + 1, [count]])
        found[row][order] = np.repeat((edges[:-1] + edges[1:]) / 2, np.diff(edges)) / count
    return found


def weight_below(scores: FloatArray, weights: FloatArray) -> FloatArray:
    """Weight of a row's scores (..., scores) that are below each of them; of those that tie with it, half."""
    order = np.argsort(scores, axis=-1)
    arranged, weight = np.take_along_axis(scores, order, -1), np.take_along_axis(weights, order, -1)
    starts = np.ones(scores.shape, dtype=bool)
    starts[..., 1:] = arranged[..., 1:] != arranged[..., :-1]
    first = np.flatnonzero(starts)
    last = np.append(first[1:], scores.size)[: len(first)] - 1
    passed = weight.cumsum(axis=-1)
    middle = (passed.flat[first] - weight.flat[first] + passed.flat[last]) / 2
    found = np.empty(scores.shape)
    np.put_along_axis(found, order, middle[starts.cumsum() - 1].reshape(scores.shape), -1)
    return found
