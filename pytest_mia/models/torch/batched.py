"""Many torch modules trained as one, each with its own start, records, order and dropout.

The loss is the sum of the modules' losses, so that each gets its own gradient, and one optimizer serves the stack of
them, because those of `TorchTraining` work number by number. In float64 and without dropout, training one by one gives
the same to 1e-8. With dropout it can't: each module still draws its own masks, but all draw from one generator at once.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_mia.models.protocol import CannotBatch
from pytest_mia.models.torch import cuda
from pytest_mia.models.torch.batch_schedule import BatchSchedule, Learner
from pytest_mia.models.torch.batch_stack import Gradients, Stack
from pytest_mia.models.torch.loop import make_optimizer, reproducible
from pytest_mia.models.torch.settings import TrainingSettings

if TYPE_CHECKING:
    import torch


LARGE_BLOCK = 2**25 - 2**16
EPS_OF_TF32 = 2.0**-10


def train_many(
    learners: Sequence[Learner],
    inputs: torch.Tensor,
    targets: torch.Tensor,
    settings: TrainingSettings,
    *,
    device: torch.device,
) -> None:
    """Train modules in place, each as `pytest_mia.models.torch.loop.train` would.

    Dropout draws from the device's generator, torch's global one.

    Parameters
    ----------
    learners
        Modules that `pytest_mia.models.torch.batch_checks.explain_refusal` refuses for no reason.
    inputs, targets
        One row per record, on the CPU; `Learner.members` counts these rows.
    settings
        The training.
    device
        The CPU or a GPU.

    Raises
    ------
    CannotBatch
        When torch can't run these modules as one, or does it wrongly; train them one by one then.
    RuntimeError
        When a GPU has no memory left; train fewer then.
    """
    import torch

    try:
        course = BatchSchedule(inputs.to(device), targets.to(device), settings, device)
        with torch.enable_grad(), reproducible(device), _loops_refused():
            trained = [(_train_group(group, course), group) for group in _groups(learners, course)]
    except CannotBatch:
        raise
    except Exception as error:
        if cuda.memory_ran_out(error):
            raise
        said = str(error).strip().partition("\n")[0]
        raise CannotBatch(f"torch can't batch them ({type(error).__name__}: {said})") from error
    for stack, own in trained:
        stack.write([learner.module for learner in own])


def _groups(learners: Sequence[Learner], course: BatchSchedule) -> list[list[Learner]]:
    """As many together as fit into a GPU, in the order of their number of steps."""
    groups = -(-len(learners) // _most_at_once(learners, course))
    return [sorted(learners[number::groups], key=course.steps) for number in range(groups)]


def _most_at_once(learners: Sequence[Learner], course: BatchSchedule) -> int:
    if course.device.type != "cuda":
        return len(learners)

    def one_step() -> None:
        stack = Stack.from_modules([learners[0].module], course.device)
        Updater.for_learners(stack, learners[:1], course).step(course.gradients(stack, course.first_rows(learners[:1])))

    return cuda.most_at_once(one_step, course.device)


def _train_group(learners: Sequence[Learner], course: BatchSchedule) -> Stack:
    _keep_freed_memory()
    stack = _checked(Stack.from_modules([learner.module for learner in learners], course.device), learners, course)
    updater = Updater.for_learners(stack, learners, course)
    for epoch in course.epochs(learners):
        for rows in epoch.full:
            updater.step(course.gradients(stack, rows))
        for parts in epoch.rest:
            updater.step(course.gradients_of_parts(stack, parts))
    return stack


def _checked(stack: Stack, learners: Sequence[Learner], course: BatchSchedule) -> Stack:
    """The stack, laid out as its gradients arrive, after they were found to be those of the modules alone.

    Without this, an operation that torch batches wrongly would train other models than the user's.
    """
    rows = course.first_rows(learners)
    stack.skeleton.eval()
    together = course.gradients(stack, rows)
    for number in {0, len(learners) - 1}:
        module = copy.deepcopy(learners[number].module).to(course.device).eval()
        alone = course.gradients_alone(module, rows[number])
        batched = [None if each is None else each[number] for each in together]
        if not _agree(batched, alone):
            raise CannotBatch("torch's batched gradients differ from those of one module alone")
    stack.skeleton.train()
    return stack.laid_out_like(together)


def _agree(batched: Gradients, alone: Gradients) -> bool:
    if any((one is None) != (other is None) for one, other in zip(batched, alone, strict=True)):
        return False
    pairs = [(one, other) for one, other in zip(batched, alone, strict=True) if one is not None and other is not None]
    largest = max(float(other.abs().max()) for _, other in pairs)
    return all(float((one - other).abs().max()) <= _rounding(other) * largest for one, other in pairs)


def _rounding(tensor: torch.Tensor) -> float:
    """How much of the largest gradient rounding may change; GPUs multiply float32 in TF32, where torch lets them."""
    import torch

    in_tf32 = tensor.is_cuda and tensor.dtype == torch.float32
    return float((EPS_OF_TF32 if in_tf32 else torch.finfo(tensor.dtype).eps) ** 0.5)


@dataclass(frozen=True, eq=False)
class Updater:
    """One optimizer for a stack.

    It counts steps for each of its parameters, and so modules that take equally many in an epoch share theirs.

    Attributes
    ----------
    optimizer
        That of the settings, as one kernel rather than one per tensor and operation.
    shares
        Modules that take equally many steps, counted from the last one back, and views of their tensors.
    """

    optimizer: torch.optim.Optimizer
    shares: list[tuple[slice, list[torch.Tensor]]]

    @classmethod
    def for_learners(cls, stack: Stack, learners: Sequence[Learner], course: BatchSchedule) -> Updater:
        """An optimizer for learners in the order of their number of steps."""
        steps = [course.steps(learner) for learner in learners]
        starts = [steps.index(each) - len(steps) for each in sorted(set(steps))]
        places = [slice(start, stop or None) for start, stop in zip(starts, [*starts[1:], 0], strict=True)]
        shares = [
            (place, [tensor.detach()[place].requires_grad_() for tensor in stack.learnt.values()]) for place in places
        ]
        optimizer = make_optimizer(course.settings, [tensor for _, own in shares for tensor in own])
        for group in optimizer.param_groups:
            group["fused"] = True
        return cls(optimizer, shares)

    def step(self, gradients: Gradients) -> None:
        """Move the modules that have gradients: all of them, or the last ones."""
        for place, tensors in self.shares:
            for tensor, gradient in zip(tensors, gradients, strict=True):
                own = None if gradient is None else gradient[place].contiguous()
                tensor.grad = own if own is not None and len(own) else None
        self.optimizer.step()


def _keep_freed_memory() -> None:
    """Have the C library keep what is freed: glibc learns from one large block how much is worth keeping.

    Otherwise it gives the memory of a step back to the system and gets it anew, page by page, in the next: a quarter of
    the time.
    """
    import torch

    torch.empty(LARGE_BLOCK, dtype=torch.uint8)


@contextmanager
def _loops_refused() -> Iterator[None]:
    """Have torch refuse operations that it would batch by a loop over the modules, rather than warn of them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="(?s).*performance drop")
        yield
