"""Calls of the user's code, whose errors are shown as errors of that code."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pytest_mia.core.errors import InvalidAuditError, MIAUsageError, ModelTrainingError
from pytest_mia.core.seeding import seeded
from pytest_mia.training.jobs import Job


@contextlib.contextmanager
def name_errors(job: Job) -> Iterator[None]:
    """Errors name the model that is trained here, and show the user's own code."""
    try:
        yield
    except (MIAUsageError, InvalidAuditError) as error:
        error.add_note(f"while training model {job.number} (seed {job.seed})")
        raise
    except Exception as error:
        why = " because memory ran out (train fewer models at the same time: --mia-jobs=1)"
        why = why if isinstance(error, MemoryError) else ""
        raise ModelTrainingError(
            describe_failure(f"model {job.number} (seed {job.seed}) could not be trained{why}", error)
        ) from None


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


def describe_failure(what: str, error: Exception) -> str:
    """One line that says what failed, then the traceback of the user's code without our own frames."""
    ours, told = str(Path(__file__).parents[1]), traceback.TracebackException.from_exception(error)
    frames = [frame for frame in told.stack if not frame.filename.startswith(ours)]
    told.stack = traceback.StackSummary.from_list(frames or told.stack)
    return f"{what}: {type(error).__name__}: {error}\n\n{''.join(told.format())}"
