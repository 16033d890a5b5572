"""What batched training does on GPUs alone: a stream of its own, memory measured, steps captured as CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    Step = Callable[[torch.Tensor], None]

STEPS_BEFORE_CAPTURE = 3
SHARE_OF_MEMORY = 0.7


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
    with torch.cuda.device(device), torch.cuda.stream(stream):
        yield
    usual.wait_stream(stream)


def send(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy a tensor to a device without waiting for what the device is at."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def most_at_once(step: Callable[[], None], device: torch.device) -> int:
    """How many modules fit into the memory that is free, at least 1.

    Parameters
    ----------
    step
        A step of one module, with all that stays in memory for it.
    device
        A GPU.
    """
    import torch

    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    step()
    # A captured step keeps its memory apart from that of the steps before it: each module counts twice.
    needed = 2 * max(torch.cuda.max_memory_allocated(device) - before, 1)
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return max(1, int(SHARE_OF_MEMORY * (torch.cuda.mem_get_info(device)[0] + unused) // needed))


@dataclass(eq=False)
class Captured:
    """A step that is captured as a CUDA graph once it is warm, and replayed from then on.

    The first calls run as they are, and count as training; so does every call when the step can't be captured.

    Attributes
    ----------
    step
        Takes the rows of the batch, always of one shape.
    """

    step: Step
    calls: int = 0
    replay: Step | None = None

    def __call__(self, rows: torch.Tensor) -> None:
        """Do the step."""
        self.calls += 1
        if self.calls > STEPS_BEFORE_CAPTURE and self.replay is None:
            self.replay = self._capture(rows)
        (self.replay or self.step)(rows)

    def _capture(self, rows: torch.Tensor) -> Step:
        import torch

        held, graph = rows.clone(), torch.cuda.CUDAGraph()
        try:
            # Other GPUs are at work in other threads of this process.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self.step(held)
        except RuntimeError:
            return self.step

        def replay(rows: torch.Tensor) -> None:
            held.copy_(rows)
            graph.replay()

        return replay
