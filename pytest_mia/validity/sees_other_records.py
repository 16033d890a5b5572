"""Does the user's code look at records that it isn't given, such as a scaler that was fitted on all of them?

Where the user's code holds a table with as many rows as there are records, a copy of the code is made, and in its table
the rows that a model is not trained on are exchanged. Trained again on the same records, the model must give the same
answers. Functions can be copied, the user's own classes can't: code that refers to such a class isn't checked.
"""

from __future__ import annotations

import dataclasses
import io
import sys
from types import ModuleType
from typing import Any

import numpy as np

from pytest_mia.cache import pickling
from pytest_mia.cache.user_modules import is_user_module
from pytest_mia.core.types import BoolArray, IntArray
from pytest_mia.data.containers import is_sparse, is_tensor, take
from pytest_mia.data.records import Data
from pytest_mia.models.signals import same
from pytest_mia.training import fit
from pytest_mia.training.jobs import Job, Method, Trained
from pytest_mia.validity.protocol import NOTHING, CheckResult
from pytest_mia.validity.user_code import UserCode

HALF = 2


def check(code: UserCode) -> CheckResult:
    """The finding that a model depends on records that it wasn't given."""
    if not code.suspects:
        return NOTHING
    try:
        depends = _depends_on_others(code.trained[0], code.job, code.data, code.method)
    except Exception:
        # Code that can't be copied, or fails on other records, proves nothing.
        return NOTHING
    seen = (
        f"{' or '.join(code.suspects)} looks at records that it isn't given: it holds all {len(code.job.members)} "
        "records, and when those that the model is not trained on are exchanged, the same model answers differently. "
        "Fit scalers, vocabularies and encodings inside the training, on the X and y that the function is given"
    )
    return CheckResult((seen,)) if depends else CheckResult()


def _depends_on_others(trained: Trained, job: Job, data: Data, method: Method) -> bool:
    changed = _copy_code(job, method, _exchange_rows(job.members))
    if changed is None or same(trained.signals, fit.train_one(changed[0], data, changed[1]).signals):
        return False
    copied = _copy_code(job, method, np.arange(len(job.members)))
    # Training that gives another model each time shows nothing by giving one.
    return copied is not None and same(trained.signals, fit.train_one(copied[0], data, copied[1]).signals)


def _exchange_rows(members: BoolArray) -> IntArray:
    """All rows, those of non-members replaced by half of them, so that what they sum to changes too."""
    rows, outside = np.arange(len(members)), np.flatnonzero(~members)
    rows[outside] = np.resize(outside[: max(1, len(outside) // HALF)], len(outside))
    return rows


def _copy_code(job: Job, method: Method, rows: IntArray) -> tuple[Job, Method] | None:
    """A copy of the code that sees these rows where it holds all; ``None`` where it holds none of such a length."""
    parts = job.factory, method.training, method.predict, method.loss
    target = io.BytesIO()
    copier = _Copier(target, rows)
    with pickling.pickled_by_value(_own_modules()):
        copier.dump(parts)
    if not copier.replaced:
        return None
    factory, training, predict, loss = pickling.loads(target.getvalue())
    plain = dataclasses.replace(method, training=training, predict=predict, loss=loss, probes=(), what_if=())
    return dataclasses.replace(job, factory=factory), plain


def _own_modules() -> list[ModuleType]:
    """Loaded modules of the user's, whose variables are copied with their functions."""
    # One module may be loaded under two names.
    loaded = {id(module): module for module in [*sys.modules.values()] if getattr(module, "__file__", None)}.values()
    return [
        module
        for module in loaded
        if type(module) is ModuleType and module.__name__ != "__main__" and is_user_module(module)
    ]


class _Copier(pickling.Pickler):
    """Takes other rows of everything that has as many as there are records."""

    def __init__(self, target: io.BytesIO, rows: IntArray) -> None:
        super().__init__(target)
        self.replaced = 0
        self._rows = rows

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type) and not _is_by_name(value):
            # Cloudpickle gives a process its own class back, with the copy's functions put into it.
            raise TypeError(f"the class {value.__name__} can't be copied")
        if _is_table(value) and value.shape[:1] == (len(self._rows),):
            self.replaced += 1
            return take(value, self._rows).__reduce_ex__(4)
        return super().reducer_override(value)


def _is_by_name(kind: type) -> bool:
    """Whether a class is a library's, which a copy of the code shares."""
    module = sys.modules.get(kind.__module__)
    return module is not None and not is_user_module(module) and "<locals>" not in kind.__qualname__


def _is_table(value: Any) -> bool:
    frame = hasattr(value, "iloc") and not isinstance(value, type)
    return frame or isinstance(value, np.ndarray) or is_tensor(value) or is_sparse(value)
