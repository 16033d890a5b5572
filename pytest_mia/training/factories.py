"""The factories of an audit, tried before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_mia.core.errors import MIAUsageError, ModelTrainingError
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.seeding import seed_for, seeded
from pytest_mia.core.settings import Settings
from pytest_mia.data.dataset import Dataset, Target
from pytest_mia.data.records import Data
from pytest_mia.models.queries import registry
from pytest_mia.models.sklearn import kind_of
from pytest_mia.training.failures import describe_failure
from pytest_mia.training.jobs import Method


@dataclass(frozen=True, eq=False)
class FactoryProbe:
    """A factory with the models that it gave at its first two calls.

    Attributes
    ----------
    name
        Its fixture.
    factory
        The factory; whatever the user gave, where it can't be called.
    models
        A fresh model of each call; empty where it can't be called.
    """

    name: str
    factory: Any
    models: tuple[Any, ...]


def try_factories(request: AuditRequest, settings: Settings) -> tuple[FactoryProbe, ...]:
    """Every factory that the audit will call, called twice.

    Raises
    ------
    ModelTrainingError
        When a factory raises.
    """
    seeds = [seed_for(settings.seed, "check", call) for call in range(2)]
    return tuple(
        FactoryProbe(name, factory, tuple(call_factory(factory, seed) for seed in seeds) if callable(factory) else ())
        for name, factory in _list_factories(request, settings)
    )


def call_factory(factory: Callable[[], Any], seed: int) -> Any:
    """A fresh model, before any is trained; an error in the factory is shown as the user's own.

    Raises
    ------
    ModelTrainingError
        When the factory raises.
    """
    with seeded(seed):
        try:
            return factory()
        except Exception as error:
            raise ModelTrainingError(describe_failure("the model factory failed", error)) from None


def find_kind(request: AuditRequest, factories: Sequence[FactoryProbe]) -> str | None:
    """What the audited model says that it is, as scikit-learn's protocol has it: "classifier", "regressor"..."""
    models = [each.models[0] for each in factories if each.models]
    model = request.target.model if isinstance(request.target, Target) else next(iter(models), None)
    return kind_of(model)


def find_problems(
    request: AuditRequest, settings: Settings, method: Method, data: Data | None, factories: Sequence[FactoryProbe]
) -> list[str]:
    """What is wrong with the factories and with fresh models of them, each problem once.

    Parameters
    ----------
    request, settings
        The audit.
    method
        How models are trained and asked.
    data
        Records to train on, or ``None`` where these have problems of their own.
    factories
        What `try_factories` returned.
    """
    found: list[str] = []
    for each in factories:
        if each.factory is None:
            found.append(f"{each.name} is missing; give a callable without arguments that returns an untrained model")
        elif not each.models:
            found.append(f"{each.name} must be callable without arguments, got {type(each.factory).__name__}")
        else:
            found += _find_model_problems(each, method, data)
    if settings.shadows and not request.shadow_factories:
        found.append(
            "mia_shadow_factory is an empty list; give at least one guess of the factory, or leave the fixture out"
        )
    return list(dict.fromkeys(found))


def _list_factories(request: AuditRequest, settings: Settings) -> list[tuple[str, Any]]:
    """Every factory that will be called, once, with its fixture."""
    own = [("mia_model_factory", request.model_factory)] if request.target is None else []
    place = "mia_model_factory" if request.guess is None else "mia_shadow_factory"
    guesses = [(place, guess) for guess in request.shadow_factories] if settings.shadows else []
    return list({id(factory): (name, factory) for name, factory in [*own, *guesses]}.values())


def _find_model_problems(tried: FactoryProbe, method: Method, data: Data | None) -> list[str]:
    name, (first, second) = tried.name, tried.models
    if first is None:
        return [f"{name} returned None; it must return a model; check that it ends with a return"]
    if isinstance(first, type):
        return [f"{name} returned the class {first.__name__}; it must return a model, such as {first.__name__}()"]
    found = []
    if first is second:
        found.append(
            f"{name} returned the same object twice; it must return a fresh model at each call, "
            "such as lambda: RandomForestClassifier()"
        )
    if data is None:
        return found
    try:
        adapter, given = method.adapter(first, data), Dataset(data.X, data.y)
        # One who trains and asks may say the same twice.
        found += dict.fromkeys([*adapter.trainer.problems(first, given), *adapter.asker.problems(first, given)])
        return found or registry.find_problems(method.probes or (), adapter, first, data.X)
    except MIAUsageError as error:
        return [*found, *error.problems]
