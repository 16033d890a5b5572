"""The user's own functions: ``train(model, X, y)``, ``predict(model, X)`` and ``loss(model, X, y)``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from pytest_mia.data.dataset import Dataset
from pytest_mia.models.answers import Answer, read_losses
from pytest_mia.models.protocol import Asker, ModelUse
from pytest_mia.models.reading import read_answer


@dataclass(frozen=True)
class FunctionTrainer:
    """Trains by ``train(model, X, y)``, which gets X and y in the user's own types.

    Attributes
    ----------
    train
        Returns the trained model, or ``None`` when it trained the model in place.
    """

    train: Callable[[Any, Any, Any], Any]
    description: str = ""

    def problems(self, model: Any, dataset: Dataset) -> list[str]:  # noqa: ARG002 - only the function is looked at
        """Why the function can't be called."""
        return _signature_problems("mia_training", self.train, ("model", "X", "y"))

    def fit(self, model: Any, X: Any, y: Any, seed: int) -> Any:  # noqa: ARG002 - the global generators are seeded
        """The trained model."""
        trained = self.train(model, X, y)
        return model if trained is None else trained


@dataclass(frozen=True, eq=False)
class FunctionAsker:
    """Asks by ``predict(model, X)``.

    Attributes
    ----------
    predict
        Returns class probabilities or logits (records, classes), or labels (records,); what fits `y` for other tasks.
    classes
        The dataset's classes in order; empty for other tasks.
    """

    predict: Callable[[Any, Any], Any]
    classes: npt.NDArray[Any]

    def problems(self, model: Any, dataset: Dataset) -> list[str]:  # noqa: ARG002 - only the function is looked at
        """Why the function can't be called."""
        return _signature_problems("mia_predict", self.predict, ("model", "X"))

    def answer(self, model: Any, X: Any, y: Any) -> Answer:
        """The trained model's answers on all records; `y` is looked at where it holds no classes."""
        return read_answer(self.predict(model, X), self.classes, y)


@dataclass(frozen=True)
class LossAsker:
    """Asks by ``loss(model, X, y)``.

    Attributes
    ----------
    loss
        Returns one loss per record (records,).
    """

    loss: Callable[[Any, Any, Any], Any]

    def problems(self, model: Any, dataset: Dataset) -> list[str]:  # noqa: ARG002 - only the function is looked at
        """Why the function can't be called."""
        return _signature_problems("mia_loss", self.loss, ("model", "X", "y"))

    def answer(self, model: Any, X: Any, y: Any) -> Answer:
        """The trained model's losses on all records."""
        return read_losses(self.loss(model, X, y))


def own_asker(use: ModelUse) -> Asker | None:
    """How the user's own functions ask, where there are some."""
    if use.loss is not None:
        return LossAsker(use.loss)
    return None if use.predict is None else FunctionAsker(use.predict, use.classes)


def _signature_problems(fixture: str, function: Callable[..., Any], names: tuple[str, ...]) -> list[str]:
    try:
        signature = inspect.signature(function)
    except ValueError:  # built-in functions may have none
        return []
    try:
        signature.bind(*names)
    except TypeError:
        name = getattr(function, "__name__", type(function).__name__)
        return [f"{fixture} is called with ({', '.join(names)}), but {name} takes {signature}"]
    return []
