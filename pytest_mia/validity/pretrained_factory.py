"""Are a factory's models trained already? Then they may know all records, and every model knows them alike.

Such models give the same answers at each call of the factory, and are right before they have seen a record. Where
training on a half doesn't make them better on the other half, they knew both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_mia.core.types import IntArray
from pytest_mia.data.records import Data
from pytest_mia.models.signals import Signals, same, stack
from pytest_mia.training.jobs import Method
from pytest_mia.training.query import query_rows
from pytest_mia.validity import identical_models
from pytest_mia.validity.protocol import NOTHING, CheckResult
from pytest_mia.validity.user_code import UserCode

MOST_ASKED = 1000
BEYOND_CHANCE = 0.1
"""How much more often than the largest class a model must be right, to know something."""


def check(code: UserCode) -> CheckResult:
    """The finding that a factory's models are trained already, or the note that they may be."""
    data, method, trained, members = code.data, code.method, code.trained[0], code.job.members
    some = np.flatnonzero(~members)[:MOST_ASKED]
    asked = [_untrained(model, some, data, method) for model in code.fresh]
    if not len(some) or any(one is None for one in asked) or not same(asked[0], asked[1]):  # type: ignore[arg-type]
        return NOTHING
    signals: Any = asked[0]
    before, after = (
        each.confidence if each.correct is None else each.correct for each in (signals, _part(trained.signals, some))
    )
    if identical_models.is_constant(stack([signals]), data.labels[some]) or before is None or after is None:
        return NOTHING
    text = (
        "models of mia_model_factory answer alike before any training, and as well as "
        f"after it ({before.mean():.3f} on records of the other half, then {after.mean():.3f})"
    )
    if before.mean() >= after.mean():
        known = (
            f"{text}: they were trained before, so they may know all records; let the factory return untrained models"
        )
        return CheckResult((known,))
    chance = np.bincount(data.labels[some]).max() / len(some)
    if signals.correct is None or before.mean() < chance + BEYOND_CHANCE:
        return NOTHING
    note = (
        f"models of mia_model_factory are right on {before.mean():.3f} of the records before any training: if they "
        "were trained on some of these records before, the audit can't see that they leak"
    )
    return CheckResult(notes=(note,))


def _untrained(model: Any, some: IntArray, data: Data, method: Method) -> Signals | None:
    """What a fresh model answers; ``None`` where it can't answer."""
    try:
        return query_rows(model, data, some, method, seed=0)
    except Exception:
        # Few models answer before they are trained, and the user's code may then raise anything.
        return None


def _part(signals: Signals, some: IntArray) -> Signals:
    """Some records of one model's signals."""
    return Signals(
        correct=None if signals.correct is None else signals.correct[some],
        confidence=None if signals.confidence is None else signals.confidence[some],
    )
