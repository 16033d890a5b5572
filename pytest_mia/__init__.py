"""pytest-mia: membership-inference tests for models that were trained on people's data.

The public names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pytest_mia._version import __version__

if TYPE_CHECKING:
    from pytest_mia import knowledge
    from pytest_mia import strategies as strategies
    from pytest_mia.api import audit, audit_outputs
    from pytest_mia.auditing.from_outputs.read import ModelOutputs
    from pytest_mia.auditing.run import ShadowModel
    from pytest_mia.core.errors import (
        CacheWarning,
        InconclusiveAuditError,
        InconclusiveAuditWarning,
        InvalidAuditError,
        InvalidAuditWarning,
        MembershipLeakError,
        MIAError,
        MIAUsageError,
        MIAWarning,
        ModelTrainingError,
        OutOfTimeError,
    )
    from pytest_mia.data.dataset import Dataset, Target
    from pytest_mia.models.answers import Losses, Residuals, TokenLogProbabilities
    from pytest_mia.models.torch.module import TorchTraining
    from pytest_mia.verdicts.audit_result import AuditResult

_HOMES = {
    "AuditResult": "verdicts.audit_result",
    "CacheWarning": "core.errors",
    "Dataset": "data.dataset",
    "InconclusiveAuditError": "core.errors",
    "InconclusiveAuditWarning": "core.errors",
    "InvalidAuditError": "core.errors",
    "InvalidAuditWarning": "core.errors",
    "Losses": "models.answers",
    "MIAError": "core.errors",
    "MIAUsageError": "core.errors",
    "MIAWarning": "core.errors",
    "MembershipLeakError": "core.errors",
    "ModelOutputs": "auditing.from_outputs.read",
    "ModelTrainingError": "core.errors",
    "OutOfTimeError": "core.errors",
    "Residuals": "models.answers",
    "ShadowModel": "auditing.run",
    "Target": "data.dataset",
    "TokenLogProbabilities": "models.answers",
    "TorchTraining": "models.torch.module",
    "audit": "api",
    "audit_outputs": "api",
}

__all__ = [
    "AuditResult",
    "CacheWarning",
    "Dataset",
    "InconclusiveAuditError",
    "InconclusiveAuditWarning",
    "InvalidAuditError",
    "InvalidAuditWarning",
    "Losses",
    "MIAError",
    "MIAUsageError",
    "MIAWarning",
    "MembershipLeakError",
    "ModelOutputs",
    "ModelTrainingError",
    "OutOfTimeError",
    "Residuals",
    "ShadowModel",
    "Target",
    "TokenLogProbabilities",
    "TorchTraining",
    "__version__",
    "audit",
    "audit_outputs",
    "knowledge",
]


def __getattr__(name: str) -> Any:
    # Strategies are no part of "import *", which must do without Hypothesis.
    if name in ("knowledge", "strategies"):
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
