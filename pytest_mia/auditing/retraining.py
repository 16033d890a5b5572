"""Remedies that train: the lines to change in a factory or a training, chosen by the model's own parameters.

Calibration belongs here: it is fitted on records, so it is training (with scikit-learn's `CalibratedClassifierCV`, on
folds of the members). A fixed temperature is not, see `pytest_mia.remedies.Tempered`.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_mia.auditing.plan import Plan
from pytest_mia.core.request import AuditRequest
from pytest_mia.models.sklearn import kind_of
from pytest_mia.models.torch.module import TorchTraining
from pytest_mia.remedies.trainings import EarlyStoppedTraining, PrivateTraining, private_available

STOPPED, PRIVATE = "EarlyStoppedTraining(training, patience=2)", "PrivateTraining(training, noise=1.0)"
NEEDS_OPACUS = " (needs Opacus: pip install opacus)"
LINES = 3
"""Changes of parameters that are proposed at the most."""


@dataclass(frozen=True)
class Retraining:
    """A remedy that trains.

    Attributes
    ----------
    line
        What to change.
    idea
        What it does, in a few words.
    request
        What is audited with the change.
    """

    line: str
    idea: str
    request: AuditRequest


@dataclass(frozen=True)
class WithParameters:
    """A factory of models with other parameters.

    Attributes
    ----------
    factory
        The user's own.
    values
        Names and values.
    """

    factory: Callable[[], Any]
    values: tuple[tuple[str, Any], ...]

    def __call__(self) -> Any:
        """A fresh model; what models of the user's factory share stays as it is."""
        return copy.deepcopy(self.factory()).set_params(**dict(self.values))


@dataclass(frozen=True)
class Calibrated:
    """A factory of models that are calibrated on folds of their members.

    Attributes
    ----------
    factory
        The user's own.
    """

    factory: Callable[[], Any]

    def __call__(self) -> Any:
        """A fresh model."""
        from sklearn.calibration import CalibratedClassifierCV

        return CalibratedClassifierCV(self.factory(), cv=3)


def _times(factor: float, least: float = 0.0) -> Callable[[Any], Any]:
    return lambda value: max(factor * (value or 0), least) if _is_number(value) or value is None else None


def _whole(factor: float, least: int) -> Callable[[Any], Any]:
    return lambda value: max(int(factor * value), least) if isinstance(value, int) and value > 0 else None


STRONGER: Mapping[str, Callable[[Any], Any]] = {
    "C": lambda value: value / 10 if _is_number(value) else None,
    "alpha": _times(10, 0.001),
    "reg_lambda": _times(10, 10.0),
    "l2_regularization": _times(10, 1.0),
    "min_samples_leaf": _whole(5, 10),
    "min_child_samples": _whole(5, 50),
    "max_depth": lambda value: 3 if value is None else value // 2 if isinstance(value, int) and value > 1 else None,
    "n_neighbors": _whole(4, 15),
    "n_iter_no_change": lambda value: 5 if value is None else None,
    "early_stopping": lambda value: None if value is True else True,
    "max_epochs": _whole(0.5, 1),
    "epochs": _whole(0.5, 1),
    "weight_decay": _times(10, 0.01),
}
"""A value that regularises more, by the names that scikit-learn, its kin and `TorchTraining` give to parameters."""


def propose_retrainings(plan: Plan, request: AuditRequest) -> tuple[Retraining, ...]:
    """What can be measured of a recipe, the stronger regularisation first; nothing for a release."""
    if plan.kind != "recipe" or not plan.tried or not plan.tried[0].models:
        return ()
    model = plan.tried[0].models[0]
    found = [
        Retraining(line, f"regularised by {name}", _change_request(request, _torch(model, request), name, value))
        for name, value, line in _regularise(model, request)
    ]
    training = _torch(model, request)
    if training is not None:
        found += [
            Retraining(line, idea, dataclasses.replace(request, training=changed))
            for line, idea, changed in _list_trainings(training)
        ]
    estimator = request.training is None and kind_of(model) == "classifier" and hasattr(model, "get_params")
    if estimator and request.predict is None and hasattr(model, "predict_proba"):
        calibrated = dataclasses.replace(request, model_factory=Calibrated(_factory(request)))
        found.append(Retraining("CalibratedClassifierCV(estimator, cv=3)", "calibrated", calibrated))
    return tuple(found)


def describe_retrainings(plan: Plan, request: AuditRequest) -> tuple[str, ...]:
    """What to change in the training, in words: of a release, in that of its factory."""
    if not plan.tried or not plan.tried[0].models:
        return ()
    model = plan.tried[0].models[0]
    found = [line for _, _, line in _regularise(model, request)]
    missing = "" if private_available() else NEEDS_OPACUS
    return (*found, STOPPED, PRIVATE + missing) if _torch(model, request) is not None else tuple(found)


def _list_trainings(training: TorchTraining) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Line, idea and function of each other way to train a module, those for which all is installed."""
    yield STOPPED, "stopped early", EarlyStoppedTraining(training)
    if private_available():
        yield PRIVATE, "with differential privacy", PrivateTraining(training)


def _regularise(model: Any, request: AuditRequest) -> list[tuple[str, Any, str]]:
    """Name, value and line of each change."""
    training = _torch(model, request)
    if training is not None:
        now = {name: getattr(training, name) for name in ("epochs", "weight_decay")}
        written = "TorchTraining({}={!r})"
    elif request.training is None and hasattr(model, "get_params") and hasattr(model, "set_params"):
        now, written = model.get_params(deep=True), "set_params({}={!r})"
    else:
        return []
    changes = [
        (name, after, f"{written.format(name, after)} (now {before!r})")
        for kind, change in STRONGER.items()
        for name, before in now.items()
        if name.rpartition("__")[2] == kind and (after := change(before)) is not None and after != before
    ]
    return changes[:LINES]


def _change_request(request: AuditRequest, training: TorchTraining | None, name: str, value: Any) -> AuditRequest:
    if training is not None:
        return dataclasses.replace(request, training=dataclasses.replace(training, **{name: value}))
    return dataclasses.replace(request, model_factory=WithParameters(_factory(request), ((name, value),)))


def _torch(model: Any, request: AuditRequest) -> TorchTraining | None:
    """The training, where a module is trained by a `TorchTraining`."""
    if isinstance(request.training, TorchTraining):
        return request.training
    return TorchTraining() if request.training is None and _is_module(model) else None


def _is_module(model: Any) -> bool:
    return hasattr(model, "parameters") and hasattr(model, "forward") and not hasattr(model, "fit")


def _factory(request: AuditRequest) -> Callable[[], Any]:
    assert request.model_factory is not None, "a recipe has a factory"
    return request.model_factory


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
