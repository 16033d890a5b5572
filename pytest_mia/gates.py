"""The gates as functions: a result and a limit in, a judged result out."""

from __future__ import annotations

from pytest_mia.results.audit_data import Audit
from pytest_mia.verdicts.gates import EpsilonBelow, MembershipAdvantageBelow, NoAdvantageRegression, TprBelow
from pytest_mia.verdicts.judging import construct, enforce, judge, judging

__all__ = ["enforce", "epsilon", "membership_advantage", "regression", "tpr"]

membership_advantage = judging(MembershipAdvantageBelow, "membership_advantage")
tpr = judging(TprBelow, "tpr")
regression = judging(NoAdvantageRegression, "regression")


def epsilon(
    result: Audit, claimed: float, *, delta: float = 1e-5, mechanism: str = "any", confidence: float | None = None
) -> Audit:
    """Compare a claimed epsilon with the measured lower bound; see `AuditResult.assert_epsilon_below`."""
    __tracebackhide__ = True
    # The gate's own arguments, except that the first is called `claimed` here.
    gate = construct(EpsilonBelow, claimed, delta=delta, mechanism=mechanism, confidence=confidence)
    return judge(gate, result)
