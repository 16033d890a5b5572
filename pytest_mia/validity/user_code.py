"""Controls of the user's own code, by the first model that was trained: does it use what it is given, and nothing else?

A factory whose models are trained already, code that ignores its records, and code that looks at others, each let a
model pass that should not.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from pytest_mia.cache.store import Store
from pytest_mia.cache.user_modules import is_user_module
from pytest_mia.data.records import Data
from pytest_mia.models.signals import same
from pytest_mia.models.torch.module import TorchTraining
from pytest_mia.training import model_cache
from pytest_mia.training.factories import FactoryProbe
from pytest_mia.training.jobs import Job, Method, Trained
from pytest_mia.validity import ignores_data, pretrained_factory, sees_other_records


def found(
    job: Job,
    data: Data,
    factories: Sequence[FactoryProbe],
    trained: Sequence[Trained],
    method: Method,
    store: Store | None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Findings and notes on the user's own code, from its fresh models and the first trained one.

    Parameters
    ----------
    job, data
        What the first of the trained models was trained by.
    factories
        The audit's factories, each with fresh models of it.
    trained
        The models so far; at least one.
    method, store
        How they were trained and asked, and where others are found.
    """
    if not factories or not factories[0].models:
        return (), ()
    first, fresh = trained[0], factories[0].models
    before, note = pretrained_factory.found(fresh, first, job.members, data, method)
    suspected = suspects(method, fresh[0], trained)
    findings = [before]
    if suspected:
        twin = ignores_data.twin_of(job, data)
        if twin is not None:
            cache = model_cache.of(store, twin[1], factories)
            findings.append(ignores_data.finding(first, (job, data), twin, method, cache, suspected))
        findings.append(sees_other_records.finding(first, job, data, method, suspected))
    return tuple(each for each in findings if each), (note,) if note else ()


def suspects(method: Method, model: Any, trained: Sequence[Trained]) -> tuple[str, ...]:
    """Fixtures that gave code of the user's own, or a factory whose models all answer alike.

    Parameters
    ----------
    method
        How models are trained and asked.
    model
        A fresh model.
    trained
        The models so far.
    """
    given = {"mia_training": method.training, "mia_predict": method.predict, "mia_loss": method.loss}
    names = [name for name, value in given.items() if value is not None and not isinstance(value, TorchTraining)]
    alike = len(trained) > 1 and all(same(trained[0].signals, one.signals) for one in trained[1:])
    factory = (alike and not names) or (method.training is None and _is_own(model))
    return (*names, "mia_model_factory") if factory else tuple(names)


def _is_own(model: Any) -> bool:
    """Whether a model, or a part of it, is trained by a class of the user's own."""
    parts = [model, *(model.get_params(deep=True).values() if hasattr(model, "get_params") else ())]
    trained = [type(part) for part in parts if hasattr(part, "fit") and not isinstance(part, type)]
    return any(kind.__module__ in sys.modules and is_user_module(sys.modules[kind.__module__]) for kind in trained)
