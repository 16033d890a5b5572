"""How well scores tell members from others, over all thresholds."""

from __future__ import annotations

import numpy as np

from pytest_mia.core.types import BoolArray, FloatArray


def auc(scores: FloatArray, members: BoolArray) -> float:
    """Area under the ROC curve: the probability that a member scores above a non-member, where a tie counts half.

    Parameters
    ----------
    scores : (records,)
        Higher means "member"; infinities are ordered like other numbers.
    members : (records,)
        Who is one.

    Returns
    -------
    float
        0.5 when there are no members, or members only.

    Raises
    ------
    ValueError
        When a score is NaN or the shapes differ.
    """
    if scores.shape != members.shape or scores.ndim != 1:
        raise ValueError(f"scores and members must have one entry per record, got {scores.shape} and {members.shape}")
    inside, outside = np.sort(scores[members]), np.sort(scores[~members])
    if np.isnan(inside[-1:]).any() or np.isnan(outside[-1:]).any():
        raise ValueError(f"{np.isnan(scores).sum()} scores are NaN")
    if not len(inside) or not len(outside):
        return 0.5
    # Whole numbers, so that neither the order of the records nor that of the sum can be seen in the last digit.
    twice_won = sum(int(np.searchsorted(outside, inside, side).sum()) for side in ("left", "right"))
    return twice_won / (2 * len(inside) * len(outside))
