"""The user's own code, by the first model that was trained: does it use what it is given, and nothing else?

A factory whose models are trained already, code that ignores its records, and code that looks at others: each of them
lets a model pass that should not.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from pytest_mia.cache.store import Store
from pytest_mia.cache.user_modules import is_user_module
from pytest_mia.data.records import Data
from pytest_mia.models.signals import same
from pytest_mia.models.torch.module import TorchTraining
from pytest_mia.training.factories import FactoryProbe
from pytest_mia.training.jobs import Job, Method, Trained
from pytest_mia.validity.protocol import CheckResult


@dataclass(frozen=True)
class UserCode:
    """The user's code and the models that were trained with it.

    Attributes
    ----------
    job, data
        How the first of the trained models was trained, and on what.
    factories
        The audit's factories, each with fresh models of it; at least one.
    trained
        The models so far; at least one.
    method, store
        How they were trained and queried, and where others are found.
    """

    job: Job
    data: Data
    factories: Sequence[FactoryProbe]
    trained: Sequence[Trained]
    method: Method
    store: Store | None = None

    @property
    def fresh(self) -> Sequence[Any]:
        """Two fresh models of the first factory."""
        return self.factories[0].models

    @cached_property
    def suspects(self) -> tuple[str, ...]:
        """Fixtures that gave code of the user's own, or a factory whose models all answer alike."""
        method, trained = self.method, self.trained
        given = {"mia_training": method.training, "mia_predict": method.predict, "mia_loss": method.loss}
        names = [name for name, value in given.items() if value is not None and not isinstance(value, TorchTraining)]
        alike = len(trained) > 1 and all(same(trained[0].signals, one.signals) for one in trained[1:])
        factory = (alike and not names) or (method.training is None and _is_own(self.fresh[0]))
        return (*names, "mia_model_factory") if factory else tuple(names)


class CodeCheck(Protocol):
    """A check of the user's own code."""

    def __call__(self, code: UserCode) -> CheckResult:
        """What it says of this code; nothing where it doesn't concern it."""
        ...


def _is_own(model: Any) -> bool:
    """Whether a model, or a part of it, is trained by a class of the user's own."""
    parts = [model, *(model.get_params(deep=True).values() if hasattr(model, "get_params") else ())]
    trained = [type(part) for part in parts if hasattr(part, "fit") and not isinstance(part, type)]
    return any(kind.__module__ in sys.modules and is_user_module(sys.modules[kind.__module__]) for kind in trained)
