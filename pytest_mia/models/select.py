"""The registry of kinds of models: the first kind that fits a model says how it is trained and asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.models.protocol import Adapter, ModelKind, ModelUse
from pytest_mia.models.sklearn import Estimators
from pytest_mia.models.torch.module import TorchModules

KINDS: tuple[ModelKind, ...] = (TorchModules(), Estimators())
"""In order; the last one fits every model, and says what a model of no kind lacks."""


def adapter_for(
    model: Any,
    *,
    classes: npt.NDArray[Any],
    training: Callable[[Any, Any, Any], Any] | None = None,
    predict: Callable[[Any, Any], Any] | None = None,
    loss: Callable[[Any, Any, Any], Any] | None = None,
    device: str = "auto",
) -> Adapter:
    """Choose how models like this one are trained and asked.

    Parameters
    ----------
    model
        A fresh model of the factory, or a released one.
    classes, training, predict, loss, device
        As `ModelUse` has them.

    Raises
    ------
    MIAUsageError
        When these don't fit together, or the device isn't available.
    """
    use = ModelUse(classes, training, predict, loss, device)
    problems = _use_problems(use)
    if problems:
        raise MIAUsageError(problems)
    return next(kind for kind in KINDS if kind.fits(model, use)).adapter(model, use)


def _use_problems(use: ModelUse) -> list[str]:
    """What doesn't fit together."""
    given = {"mia_training": use.training, "mia_predict": use.predict, "mia_loss": use.loss}
    found = [
        f"{name} must be a function, got {type(function).__name__}"
        for name, function in given.items()
        if function is not None and not callable(function)
    ]
    if use.predict is not None and use.loss is not None:
        found.append("mia_predict and mia_loss are both given; give mia_predict for classes, mia_loss for losses")
    return found
