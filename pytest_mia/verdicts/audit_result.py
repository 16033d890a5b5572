"""An audit whose gates are methods: what `pytest_mia.audit` returns, and the fixture ``mia_audit`` gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Concatenate, ParamSpec, Protocol

from pytest_mia.core.reported import UNREPORTED
from pytest_mia.results.audit_data import AuditData
from pytest_mia.verdicts.gates import EpsilonBelow, Gate, MembershipAdvantageBelow, NoAdvantageRegression, TprBelow
from pytest_mia.verdicts.judging import construct, describe, enforce, judge

P = ParamSpec("P")


class Observer(Protocol):
    """Judges an audit in the place of a gate, and notes the verdict."""

    def judge(self, gate: Gate, audit: AuditResult, /) -> AuditResult:
        """The judged audit."""
        ...


def _method(gate: Callable[P, Gate], name: str) -> Callable[Concatenate[AuditResult, P], AuditResult]:
    """A method of this name that judges its audit, and raises the verdict where it is not a pass."""

    def assert_verdict(self: AuditResult, /, *args: P.args, **keywords: P.kwargs) -> AuditResult:
        __tracebackhide__ = True
        made = construct(gate, *args, **keywords)
        return enforce(judge(made, self) if self.observer is None else self.observer.judge(made, self))

    return describe(assert_verdict, gate, name, first="self")


@dataclass(frozen=True, kw_only=True)
class AuditResult(AuditData):
    """One audit. Its gates are methods; each returns the judged result or raises the verdict.

    The attributes are those of `pytest_mia.results.audit_data.AuditData`, which the JSON report shows, and one more.

    Attributes
    ----------
    observer
        Who judges this audit in the place of its gates, and notes the verdicts; ``None`` without pytest.
    """

    observer: Observer | None = field(metadata=UNREPORTED, default=None, repr=False, compare=False)

    assert_membership_advantage_below = _method(MembershipAdvantageBelow, "assert_membership_advantage_below")
    assert_tpr_below = _method(TprBelow, "assert_tpr_below")
    assert_epsilon_below = _method(EpsilonBelow, "assert_epsilon_below")
    assert_no_advantage_regression = _method(NoAdvantageRegression, "assert_no_advantage_regression")
