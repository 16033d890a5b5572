"""The registry of queries: what a trained model is asked besides its answers on the records, one query a file.

A query asks about changed copies of the records, or looks inside the model.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from pytest_mia.core.seeding import seed_for, seeded
from pytest_mia.models.answers import Answer, Labels, Logits, Probabilities
from pytest_mia.models.functions import LossAsker
from pytest_mia.models.protocol import Adapter
from pytest_mia.models.queries.gradient_norm import GradientNorm
from pytest_mia.models.queries.hop_skip_jump import HopSkipJump
from pytest_mia.models.queries.label_noise import LabelNoise
from pytest_mia.models.queries.perturb import noise_for
from pytest_mia.models.queries.protocol import Probe, QueryTarget
from pytest_mia.models.signals import Signals, merged

PROBES: tuple[Probe, ...] = (LabelNoise(), HopSkipJump(), GradientNorm())

FEWEST_VALUES = 10
"""Answers of fewer distinct values than this hide what noise brings to light."""


def names_that_measure(fields: Collection[str]) -> tuple[str, ...]:
    """Names of the probes that measure any of these fields of `Signals`."""
    return tuple(probe.name for probe in PROBES if not set(probe.fields).isdisjoint(fields))


def choose_by_default(answer: Answer, X: Any) -> tuple[str, ...]:
    """Names of the probes that run unasked, by the answer of the first model.

    Labels alone, and answers of few values, hide how sure a model is; how much noise they bear shows it (Choquette-Choo
    et al. 2021).
    """
    match answer:
        case Labels():
            coarse = True
        case Probabilities(values) | Logits(values):
            coarse = len(np.unique(values)) < FEWEST_VALUES
        case _:
            coarse = False
    return (LabelNoise.name,) if coarse and noise_for(X) is not None else ()


def find_problems(names: Sequence[str], adapter: Adapter, model: Any, X: Any) -> list[str]:
    """Why models like this one can't be probed about these records; before any training.

    Parameters
    ----------
    names
        Probes that were asked for.
    adapter, model
        A fresh model of the audit, or the released one, with its adapter.
    X
        The records.
    """
    # Every asker but that of losses knows the classes of y.
    if not len(getattr(adapter.asker, "classes", ())):
        without = "mia_loss gives none" if isinstance(adapter.asker, LossAsker) else "y holds none"
        return [f"{name} asks for classes, and {without}; leave it out of the attacks" for name in names]
    return [problem for probe in _named(names) for problem in probe.problems(adapter, model, X)]


def measure(names: Sequence[str], target: QueryTarget, X: Any, *, seed: int, model_seed: int) -> Signals:
    """What these probes find on one model.

    Parameters
    ----------
    names
        The probes.
    target
        The trained model.
    X
        All records.
    seed
        The audit's: every model is asked about the same copies.
    model_seed
        The model's own, for answers that are random themselves.
    """
    found = Signals()
    for probe in _named(names):
        with seeded(seed_for(model_seed, f"probe {probe.name}")):
            found = merged(found, probe.measure(target, X, seed_for(seed, f"probe {probe.name}")))
    return found


def _named(names: Sequence[str]) -> list[Probe]:
    return [probe for probe in PROBES if probe.name in names]
