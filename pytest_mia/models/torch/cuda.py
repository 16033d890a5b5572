"""What is done on GPUs alone: a stream of its own, memory measured and given back, steps captured as CUDA graphs."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_mia.core.errors import MIAError

if TYPE_CHECKING:
    import torch

    from pytest_mia.models.torch.batch_stack import Gradients

STEPS_BEFORE_CAPTURE = 3
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


@contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """Work on a stream other than the default one, as capturing needs it; nothing on a CPU."""
    import torch

    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    usual = torch.cuda.current_stream(device)
    stream.wait_stream(usual)
    try:
        with torch.cuda.device(device), torch.cuda.stream(stream):
            yield
    finally:
        usual.wait_stream(stream)


def send(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy a tensor to a device without waiting for the work that the device is doing."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


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
    # A captured step keeps its memory apart from that of the steps before it: each module counts twice.
    needed = 2 * max(torch.cuda.max_memory_allocated(device) - before, 1)
    return max(1, int(SHARE_OF_MEMORY * torch.cuda.get_device_properties(device).total_memory // needed))


@dataclass(eq=False)
class Captured:
    """Steps of training that are captured as a CUDA graph once they are warm, and replayed from then on.

    The first steps run as they are, and so do all where gradients wait for the GPU, which can't be captured. This is
    found out without a capture: one that fails leaves torch's allocator and generator in disorder, for the user too.

    Attributes
    ----------
    gradients
        Those of a step, from the rows of its batch, which are always of one shape.
    update
        The rest of the step.
    """

    gradients: Callable[[torch.Tensor], Gradients]
    update: Callable[[Gradients], None]
    calls: int = 0
    advance: Callable[[torch.Tensor], None] | None = None

    def __call__(self, rows: torch.Tensor) -> None:
        """Do the step."""
        self.calls += 1
        if self.calls > STEPS_BEFORE_CAPTURE and self.advance is None:
            self.advance = self._captured(rows) if self._never_waits(rows) else self._step
        (self.advance or self._step)(rows)

    def _step(self, rows: torch.Tensor) -> None:
        self.update(self.gradients(rows))

    def _never_waits(self, rows: torch.Tensor) -> bool:
        try:
            with _no_waiting():
                self.gradients(rows)
        except RuntimeError as error:
            if memory_ran_out(error):
                raise
            return False
        return True

    def _captured(self, rows: torch.Tensor) -> Callable[[torch.Tensor], None]:
        import torch

        held, graph = rows.clone(), torch.cuda.CUDAGraph()
        # On the stream of the steps before, where libraries have what they need; torch's own for captures would be that
        # of whichever GPU came first. What the user's other threads do on a GPU meanwhile doesn't matter.
        stream = torch.cuda.current_stream(rows.device)
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            self._step(held)

        def replay(rows: torch.Tensor) -> None:
            held.copy_(rows)
            graph.replay()

        return replay


@contextmanager
def _no_waiting() -> Iterator[None]:
    """Have torch raise where the host would wait for the GPU."""
    import torch

    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        # That this mode is a prototype.
        warnings.simplefilter("ignore")
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)
