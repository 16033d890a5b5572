"""Torch modules: the training that a user describes with `TorchTraining`, and the forward pass that asks them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.seeding import seeded
from pytest_mia.core.types import IntArray
from pytest_mia.data.containers import find_bad_features, take
from pytest_mia.data.dataset import Dataset
from pytest_mia.data.labels import as_labels, encode
from pytest_mia.models import reading
from pytest_mia.models.answers import Answer, as_logits, interpret
from pytest_mia.models.functions import FunctionTrainer, own_asker
from pytest_mia.models.protocol import Adapter, CannotBatch, ModelUse, Trainer
from pytest_mia.models.sklearn import is_estimator
from pytest_mia.models.torch.cuda import memory_ran_out
from pytest_mia.models.torch.loop import targets_of, train
from pytest_mia.models.torch.settings import TrainingSettings
from pytest_mia.models.torch.tensors import as_tensor, device_named, forward, home_of, is_module

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class TorchTraining(TrainingSettings):
    """How a torch module is trained: mini-batches in a new random order each epoch.

    It is also a function: ``TorchTraining(epochs=50)(model, X, y)`` trains a model in place, where it lies, by torch's
    own global generator.

    Attributes
    ----------
    epochs
        Passes over the model's records; 20 by default.
    batch_size
        Records per step; 64 by default. A last batch of one record joins the one before it.
    optimizer
        "sgd", "adam" (the default) or "adamw".
    lr
        Learning rate; 0.001 by default.
    weight_decay
        The optimizer's weight decay; 0 by default.
    momentum
        Of "sgd" alone; 0.9 by default.
    loss
        "cross_entropy" (the default; binary cross-entropy with logits for two classes and one output), or a function
        ``loss(outputs, targets)`` that returns one number. Targets are class codes from 0, or `y` itself for models
        without classes.

    Raises
    ------
    MIAUsageError
        When settings are out of range; all of them are named at once.
    """

    def __call__(self, model: torch.nn.Module, X: Any, y: Any) -> torch.nn.Module:
        """Train a model in place.

        Parameters
        ----------
        model
            A module, on any device.
        X, y
            Features and labels. For "cross_entropy" labels are numbered in their order; a loss function gets numbers
            as they are.

        Returns
        -------
        torch.nn.Module
            The same model, in evaluation mode.
        """
        inputs, targets, seed = self.prepared(model, X, y)
        train(model, inputs, targets, self, seed=seed, device=home_of(model))
        return model

    def prepared(self, model: torch.nn.Module, X: Any, y: Any) -> tuple[torch.Tensor, torch.Tensor, int]:
        """Inputs and targets, one row per record, and a seed that torch's own generator gives."""
        import torch

        as_classes = not callable(self.loss) or as_labels(y).dtype.kind not in "biuf"
        classes = encode(y)[0] if as_classes else np.array([])
        seed = int(torch.randint(2**31, ()).item())
        return as_tensor(X, model), targets_of(y, classes, model), seed


