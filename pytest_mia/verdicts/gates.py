"""The gates: the arguments of each, what it refuses before anything is trained, and how it judges an audit.

`pytest_mia.gates`, the methods of `pytest_mia.AuditResult` and the fixtures of pytest are all made from these classes.
They are loaded with pytest, so what computes is imported when a gate judges.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from pytest_mia.core.request import AuditRequest
    from pytest_mia.results.audit_data import Audit


@dataclass(frozen=True)
class Gate(ABC):
    """A limit, by which an audit is judged.

    Raises
    ------
    MIAUsageError
        When arguments are out of range; all of them are named at once.
    """

    fixture: ClassVar[str]
    """The name of the fixture, and of the method."""
    on_coins: ClassVar[bool] = False
    """Whether a recipe is audited with memberships that are drawn by independent coins."""
    needs_baseline: ClassVar[bool] = False

    def __post_init__(self) -> None:
        __tracebackhide__ = True
        from pytest_mia.verdicts import gate_arguments

        gate_arguments.check(**{name: value for name, value in vars(self).items() if name != "by"})

    @property
    def early_limit(self) -> float | None:
        """The limit above which an audit that may stop early has leaked; ``None`` where it can't stop."""
        return None

    def check_request(self, request: AuditRequest) -> None:  # noqa: B027
        """Refuse arguments that don't fit the records, before anything is trained.

        Raises
        ------
        MIAUsageError
            When they don't fit.
        """

    def sharing_error(self, parts: int) -> Self:
        """The same gate where its error is shared among so many audits.

        An audit's own confidence is shared already, so only one that the user gave changes.
        """
        from pytest_mia.statistics import error_budget

        confidence = getattr(self, "confidence", None)
        shared = {} if confidence is None else {"confidence": error_budget.shared_confidence(confidence, parts)}
        return dataclasses.replace(self, **shared)

    def select(self, audit: Audit) -> Audit:
        """The audit with those attackers and remedies that this gate judges."""
        return audit

    @abstractmethod
    def compare(self, audit: Audit) -> Audit:
        """The audit of one attacker with its verdict and the reasons."""


@dataclass(frozen=True)
class MembershipAdvantageBelow(Gate):
    """Pass only when the attacker's advantage, TPR - FPR, is shown to be below the limit.

    The advantage is 0 for an attacker who guesses and 1 for an attacker who is certain.

    With ``by``, each part of the records is judged too: ``by`` names a slice of the dataset, a column of X or "class",
    or holds one value per record. All parts must pass, so a pass needs no correction for their number (an
    intersection-union test, Berger 1982). Any part may leak, so the parts share the error of a wrong accusation by the
    step-down procedure of Holm (1979). A part that is too small for any model to pass is inconclusive.

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
        The result with verdict, reasons and message.

    Raises
    ------
    MembershipLeakError, InconclusiveAuditError, InvalidAuditError
        The verdict, when it is not *pass*.
    MIAUsageError
        When an argument is out of range.
    """

    fixture = "assert_membership_advantage_below"

    threshold: float
    _: KW_ONLY
    by: Any = None
    confidence: float | None = None

    @property
    def early_limit(self) -> float | None:
        """The limit itself."""
        return self.threshold

    def check_request(self, request: AuditRequest) -> None:
        """Refuse a ``by`` that can't divide the records, as far as they are known."""
        __tracebackhide__ = True
        from pytest_mia.verdicts import subgroups

        if self.by is not None and request.outputs is None:
            known = request.dataset if request.target is None else getattr(request.target, "members", None)
            subgroups.check_records(self.by, known)

    def compare(self, audit: Audit) -> Audit:
        """Judge TPR - FPR, overall and in every part."""
        __tracebackhide__ = True
        from pytest_mia.verdicts import judgement

        return judgement.judge_advantage(audit, threshold=self.threshold, by=self.by, confidence=self.confidence)


@dataclass(frozen=True)
class TprBelow(Gate):
    """Pass only when few members are found at a low false-positive rate: the gate on the most exposed records.

    The share of members that the attacker finds while accusing no more than ``at_fpr`` of the non-members wrongly must
    be shown to be below the limit. To measure it, an audit needs 10 / ``at_fpr`` non-members.

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
        The result with verdict, reasons and message.

    Raises
    ------
    MembershipLeakError, InconclusiveAuditError, InvalidAuditError
        The verdict, when it is not *pass*.
    MIAUsageError
        When an argument is out of range.
    """

    fixture = "assert_tpr_below"

    threshold: float
    _: KW_ONLY
    at_fpr: float = 0.001
    confidence: float | None = None

    def compare(self, audit: Audit) -> Audit:
        """Judge the TPR at a fixed FPR."""
        from pytest_mia.verdicts import judgement

        return judgement.judge_tpr(audit, threshold=self.threshold, at_fpr=self.at_fpr, confidence=self.confidence)


@dataclass(frozen=True)
class EpsilonBelow(Gate):
    """Fail when the measured lower bound refutes a claimed (epsilon, delta) of differential privacy.

    A pass means that the attacks did not refute the claim; it proves nothing about the training. The claim is about
    adding or removing one record, or, where records are grouped, one group.

    A recipe is audited as with ``--mia-coins``: an independent coin decides for each record whether a model is trained
    on it, as the proofs of the bounds require.

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
        The result with verdict, reasons and message.

    Raises
    ------
    MembershipLeakError, InvalidAuditError
        The verdict, when it is not *pass*.
    MIAUsageError
        When an argument is out of range.
    """

    fixture = "assert_epsilon_below"
    on_coins = True

    epsilon: float
    _: KW_ONLY
    delta: float = 1e-5
    mechanism: str = "any"
    confidence: float | None = None

    def compare(self, audit: Audit) -> Audit:
        """Compare the claimed epsilon with the measured lower bound."""
        from pytest_mia.verdicts import judgement

        gaussian = self.mechanism == "gaussian"
        return judgement.judge_epsilon(
            audit, claimed=self.epsilon, delta=self.delta, gaussian=gaussian, confidence=self.confidence
        )


@dataclass(frozen=True)
class NoAdvantageRegression(Gate):
    """Fail when the advantage is shown to have grown by more than the tolerance since a baseline was saved.

    The baseline is a committed file that ``pytest --mia-save=NAME`` writes. ``--mia-compare=NAME`` names the one to
    compare with; without it that is ``main``.

    A pass means that no such growth was shown. The interval of the change stands in ``change``; where it reaches beyond
    the tolerance, the reasons say so.

    Parameters
    ----------
    tolerance
        Growth of TPR - FPR that the gate allows, from 0 to 1 (excluded).

    Returns
    -------
    AuditResult
        The result with verdict, reasons and message.

    Raises
    ------
    MembershipLeakError, InvalidAuditError
        The verdict, when it is not *pass*.
    MIAUsageError
        When there is no baseline to compare with, or `tolerance` is out of range.
    """

    fixture = "assert_no_advantage_regression"
    needs_baseline = True

    _: KW_ONLY
    tolerance: float = 0.02

    def select(self, audit: Audit) -> Audit:
        """The audit of the strongest attacker alone: a baseline holds no other attacker, and no remedy."""
        return dataclasses.replace(audit, attackers=(), what_if=())

    def compare(self, audit: Audit) -> Audit:
        """Judge the change of the advantage since the baseline."""
        from pytest_mia.verdicts import judgement

        return judgement.judge_change(audit, tolerance=self.tolerance)


GATES = (MembershipAdvantageBelow, TprBelow, EpsilonBelow, NoAdvantageRegression)
