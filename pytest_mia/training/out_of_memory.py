"""On the CPU, where a model doesn't fit into the memory of a GPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pytest_mia.models.torch.cuda import memory_ran_out, release
from pytest_mia.training.jobs import Method, Trained


def where_it_fits(work: Callable[[Method], Trained], method: Method) -> Trained:
    """What `work` makes by this method; by the same method on the CPU, once a GPU's memory has run out.

    Parameters
    ----------
    work
        Trains a model or asks it; it is called anew.
    method
        How, and where.
    """
    try:
        return work(method)
    except Exception as error:
        if method.device == "cpu" or not memory_ran_out(error):
            raise
        # What is free, and who holds what, says torch in further sentences.
        why = ". ".join(str(error).partition("\n")[0].split(". ")[:2])
    # Not before: what was on the GPU hangs on the error's traceback.
    release()
    return replace(work(replace(method, device="cpu")), moved=why)
