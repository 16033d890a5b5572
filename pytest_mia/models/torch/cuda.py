"""What is done on GPUs alone: memory is measured and given back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from pytest_mia.core.errors import MIAError

if TYPE_CHECKING:
    import torch

SHARE_OF_MEMORY = 0.5
"""Of a GPU's whole memory, what models that are trained as one may take."""
SHARE_OF_RECORDS = 0.25
"""The same for the records of a model that is trained alone, which stay where they are if there are more."""
WORDS_OF_MEMORY = ("out of memory", "_ALLOC_FAILED", "CUBLAS_STATUS_NOT_INITIALIZED")
"""What torch says, and the libraries beneath it, when a GPU has no memory left."""


def meant_by_cuda(name: str) -> AbstractContextManager[Any]:
    """Have "cuda" mean this GPU, in the user's code too."""
    if not name.startswith("cuda"):
        return nullcontext()
    import torch

    return torch.cuda.device(name)


def memory_ran_out(error: Exception) -> bool:
    """Whether a GPU had no memory left; errors of ours don't count, since they may quote such an error."""
    from_torch = isinstance(error, RuntimeError) and not isinstance(error, MIAError)
    return from_torch and any(words in str(error) for words in WORDS_OF_MEMORY)


def release() -> None:
    """Give back memory that torch keeps for later, to other processes and to libraries beside torch."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def has_room(device: torch.device, *tensors: torch.Tensor) -> bool:
    """Whether it is a GPU that can hold records as long as a model is trained on them."""
    import torch

    if device.type != "cuda":
        return False
    whole = torch.cuda.get_device_properties(device).total_memory
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors) <= SHARE_OF_RECORDS * whole


def most_at_once(step: Callable[[], None], device: torch.device) -> int:
    """How many modules fit into their share of a GPU's memory, at least 1.

    The same on each GPU of a kind, whatever else lies on it just now: company changes a model's last bits, and the
    masks of its dropout.

    Parameters
    ----------
    step
        A step of one module, with all that stays in memory for it.
    device
        A GPU.
    """
    import torch

    # In the first step libraries allocate memory that they keep for all later steps.
    step()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    step()
    needed = max(torch.cuda.max_memory_allocated(device) - before, 1)
    return max(1, int(SHARE_OF_MEMORY * torch.cuda.get_device_properties(device).total_memory // needed))
