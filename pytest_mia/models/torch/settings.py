"""The settings of a `pytest_mia.TorchTraining`, for the modules that train by them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from pytest_mia.core.errors import MIAUsageError

OPTIMIZERS = ("sgd", "adam", "adamw")


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """The values of a `pytest_mia.TorchTraining`, which says what each of them means.

    Raises
    ------
    MIAUsageError
        When settings are out of range; all of them are named at once.
    """

    epochs: int = 20
    batch_size: int = 64
    optimizer: str = "adam"
    lr: float = 1e-3
    weight_decay: float = 0.0
    momentum: float = 0.9
    loss: str | Callable[[Any, Any], Any] = field(default="cross_entropy")

    def __post_init__(self) -> None:
        fits = {
            "epochs": (_is_count(self.epochs), "a whole number of at least 1"),
            "batch_size": (_is_count(self.batch_size), "a whole number of at least 1"),
            "optimizer": (self.optimizer in OPTIMIZERS, f"one of {', '.join(OPTIMIZERS)}"),
            "lr": (_is_number(self.lr) and self.lr > 0, "a number above 0"),
            "weight_decay": (_is_number(self.weight_decay) and self.weight_decay >= 0, "a number of at least 0"),
            "momentum": (_is_number(self.momentum) and 0 <= self.momentum < 1, "a number from 0 to 1 (excluded)"),
            "loss": (callable(self.loss) or self.loss == "cross_entropy", "cross_entropy or loss(outputs, targets)"),
        }
        wrong = [
            f"TorchTraining: {name} must be {must}, got {getattr(self, name)!r}"
            for name, (fit, must) in fits.items()
            if not fit
        ]
        if wrong:
            raise MIAUsageError(wrong)

    def __str__(self) -> str:
        """The settings that matter, in words that don't change from run to run."""
        names = [each.name for each in fields(self) if each.name != "momentum" or self.optimizer == "sgd"]
        values = {name: getattr(self, name) for name in names}
        shown = {
            name: getattr(value, "__name__", type(value).__name__) if callable(value) else repr(value)
            for name, value in values.items()
        }
        return f"TorchTraining({', '.join(f'{name}={value}' for name, value in shown.items())})"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
