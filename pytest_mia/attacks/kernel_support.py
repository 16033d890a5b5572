"""What the members of a training set say of a record that they do not hold: the part of an answer that others explain.

A model is surer of a record when similar ones of its class were in training, whether or not the record was itself. How
much surer, a cheap model of the same members tells without being trained on the record: kernel ridge regression, whose
answers with each record left out are known in closed form.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import linalg

from pytest_mia.attacks.memo import identify_content
from pytest_mia.attacks.observations import Observations
from pytest_mia.core.seeding import generator_for
from pytest_mia.core.types import BoolArray, FloatArray, IntArray

MOST_VOTERS = 5000
"""Records that may have a say: a system of those among them that are members is solved for each model."""
MOST_PAIRS = 50_000_000
"""Pairs of a record and one that has a say, at the most: their similarities are held in memory."""
MOST_CLASSES = 255
"""Classes beyond it share places."""
RIDGE = 0.3
SHARPNESS = 8.0
COLUMNS = 3


def with_opinions(observations: Observations) -> Observations:
    """The same with the `opinions` of every model's members, if they aren't there yet; it needs the features."""
    if observations.opinions is not None or observations.features is None:
        return observations
    given = observations.features, observations.labels, observations.members, observations.seed
    key = identify_content("opinions", *given)
    found: FloatArray | None = observations.memo.find(key)
    if found is None:
        found = observations.memo.keep(key, opinions(*given))
    return dataclasses.replace(observations, opinions=found)


def opinions(features: FloatArray, labels: IntArray, members: BoolArray, seed: int) -> FloatArray:
    """What each model's members, but for the record itself, say of a record.

    Class indicators are fitted by kernel ridge regression, the kernel Gaussian in standardised features with the mean
    squared distance as its scale. Leaving a member out changes its answer to y_i - alpha_i / (K^-1)_ii (Rasmussen &
    Williams 2006, eq. 5.12); a record's own membership has no influence on what is said of it but by rounding.

    Parameters
    ----------
    features
        The records (records, columns).
    labels
        Class codes (records,).
    members
        Known or guessed memberships (models, records).
    seed
        Chooses who has a say where there are more than `MOST_VOTERS` records.

    Returns
    -------
    FloatArray
        (models, records, 3), in float32: support for the record's class, for the strongest other class, and for all
        other classes together (the soft maximum).
    """
    most = min(MOST_VOTERS, MOST_PAIRS // len(labels))
    voters = np.sort(generator_for(seed, "voters").permutation(len(labels))[:most])
    codes = np.unique(labels, return_inverse=True)[1] % MOST_CLASSES
    targets = np.eye(codes.max() + 1, dtype=np.float32)[codes]
    kernel = _kernel(_standardised(features), voters)
    found = (_support(kernel, voters, targets, row) for row in members)
    return np.stack([_summary(support, codes) for support in found])


def _standardised(features: FloatArray) -> FloatArray:
    spread = features.std(axis=0)
    return np.asarray((features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0), dtype=np.float32)


def _kernel(features: FloatArray, voters: IntArray) -> FloatArray:
    """Similarity (records, voters)."""
    norms = (features**2).sum(axis=1)
    distances = features @ features[voters].T
    distances *= -2
    distances += norms[:, None]
    distances += norms[voters]
    np.maximum(distances, 0, out=distances)
    distances /= -(float(distances.mean(dtype=np.float64)) or 1.0)
    return np.asarray(np.exp(distances, out=distances))


def _support(kernel: FloatArray, voters: IntArray, targets: FloatArray, members: BoolArray) -> FloatArray:
    """What the members among the voters answer for each class (records, classes), a record's own voice left out."""
    voting = np.flatnonzero(members[voters])
    if not len(voting):
        return np.zeros_like(targets)
    rows, columns = voters[voting], kernel[:, voting]
    system = columns[rows]
    system[np.diag_indices_from(system)] += RIDGE
    lower = linalg.cholesky(system, lower=True, overwrite_a=True, check_finite=False)
    weights = linalg.cho_solve((lower, True), targets[rows], check_finite=False)
    root, _ = linalg.lapack.strtri(lower, lower=1)
    support = columns @ weights
    support[rows] = targets[rows] - weights / np.einsum("ij,ij->j", root, root)[:, None]
    return np.asarray(support)


def _summary(support: FloatArray, codes: IntArray) -> FloatArray:
    """Support (records, 3) for the own class, the strongest other, and all others."""
    own = np.take_along_axis(support, codes[:, None], axis=1)[:, 0]
    if support.shape[1] == 1:
        return np.stack([own, own * 0, own * 0], axis=1)
    rest = support.copy()
    np.put_along_axis(rest, codes[:, None], -np.inf, axis=1)
    top = rest.max(axis=1)
    return np.stack([own, top, top + np.log(np.exp(SHARPNESS * (rest - top[:, None])).sum(axis=1)) / SHARPNESS], axis=1)
