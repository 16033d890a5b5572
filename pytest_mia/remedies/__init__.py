"""Remedies: what ``--mia-what-if`` measures, and what a team ships. Most change answers and nothing else; two train.

`Rounded`, `TopK`, `Label` and `Tempered` are functions of answers. Each has wrappers that answer exactly so: an
estimator (`RoundedAnswers(estimator, step=0.25)`) and a torch module (`RoundedModule(module, step=0.25)`). The wrappers
are loaded when they are first used, since they are built on scikit-learn and on torch. `EarlyStoppedTraining` and
`PrivateTraining` are other ways to train a torch module, for ``mia_training``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pytest_mia.remedies.labels import Label
from pytest_mia.remedies.protocol import Remedy
from pytest_mia.remedies.rounding import Rounded
from pytest_mia.remedies.temperature import Tempered
from pytest_mia.remedies.top_k import TopK

if TYPE_CHECKING:
    from pytest_mia.remedies.estimators import LabelAnswers, RoundedAnswers, TemperedAnswers, TopKAnswers
    from pytest_mia.remedies.modules import LabelModule, RoundedModule, TemperedModule, TopKModule
    from pytest_mia.remedies.trainings import EarlyStoppedTraining, PrivateTraining

_WRAPPERS = {"Answers": "estimators", "Module": "modules", "Training": "trainings"}

__all__ = [
    "EarlyStoppedTraining",
    "Label",
    "LabelAnswers",
    "LabelModule",
    "PrivateTraining",
    "Rounded",
    "RoundedAnswers",
    "RoundedModule",
    "Tempered",
    "TemperedAnswers",
    "TemperedModule",
    "TopK",
    "TopKAnswers",
    "TopKModule",
]


def by_default(classes: int) -> tuple[Remedy, ...]:
    """The remedies that are measured, from the one that takes least away to the one that takes most.

    Parameters
    ----------
    classes
        Number of classes; models without classes have none of these remedies. Of few classes, the three likeliest are
        all that there is.
    """
    if not classes:
        return ()
    likeliest = (TopK(3),) if classes > 4 else ()
    return (Tempered(2.0), *likeliest, Rounded(0.1), Rounded(0.25), Label())


def __getattr__(name: str) -> Any:
    home = next((home for ending, home in _WRAPPERS.items() if name in __all__ and name.endswith(ending)), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return __all__
