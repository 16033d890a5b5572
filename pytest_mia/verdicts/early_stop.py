"""Stopping early: looks at which an audit may already say *leak*. Pass is said once, at the last look.

An attack with fewer shadows is weaker, so an early "no leak" would prove nothing, while a lower bound above the limit
is valid whenever it is reached. The error that all looks together may make is divided among them (Bonferroni: looks are
strongly correlated, and this holds under any dependence).
"""

from __future__ import annotations

from pytest_mia.verdicts.audit_result import AuditResult

FIRST_LOOK = 4
"""Models at the first look: the fewest of which each can be attacked with three others."""


def looks(models: int) -> tuple[int, ...]:
    """Numbers of trained models at which to look: 4, twice as many each time, and all of them.

    Parameters
    ----------
    models
        Models that the audit trains.
    """
    early = []
    look = FIRST_LOOK
    while 2 * look <= models:
        early.append(look)
        look *= 2
    return (*early, models)


def leaks(result: AuditResult, threshold: float) -> bool:
    """Whether the lower bound of any attack is above the limit; never for an audit that isn't valid."""
    lows = [result.advantage.low, *(attack.advantage.low for attack in result.attacks)]
    return not result.findings and result.shift <= threshold / 2 and max(lows) > threshold
