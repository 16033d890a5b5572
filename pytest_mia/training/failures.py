"""Errors of the user's code, shown as errors of that code, and a second attempt where a GPU's memory runs out."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from pytest_mia.core.errors import InvalidAuditError, MIAUsageError, ModelTrainingError
from pytest_mia.models.torch.cuda import memory_ran_out, release
from pytest_mia.training.jobs import Job, Method


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


def describe_failure(what: str, error: Exception) -> str:
    """One line that says what failed, then the traceback of the user's code without our own frames."""
    ours, told = str(Path(__file__).parents[1]), traceback.TracebackException.from_exception(error)
    frames = [frame for frame in told.stack if not frame.filename.startswith(ours)]
    told.stack = traceback.StackSummary.from_list(frames or told.stack)
    return f"{what}: {type(error).__name__}: {error}\n\n{''.join(told.format())}"


class Attempt:
    """One attempt to train or query a model; a context that stops the error by which a GPU's memory runs out.

    Parameters
    ----------
    method
        How, and where.
    moved
        Why it runs on the CPU although the method names a GPU; empty where it does not.

    Attributes
    ----------
    lacked
        The error by which memory ran out, in words; empty where the attempt succeeded.
    """

    def __init__(self, method: Method, moved: str = "") -> None:
        self.method, self.moved, self.lacked = method, moved, ""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception) or self.method.device == "cpu" or not memory_ran_out(error):
            return False
        # Torch adds further sentences on what is free and which process holds what.
        self.lacked = ". ".join(str(error).partition("\n")[0].split(". ")[:2])
        return True


def attempts(method: Method) -> Iterator[Attempt]:
    """An attempt by this method; a second one on the CPU, where a GPU's memory runs out in the first.

    Parameters
    ----------
    method
        How the model is trained or queried, and where.
    """
    first = Attempt(method)
    yield first
    if first.lacked:
        # Only here: inside of the handler the error's traceback still refers to what is on the GPU.
        release()
        yield Attempt(replace(method, device="cpu"), moved=first.lacked)
