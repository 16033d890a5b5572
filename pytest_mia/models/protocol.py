"""An adapter joins one way to train models with one way to ask them.

The engine holds `pytest_mia.core.seeding.seeded` and `single_threaded` around every call of a factory and of an
adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy.typing as npt

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.types import IntArray
from pytest_mia.data.dataset import Dataset
from pytest_mia.models.answers import Answer


class Trainer(Protocol):
    """One way to train."""

    @property
    def description(self) -> str:
        """Settings that the report shows; empty when there is nothing to say."""
        ...

    def problems(self, model: Any, dataset: Dataset) -> list[str]:
        """Why this fresh model can't be trained on these records; cheap, and before any training.

        Parameters
        ----------
        model
            A fresh model, not used otherwise afterwards.
        dataset
            Records that `pytest_mia.data.dataset.find_problems` found nothing wrong with.
        """
        ...

    def fit(self, model: Any, X: Any, y: Any, seed: int) -> Any:
        """Train a fresh model.

        Parameters
        ----------
        model
            A fresh model.
        X, y
            Its members, in the user's own types.
        seed
            The model's own seed.

        Returns
        -------
        Any
            The trained model.
        """
        ...


@runtime_checkable
class BatchTrainer(Trainer, Protocol):
    """A way to train that may train many models as one."""

    def why_alone(self, models: Sequence[Any], X: Any, y: Any) -> str | None:
        """Why fresh models like these are better trained one by one; ``None`` where they aren't."""
        ...

    def fit_together(
        self, models: Sequence[Any], X: Any, y: Any, rows: Sequence[IntArray], seeds: Sequence[int]
    ) -> Sequence[Any]:
        """The trained models, each on its own rows of all records.

        Raises
        ------
        CannotBatch
            When it turns out that they can't; none of them was changed then.
        """
        ...


class CannotBatch(Exception):
    """These models can't be trained as one; the message says why, and none of them was changed."""


class Asker(Protocol):
    """One way to ask."""

    def problems(self, model: Any, dataset: Dataset) -> list[str]:
        """Why this fresh model can't be asked about these records; the parameters are a trainer's."""
        ...

    def answer(self, model: Any, X: Any, y: Any) -> Answer:
        """The trained model's answers on all records.

        Parameters
        ----------
        model
            What a trainer returned, or an already trained model of the user's.
        X, y
            All records; `y` is for losses only.
        """
        ...


@dataclass(frozen=True, eq=False)
class Adapter:
    """How models of one kind are trained and asked; it can be pickled whenever the user's functions can.

    Attributes
    ----------
    trainer, asker
        The two halves.
    device
        Where models compute: "cpu", "cuda:0", ...
    """

    trainer: Trainer
    asker: Asker
    device: str = "cpu"


@dataclass(frozen=True)
class NoTrainer:
    """No way to train: found by `problems` before any training; a released model can still be asked.

    Attributes
    ----------
    reason
        What is wrong, and its remedy.
    """

    reason: str
    description: str = ""

    def problems(self, model: Any, dataset: Dataset) -> list[str]:  # noqa: ARG002 - no model could be trained
        """The reason."""
        return [self.reason]

    def fit(self, model: Any, X: Any, y: Any, seed: int) -> Any:  # noqa: ARG002 - no model could be trained
        """Refuse."""
        raise MIAUsageError(self.reason)


@dataclass(frozen=True, eq=False)
class ModelUse:
    """What the user says of how models are trained and asked.

    Attributes
    ----------
    classes
        The dataset's classes in order; empty with a loss, and for tasks without classes.
    training, predict, loss
        The user's functions, or settings of a training; ``None`` where they aren't given.
    device
        Where torch modules compute.
    """

    classes: npt.NDArray[Any]
    training: Callable[[Any, Any, Any], Any] | None = None
    predict: Callable[[Any, Any], Any] | None = None
    loss: Callable[[Any, Any, Any], Any] | None = None
    device: str = "auto"


class ModelKind(Protocol):
    """A kind of models, and how these are trained and asked."""

    def fits(self, model: Any, use: ModelUse) -> bool:
        """Whether this model is of this kind."""
        ...

    def adapter(self, model: Any, use: ModelUse) -> Adapter:
        """How models like this one are trained and asked.

        Raises
        ------
        MIAUsageError
            When the device isn't available.
        """
        ...
