"""Every error and warning that pytest-mia raises.

``MIAError`` is their common base. Those that state a verdict are also ``AssertionError``, so that test runners report
them as failures; everything else is an error of the audit itself and is never read as a pass.
"""

from __future__ import annotations

from collections.abc import Sequence


class MIAError(Exception):
    """Base of all errors of pytest-mia."""


class MIAUsageError(MIAError, ValueError):
    """Bad input, found before anything was trained.

    Parameters
    ----------
    problems
        Every problem found, each a sentence with its remedy; all are shown at once.
    """

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return self.problems[0]
        return f"{len(self.problems)} problems:\n" + "\n".join(f"- {problem}" for problem in self.problems)


class ModelTrainingError(MIAError, RuntimeError):
    """The user's own code raised while a model was trained or asked; the message ends with its traceback."""


class OutOfTimeError(MIAError, TimeoutError):
    """The time limit was reached before as many models were trained as an audit needs."""


class MembershipLeakError(MIAError, AssertionError):
    """The verdict *leak*: the lower bound is above the limit."""


class InconclusiveAuditError(MIAError, AssertionError):
    """The verdict *inconclusive*: the limit lies between the bounds."""


class InvalidAuditError(MIAError, AssertionError):
    """The verdict *invalid*: the data can't answer the question."""


class MIAWarning(UserWarning):
    """Base of all warnings of pytest-mia."""


class InconclusiveAuditWarning(MIAWarning):
    """An inconclusive verdict under ``--mia-inconclusive=warn``."""


class InvalidAuditWarning(MIAWarning):
    """The fixture ``mia_audit`` gave an audit that is invalid, whose figures no gate has judged."""


class CacheWarning(MIAWarning):
    """An entry of the cache is damaged; what it stood for was done again."""


for _public in (
    MIAError,
    MIAUsageError,
    ModelTrainingError,
    OutOfTimeError,
    MembershipLeakError,
    InconclusiveAuditError,
    InvalidAuditError,
    MIAWarning,
    InconclusiveAuditWarning,
    InvalidAuditWarning,
    CacheWarning,
):
    # Under the name by which a user imports it, as tracebacks show it.
    _public.__module__ = "pytest_mia"
