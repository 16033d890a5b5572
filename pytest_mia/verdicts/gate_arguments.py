"""What the arguments of gates must be."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any

from pytest_mia.attacks.thresholds import FALSE_POSITIVE_RATES
from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.text import quoted

MECHANISMS = ("any", "gaussian")
"""What a claimed epsilon may be known of: (epsilon, delta) alone, or a Gaussian mechanism's whole trade-off curve."""

RANGES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "threshold": ("a number above 0 and at most 1", lambda value: 0 < value <= 1),
    "at_fpr": (f"one of {', '.join(f'{rate:g}' for rate in FALSE_POSITIVE_RATES)}", FALSE_POSITIVE_RATES.__contains__),
    "epsilon": ("a finite number above 0", lambda value: 0 < value < math.inf),
    "tolerance": ("a number from 0 to 1, 1 excluded", lambda value: 0 <= value < 1),
    "delta": ("a number from 0 to 1, 1 excluded", lambda value: 0 <= value < 1),
    "confidence": ("a number from 0.5 to 1, both excluded", lambda value: 0.5 < value < 1),
}
"""What a number is called, and whether it is one."""


def check(**arguments: Any) -> None:
    """Refuse arguments of a gate that are out of range. This needs no result, so it can be done before training.

    Parameters
    ----------
    **arguments
        Any of ``threshold``, ``at_fpr``, ``epsilon``, ``delta``, ``mechanism``, ``tolerance``, ``confidence``
        (``None``: the audit's own).

    Raises
    ------
    MIAUsageError
        With all that are out of range.
    """
    __tracebackhide__ = True
    given = {name: value for name, value in arguments.items() if name != "confidence" or value is not None}
    mechanism = given.pop("mechanism", "any")
    problems = [] if mechanism in MECHANISMS else [f"mechanism must be any or gaussian, got {quoted(mechanism)}"]
    if mechanism == "gaussian" and given.get("delta") == 0:
        problems.append("delta must be above 0 for mechanism gaussian, which has no epsilon without one, got 0")
    problems += [
        f"{name} must be {RANGES[name][0]}, got {quoted(value)}"
        for name, value in given.items()
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not RANGES[name][1](_float(value))
    ]
    if problems:
        raise MIAUsageError(problems)


def _float(value: numbers.Real) -> float:
    """A number as a float; infinite where it is too large for one, which no range allows."""
    try:
        return float(value)
    except OverflowError:
        return math.inf
