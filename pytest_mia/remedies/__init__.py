"""Remedies: what ``--mia-what-if`` measures, and what a team ships. Most change answers and nothing else; two train.

`Rounded`, `TopK`, `Label` and `Tempered` are functions of answers. Each has wrappers that answer exactly so: an
estimator (`RoundedAnswers(estimator, step=0.25)`) and a torch module (`RoundedModule(module, step=0.25)`). The wrappers
are made from the remedies when they are first used, since they are built on scikit-learn and on torch.
`EarlyStoppedTraining` and `PrivateTraining` are other ways to train a torch module, for ``mia_training``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from pytest_mia.remedies.labels import Label
from pytest_mia.remedies.protocol import ENDINGS, Remedy
from pytest_mia.remedies.rounding import Rounded
from pytest_mia.remedies.temperature import Tempered
from pytest_mia.remedies.top_k import TopK

ON_ANSWERS: tuple[type[Remedy], ...] = (Tempered, TopK, Rounded, Label)
"""The registry of remedies that change answers, from the one that takes least away to the one that takes most."""

_TRAININGS = ("EarlyStoppedTraining", "PrivateTraining")
_HOMES = {"Answers": "estimators", "Module": "modules", "Training": "trainings"}

__all__ = sorted([*_TRAININGS, *(each.__name__ + ending for each in ON_ANSWERS for ending in ("", *ENDINGS.values()))])


def by_default(classes: int) -> tuple[Remedy, ...]:
    """The remedies that are measured, from the one that takes least away to the one that takes most.

    Parameters
    ----------
    classes
        Number of classes; for models without classes nothing is measured.
    """
    return tuple(remedy for each in ON_ANSWERS for remedy in each.measured(classes)) if classes else ()


def __getattr__(name: str) -> Any:
    home = next((home for ending, home in _HOMES.items() if name in __all__ and name.endswith(ending)), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return __all__
