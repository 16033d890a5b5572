"""Bounds, sample sizes, epsilon: pure functions of counts and scores. Imports `core` alone.

Every bound is one-sided and errs with probability `alpha`. TPR and FPR are the shares of members and of non-members
that are flagged, which means that the attack said "member"; the advantage is TPR - FPR.

The public names are loaded when they are first used: counts are read where no bound is computed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_mia.statistics.intervals import (
        COUNTED_TWICE,
        advantage_bounds,
        clopper_pearson,
        difference_bounds,
        mover_bounds,
        rate_bounds,
        rates_bounds,
    )
    from pytest_mia.statistics.roc_area import auc
    from pytest_mia.statistics.sample_sizes import (
        MOST_RECORDS,
        detectable_advantage,
        least_records,
        least_records_to_pass,
        measurable,
        records_to_leak,
        records_to_pass,
    )

_HOMES = {
    "COUNTED_TWICE": "intervals",
    "MOST_RECORDS": "sample_sizes",
    "advantage_bounds": "intervals",
    "auc": "roc_area",
    "clopper_pearson": "intervals",
    "detectable_advantage": "sample_sizes",
    "difference_bounds": "intervals",
    "least_records": "sample_sizes",
    "least_records_to_pass": "sample_sizes",
    "measurable": "sample_sizes",
    "mover_bounds": "intervals",
    "rate_bounds": "intervals",
    "rates_bounds": "intervals",
    "records_to_leak": "sample_sizes",
    "records_to_pass": "sample_sizes",
}

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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
