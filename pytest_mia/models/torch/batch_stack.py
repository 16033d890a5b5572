"""Modules of one architecture stacked: one forward pass and one backward pass for all of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_mia.models.torch.settings import TrainingSettings

if TYPE_CHECKING:
    import torch


Gradients: TypeAlias = "list[torch.Tensor | None]"
"""One per trained tensor; ``None`` where the loss doesn't depend on it."""

Loss: TypeAlias = "Callable[[torch.Tensor, torch.Tensor], torch.Tensor]"
"""Of outputs (modules, batch, ...) and targets (modules, batch): the sum of the modules' losses."""


@dataclass(frozen=True, eq=False)
class Stack:
    """The parameters and buffers of many modules, one module per row.

    Attributes
    ----------
    skeleton
        A module of the same kind, of which the code is used and the parameters are not.
    learnt
        What is trained, by name. Each tensor is contiguous, its first axis counts the modules, and its others lie in
        the order in which gradients arrive.
    axes
        By name, the permutation of a tensor's axes that gives the modules' own shape.
    fixed
        Frozen parameters and buffers, by name.
    """

    skeleton: torch.nn.Module
    learnt: dict[str, torch.Tensor]
    axes: dict[str, tuple[int, ...]]
    fixed: dict[str, torch.Tensor]

    @classmethod
    def from_modules(cls, modules: Sequence[torch.nn.Module], device: torch.device) -> Stack:
        """Stack copies of the tensors of these modules, on a device."""
        import torch

        together = [_tensors(module) for module in modules]
        stacked = {
            name: torch.stack([tensors[name].detach() for tensors in together]).to(device) for name in together[0]
        }
        trained = [name for name, tensor in together[0].items() if tensor.requires_grad]
        return cls(
            skeleton=copy.deepcopy(modules[0]).to(device).train(),
            learnt={name: stacked[name].requires_grad_() for name in trained},
            axes={name: tuple(range(stacked[name].dim())) for name in trained},
            fixed={name: tensor for name, tensor in stacked.items() if name not in trained},
        )

    def gradients(self, batch: torch.Tensor, targets: torch.Tensor, loss: Loss) -> Gradients:
        """The gradients of `learnt`, laid out like it.

        Parameters
        ----------
        batch, targets
            Each module's own records (modules, batch, ...).
        loss
            The sum of the modules' losses.
        """
        import torch

        def forward(own: dict[str, torch.Tensor], records: torch.Tensor) -> Any:
            return torch.func.functional_call(self.skeleton, own, (records,))

        outputs = torch.vmap(forward, randomness="different")(self.tensors(), batch)
        return list(torch.autograd.grad(loss(outputs, targets), list(self.learnt.values()), allow_unused=True))

    def tensors(self) -> dict[str, torch.Tensor]:
        """All tensors as the modules know them, by name, with one module per row."""
        return {name: tensor.permute(self.axes[name]) for name, tensor in self.learnt.items()} | self.fixed

    def part(self, chosen: torch.Tensor) -> Stack:
        """A stack of copies of some modules, by their numbers."""
        return replace(
            self,
            learnt={
                name: tensor.detach().index_select(0, chosen).requires_grad_() for name, tensor in self.learnt.items()
            },
            fixed={name: tensor.index_select(0, chosen) for name, tensor in self.fixed.items()},
        )

    def laid_out_like(self, gradients: Gradients) -> Stack:
        """The same stack in the order of axes in which gradients arrive, so that none needs to be transposed.

        A linear layer's weights come out transposed. Transposing them costs as much as an optimizer's step; and torch's
        fused optimizers on the CPU confuse the numbers of a gradient whose layout isn't the parameter's.
        """
        tensors, learnt, axes = self.tensors(), {}, {}
        for name, gradient in zip(self.learnt, gradients, strict=True):
            tensor = tensors[name].detach()
            strides = tensor.stride() if gradient is None else gradient.permute(self.axes[name]).stride()
            order = (0, *sorted(range(1, tensor.dim()), key=lambda axis: -strides[axis]))
            learnt[name] = tensor.permute(order).contiguous().requires_grad_()
            axes[name] = tuple(order.index(axis) for axis in range(tensor.dim()))
        return replace(self, learnt=learnt, axes=axes)

    def write(self, modules: Sequence[torch.nn.Module]) -> None:
        """Give each module its trained parameters and leave it in evaluation mode."""
        import torch

        trained = {name: tensor.detach().cpu() for name, tensor in self.tensors().items() if name in self.learnt}
        with torch.no_grad():
            for number, module in enumerate(modules):
                own = _tensors(module)
                for name, values in trained.items():
                    own[name].copy_(values[number])
                module.eval()


def summed_loss(settings: TrainingSettings) -> Loss:
    """The settings' loss, summed over the modules of a stack."""
    import torch
    from torch.nn import functional

    def classification(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        codes, batch = targets.flatten(), targets.shape[1]
        if outputs[0].numel() == batch:
            logits = outputs.reshape(-1)
            return functional.binary_cross_entropy_with_logits(logits, codes.to(outputs.dtype), reduction="sum") / batch
        return functional.cross_entropy(outputs.flatten(0, 1), codes, reduction="sum") / batch

    own = settings.loss

    def custom(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        assert callable(own)
        losses: torch.Tensor = torch.vmap(own, randomness="different")(outputs, targets)
        if losses.numel() != len(targets):
            raise ValueError("the loss is not one number")
        return losses.sum()

    return custom if callable(own) else classification


def _tensors(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}
