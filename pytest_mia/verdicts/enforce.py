"""The verdict of a judged audit raised, where it is not a pass."""

from __future__ import annotations

import unittest
import warnings

from pytest_mia.core.errors import (
    InconclusiveAuditError,
    InconclusiveAuditWarning,
    InvalidAuditError,
    MembershipLeakError,
)
from pytest_mia.results.audit_data import Audit


def enforce(judged: Audit) -> Audit:
    """Return a passed result; raise, warn or skip for any other verdict.

    The exception carries the judged result as ``result``.
    """
    __tracebackhide__ = True
    error: Exception
    match judged.verdict:
        case "pass":
            return judged
        case "leak":
            error = MembershipLeakError(judged.message)
        case "invalid":
            error = InvalidAuditError(judged.message)
        case _ if judged.inconclusive == "warn":
            warnings.warn(judged.message, InconclusiveAuditWarning, stacklevel=3)
            return judged
        case _ if judged.inconclusive == "skip":
            error = unittest.SkipTest(judged.message)
        case _:
            error = InconclusiveAuditError(judged.message)
    error.result = judged  # type: ignore[union-attr]
    raise error
