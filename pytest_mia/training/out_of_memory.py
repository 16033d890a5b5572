"""Repeat on the CPU what does not fit into the memory of a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType

from pytest_mia.models.torch.cuda import memory_ran_out, release
from pytest_mia.training.jobs import Method


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