@dataclass(frozen=True, eq=False)
class ModuleTrainer:
    """Trains a module as its settings say and leaves it on the CPU.

    Attributes
    ----------
    settings
        The training.
    classes
        The dataset's classes in order; empty for models without.
    device
        Where it trains.
    """

    settings: TorchTraining
    classes: npt.NDArray[Any]
    device: torch.device

    @property
    def description(self) -> str:
        """The settings, for the report."""
        return str(self.settings)

    def _targets(self, y: Any, model: Any) -> torch.Tensor:
        return targets_of(y, self.classes, model)

    def problems(self, model: Any, dataset: Dataset) -> list[str]:
        """Why this module can't be trained on these records."""
        name, bad = type(model).__name__, find_bad_features(dataset.X)
        found = []
        if not any(parameter.requires_grad for parameter in model.parameters()):
            found.append(f"{name} has no parameter to train; give mia_training if it learns in another way")
        if not callable(self.settings.loss) and not len(self.classes):
            found.append(
                "cross_entropy needs classes; give TorchTraining(loss=...), such as torch.nn.functional.mse_loss"
            )
        if bad is not None and bad.any():
            found.append(
                f"X holds NaN or infinite features in {int(bad.sum())} of {len(bad)} records, first in record "
                f"{int(bad.argmax())}; a torch module can't learn from them"
            )
        try:
            as_tensor(take(dataset.X, [0]), model)
        except MIAUsageError as error:
            found += error.problems
        return found

    def fit(self, model: Any, X: Any, y: Any, seed: int) -> Any:
        """The trained module."""
        targets = self._targets(y, model)
        model.to(self.device)
        train(model, as_tensor(X, model), targets, self.settings, seed=seed, device=self.device)
        return model.to("cpu")

    def why_alone(self, models: Sequence[Any], X: Any, y: Any) -> str | None:
        """Why modules like these are better trained one by one; ``None`` where they aren't."""
        from pytest_mia.models.torch.batch_checks import explain_refusal

        if home_of(models[0]).type != "cpu":
            models = [model.cpu() for model in copy.deepcopy(list(models))]
        try:
            inputs, targets = as_tensor(take(X, [0, -1]), models[0]), self._targets(take(y, [0, -1]), models[0])
        except Exception as error:
            return f"two records can't be made tensors ({type(error).__name__}: {error})"
        return explain_refusal(models, self.settings, inputs.cpu(), targets.cpu(), self.device)

    def fit_together(
        self, models: Sequence[Any], X: Any, y: Any, rows: Sequence[IntArray], seeds: Sequence[int]
    ) -> Sequence[Any]:
        """The trained modules; see `BatchTrainer`."""
        from pytest_mia.models.torch.batch_schedule import Learner
        from pytest_mia.models.torch.batched import train_many

        why = self.why_alone(models, X, y)
        if why is not None:
            raise CannotBatch(why)
        learners = [Learner(model.cpu(), own, seed) for model, own, seed in zip(models, rows, seeds, strict=True)]
        inputs, targets = as_tensor(X, models[0]), self._targets(y, models[0])
        train_many(learners, inputs, targets, self.settings, device=self.device)
        return models


@dataclass(frozen=True, eq=False)
class ModuleAsker:
    """Asks a module by its forward pass, in evaluation mode.

    Attributes
    ----------
    classes
        The dataset's classes in order, one per output; empty for other tasks.
    device
        Where it computes.
    read
        What makes an answer of the outputs: `as_logits` after training on a loss of logits, else `interpret`.
    """

    classes: npt.NDArray[Any]
    device: torch.device
    read: Callable[[Any, npt.NDArray[Any]], Answer]

    def problems(self, model: Any, dataset: Dataset) -> list[str]:
        """Why the module can't be asked: tried on two records, before any training."""
        try:
            with seeded(0):
                ends = None if dataset.y is None else take(dataset.y, [0, -1])
                self.answer(model, take(dataset.X, [0, -1]), ends)
        except MIAUsageError as error:
            return list(error.problems)
        except Exception as error:
            # What is too large for a GPU is trained on the CPU.
            said = f"{type(model).__name__} fails on the first and last record of X: {type(error).__name__}: {error}"
            return [] if memory_ran_out(error) else [said]
        return []

    def answer(self, model: Any, X: Any, y: Any) -> Answer:
        """The trained module's answers on all records; `y` is looked at where it holds no classes."""
        outputs = forward(model, X, self.device)
        return self.read(outputs, self.classes) if len(self.classes) else reading.read_answer(outputs, self.classes, y)


class TorchModules:
    """Torch modules; one that speaks scikit-learn's protocol is one only with ``mia_training``."""

    def fits(self, model: Any, use: ModelUse) -> bool:
        """Whether the model is a module that doesn't train itself."""
        return is_module(model) and (use.training is not None or not is_estimator(model))

    def adapter(self, model: Any, use: ModelUse) -> Adapter:  # noqa: ARG002 - all modules are trained alike
        """Trained by a `TorchTraining` and asked by the forward pass, unless the user's functions do it."""
        place, training = device_named(use.device), TorchTraining() if use.training is None else use.training
        if isinstance(training, TorchTraining):
            trainer: Trainer = ModuleTrainer(training, use.classes, place)
            read = interpret if callable(training.loss) else as_logits
        else:
            trainer, read = FunctionTrainer(training), interpret
        return Adapter(trainer, own_asker(use) or ModuleAsker(use.classes, place, read), str(place))
