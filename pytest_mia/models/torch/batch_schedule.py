"""The records on the device that trains, and the batches in which each module meets its own records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, TypeAlias

from pytest_mia.core.types import IntArray
from pytest_mia.models.torch.batch_stack import Gradients, Stack, summed_loss
from pytest_mia.models.torch.loop import batch_sizes, classification_loss
from pytest_mia.models.torch.settings import TrainingSettings

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Learner:
    """One of the modules that are trained together.

    Attributes
    ----------
    module
        A fresh module, on the CPU.
    members
        Row numbers of its records (members,).
    seed
        Decides the order of its records, as in `pytest_mia.models.torch.loop.train`.
    """

    module: torch.nn.Module
    members: IntArray
    seed: int


Part: TypeAlias = "tuple[torch.Tensor, torch.Tensor]"
"""Numbers of learners whose batches have one length (learners,), and the rows of their batches (learners, length)."""


@dataclass(frozen=True, eq=False)
class Epoch:
    """The rows of an epoch's batches.

    Attributes
    ----------
    full
        Steps in which each learner has a full batch (steps, learners, batch).
    rest
        The steps after them, at most two; the learners of a step are the last ones of all.
    """

    full: torch.Tensor
    rest: list[list[Part]]


@dataclass(frozen=True, eq=False)
class BatchSchedule:
    """What the learners on one device share.

    Attributes
    ----------
    inputs, targets
        One row per record; they lie on `device`.
    settings
        How to train.
    device
        Where.
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    settings: TrainingSettings
    device: torch.device

    def steps(self, learner: Learner) -> int:
        """Steps that a learner takes in an epoch."""
        return len(batch_sizes(len(learner.members), self.settings.batch_size))

    def first_rows(self, learners: Sequence[Learner]) -> torch.Tensor:
        """As many rows of each learner as all of them have, one batch at the most (learners, rows)."""
        import torch

        length = min(self.settings.batch_size, *(len(learner.members) for learner in learners))
        return torch.stack([torch.as_tensor(learner.members[:length]) for learner in learners]).to(self.device)

    def epochs(self, learners: Sequence[Learner]) -> Iterator[Epoch]:
        """The rows of each epoch, for learners in the order of their number of steps."""
        import torch

        size = self.settings.batch_size
        sizes = [batch_sizes(len(learner.members), size) for learner in learners]
        full = next(step for step in count() if any(own[step : step + 1] != [size] for own in sizes))
        rest = [(step * size, _parts(sizes, step)) for step in range(full, len(sizes[-1]))]
        members = [torch.as_tensor(learner.members) for learner in learners]
        orders = [torch.Generator().manual_seed(learner.seed) for learner in learners]
        for _ in range(self.settings.epochs):
            rows = [own[torch.randperm(len(own), generator=order)] for own, order in zip(members, orders, strict=True)]
            batches = torch.stack([own[: full * size] for own in rows]).view(len(rows), full, size).transpose(0, 1)
            yield Epoch(
                batches.contiguous().to(self.device),
                [
                    [
                        self._part(numbers, [rows[number][start : start + length] for number in numbers])
                        for length, numbers in parts
                    ]
                    for start, parts in rest
                ],
            )

    def _part(self, numbers: list[int], rows: list[torch.Tensor]) -> Part:
        import torch

        return torch.tensor(numbers).to(self.device), torch.stack(rows).to(self.device)

    def gradients(self, stack: Stack, rows: torch.Tensor) -> Gradients:
        """Gradients of each module of a stack on its own batch, whose `rows` are (modules, batch)."""
        batch, targets = (
            tensor.index_select(0, rows.flatten()).view(*rows.shape, *tensor.shape[1:])
            for tensor in (self.inputs, self.targets)
        )
        return stack.gradients(batch, targets, summed_loss(self.settings))

    def gradients_of_parts(self, stack: Stack, parts: list[Part]) -> Gradients:
        """Gradients of the modules that are in these parts, in the order of their numbers."""
        import torch

        found = [self.gradients(stack.part(numbers), rows) for numbers, rows in parts]
        back = torch.cat([numbers for numbers, _ in parts]).argsort()
        return [
            None if together[0] is None else torch.cat(together).index_select(0, back)
            for together in zip(*found, strict=True)
        ]

    def gradients_alone(self, module: torch.nn.Module, rows: torch.Tensor) -> Gradients:
        """Gradients of one module on one batch (rows,), without batching."""
        import torch

        loss_of = self.settings.loss if callable(self.settings.loss) else classification_loss
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        loss = loss_of(module(self.inputs[rows]), self.targets[rows])
        return list(torch.autograd.grad(loss, trained, allow_unused=True))


def _parts(sizes: list[list[int]], step: int) -> list[tuple[int, list[int]]]:
    """The numbers of the learners that take this step, by the length of their batch."""
    lengths = {number: own[step] for number, own in enumerate(sizes) if step < len(own)}
    return [
        (length, [number for number, own in lengths.items() if own == length])
        for length in sorted(set(lengths.values()))
    ]
