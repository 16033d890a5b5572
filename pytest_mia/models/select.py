"""Training and asking models of every kind: here is chosen which way fits a model."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.models.answers import as_logits, interpret
from pytest_mia.models.functions import FunctionAsker, FunctionTrainer, LossAsker
from pytest_mia.models.protocol import Adapter, Asker, NoTrainer, Trainer
from pytest_mia.models.sklearn import EstimatorAsker, EstimatorTrainer, is_estimator
from pytest_mia.models.torch.module import ModuleAsker, ModuleTrainer, TorchTraining

__all__ = ["Adapter", "adapter_for", "is_module"]

Training = TorchTraining | Callable[[Any, Any, Any], Any]
Predict = Callable[[Any, Any], Any]
Loss = Callable[[Any, Any, Any], Any]


def adapter_for(
    model: Any,
    *,
    classes: npt.NDArray[Any],
    training: Training | None = None,
    predict: Predict | None = None,
    loss: Loss | None = None,
    device: str = "auto",
) -> Adapter:
    """Choose how models like this one are trained and asked.

    Parameters
    ----------
    model
        A fresh model of the factory, or a released one.
    classes
        The dataset's classes in order; empty with a loss, and for tasks without classes.
    training, predict, loss
        As the user gave them; ``None`` where he didn't.
    device
        Where torch modules compute.

    Raises
    ------
    MIAUsageError
        When these don't fit together, or the device isn't available.
    """
    functions = {"mia_training": training, "mia_predict": predict, "mia_loss": loss}
    wrong = [
        f"{name} must be a function, got {type(function).__name__}"
        for name, function in functions.items()
        if function is not None and not callable(function)
    ]
    if predict is not None and loss is not None:
        wrong.append(
            "mia_predict and mia_loss are both given; classes are judged by the one, losses by the other: give one"
        )
    if wrong:
        raise MIAUsageError(wrong)
    if is_module(model) and (training is not None or not is_estimator(model)):
        return _module_adapter(classes, training, predict, loss, device)
    return Adapter(_trainer(model, training), _own_asker(classes, predict, loss) or EstimatorAsker(classes))


def _module_adapter(
    classes: npt.NDArray[Any],
    training: Training | None,
    predict: Predict | None,
    loss: Loss | None,
    device: str,
) -> Adapter:
    from pytest_mia.models.torch.tensors import device_named

    place = device_named(device)
    settings = TorchTraining() if training is None else training
    trainer = (
        ModuleTrainer(settings, classes, place) if isinstance(settings, TorchTraining) else FunctionTrainer(settings)
    )
    read = as_logits if isinstance(settings, TorchTraining) and not callable(settings.loss) else interpret
    asker = _own_asker(classes, predict, loss) or ModuleAsker(classes, place, read)
    return Adapter(trainer, asker, str(place))


def _own_asker(
    classes: npt.NDArray[Any],
    predict: Predict | None,
    loss: Loss | None,
) -> Asker | None:
    if loss is not None:
        return LossAsker(loss)
    return None if predict is None else FunctionAsker(predict, classes)


def _trainer(model: Any, training: Training | None) -> Trainer:
    name = model.__name__ if isinstance(model, type) else type(model).__name__
    if isinstance(training, TorchTraining):
        return NoTrainer(f"mia_training is a TorchTraining, which trains torch modules, but the model is {name}")
    if training is not None:
        return FunctionTrainer(training)
    if isinstance(model, type):
        return NoTrainer(
            f"mia_model_factory returned the class {name}; it must return a model, such as lambda: {name}()"
        )
    if callable(getattr(model, "fit", None)):
        return EstimatorTrainer()
    return NoTrainer(
        f"mia_model_factory returned {name}, which has no fit and is no torch module; "
        "give mia_training, a function train(model, X, y)"
    )


def is_module(model: Any) -> bool:
    """Whether it is a torch module."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)
