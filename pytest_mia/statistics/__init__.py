"""Intervals and sample sizes: pure functions on counts and scores.

Every bound is one-sided and errs with probability `alpha`. TPR and FPR are the shares of members and of non-members
that are flagged, which means that the attack said "member"; the advantage is TPR - FPR.
"""

from pytest_mia.statistics.auc import auc
from pytest_mia.statistics.intervals import (
    COUNTED_TWICE,
    advantage_bounds,
    clopper_pearson,
    difference_bounds,
    mover_bounds,
    rate_bounds,
    rates_bounds,
)
from pytest_mia.statistics.sample_sizes import (
    MOST_RECORDS,
    detectable_advantage,
    least_records,
    least_records_to_pass,
    measurable,
    records_to_leak,
    records_to_pass,
)

__all__ = [
    "COUNTED_TWICE",
    "MOST_RECORDS",
    "advantage_bounds",
    "auc",
    "clopper_pearson",
    "detectable_advantage",
    "difference_bounds",
    "least_records",
    "least_records_to_pass",
    "measurable",
    "mover_bounds",
    "rate_bounds",
    "rates_bounds",
    "records_to_leak",
    "records_to_pass",
]
