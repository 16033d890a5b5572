"""An audit whose gates are methods: what `pytest_mia.audit` returns, and the fixture ``mia_audit`` gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_mia.results.audit_data import AuditData


@dataclass(frozen=True, kw_only=True)
class AuditResult(AuditData):
    """One audit. Its gates are methods; each returns the judged result or raises the verdict.

    The attributes are those of `pytest_mia.results.audit_data.AuditData`, which the JSON report shows.
    """

    def assert_membership_advantage_below(
        self, threshold: float, *, by: Any = None, confidence: float | None = None
    ) -> AuditResult:
        """Pass only when the attacker's advantage, TPR - FPR, is shown to be below `threshold`.

        With `by`, each part of the records is judged too. All must pass: so no correction is needed for a pass of all
        (an intersection-union test, Berger 1982). Any may leak: so the error of a wrong accusation is shared among
        them, by the step-down procedure of Holm (1979). A part that is too small for any model to pass is inconclusive.

        Parameters
        ----------
        threshold
            The limit, above 0 and at most 1.
        by
            What divides the records: the name of a slice of the dataset, else of a column of X (a DataFrame), else
            "class"; or one value per audited record, in the dataset's order (of a release members come first). At most
            100 different values, of numbers at most 20. A value in a column or an array that fewer than ten records
            share is named by the index of its first record, never by itself.
        confidence
            One-sided confidence of the bounds; the audit's own by default.

        Returns
        -------
        AuditResult
            This result with verdict, reasons and message.

        Raises
        ------
        MembershipLeakError, InconclusiveAuditError, InvalidAuditError
            The verdict, when it is not *pass*.
        MIAUsageError
            When an argument is out of range.
        """
        __tracebackhide__ = True
        from pytest_mia.verdicts import gates

        return gates.enforce(gates.membership_advantage(self, threshold, by=by, confidence=confidence))

    def assert_tpr_below(
        self, threshold: float, *, at_fpr: float = 0.001, confidence: float | None = None
    ) -> AuditResult:
        """Pass only when the share of members found at an FPR of `at_fpr` is shown to be below `threshold`.

        Parameters
        ----------
        threshold
            The limit, above 0 and at most 1.
        at_fpr
            0.001, 0.01 or 0.1.
        confidence
            One-sided confidence of the bounds; the audit's own by default.

        Returns
        -------
        AuditResult
            This result with verdict, reasons and message.

        Raises
        ------
        MembershipLeakError, InconclusiveAuditError, InvalidAuditError
            The verdict, when it is not *pass*.
        MIAUsageError
            When an argument is out of range.
        """
        __tracebackhide__ = True
        from pytest_mia.verdicts import gates

        return gates.enforce(gates.tpr(self, threshold, at_fpr=at_fpr, confidence=confidence))

    def assert_epsilon_below(
        self, epsilon: float, *, delta: float = 1e-5, mechanism: str = "any", confidence: float | None = None
    ) -> AuditResult:
        """Fail when the measured lower bound refutes a claimed (`epsilon`, `delta`) of differential privacy.

        A pass means that the claim was not refuted; it proves nothing about the training. The claim is about adding or
        removing one record, or, where records are grouped, one group.

        Parameters
        ----------
        epsilon
            The claimed epsilon, above 0.
        delta
            The claimed delta, from 0 to 1 (excluded).
        mechanism
            "any", or "gaussian" where the claim is all that a Gaussian mechanism with this epsilon and delta promises.
            That is more, and is refuted sooner.
        confidence
            One-sided confidence of the bound; the audit's own by default.

        Returns
        -------
        AuditResult
            This result with verdict, reasons and message.

        Raises
        ------
        MembershipLeakError, InvalidAuditError
            The verdict, when it is not *pass*.
        MIAUsageError
            When an argument is out of range.
        """
        __tracebackhide__ = True
        from pytest_mia.verdicts import gates

        return gates.enforce(gates.epsilon(self, epsilon, delta=delta, mechanism=mechanism, confidence=confidence))

    def assert_no_advantage_regression(self, *, tolerance: float = 0.02) -> AuditResult:
        """Fail when the advantage is shown to exceed the baseline's by more than `tolerance`.

        A pass means that no such growth was shown. How large it may be all the same stands in ``change``, and among
        the reasons where that is more than the tolerance.

        Parameters
        ----------
        tolerance
            Growth of TPR - FPR that is put up with, from 0 to 1 (excluded).

        Returns
        -------
        AuditResult
            This result with verdict, reasons and message.

        Raises
        ------
        MembershipLeakError, InvalidAuditError
            The verdict, when it is not *pass*.
        MIAUsageError
            When there is no baseline to compare with, or `tolerance` is out of range.
        """
        __tracebackhide__ = True
        from pytest_mia.verdicts import gates

        return gates.enforce(gates.regression(self, tolerance=tolerance))
