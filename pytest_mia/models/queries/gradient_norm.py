"""Gradient norm: how much training on a record would still change a torch module."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.types import FloatArray, IntArray
from pytest_mia.data.containers import take
from pytest_mia.models.answers import Logits, Probabilities
from pytest_mia.models.functions import FunctionAsker
from pytest_mia.models.protocol import Adapter
from pytest_mia.models.queries.protocol import QueryTarget
from pytest_mia.models.signals import Signals
from pytest_mia.models.torch.cuda import memory_ran_out
from pytest_mia.models.torch.loop import classification_loss
from pytest_mia.models.torch.module import ModuleAsker
from pytest_mia.models.torch.tensors import as_tensor, evaluating

if TYPE_CHECKING:
    import torch

Loss: TypeAlias = "Callable[[torch.Tensor, torch.Tensor], torch.Tensor]"
Tensors: TypeAlias = "dict[str, torch.Tensor]"

NUMBERS_AT_ONCE = 2**24
"""Gradients of as many records are computed together as have about so many numbers."""

SMALLEST_NORM = 1e-30


@dataclass(frozen=True)
class GradientNorm:
    """-log ||grad CE(x, y)||, over all parameters that are trained: a record that was learnt asks for no more change.

    Nasr et al. (2019) look at gradients of the target; Carlini et al. (2022, appendix) compare their norms as a signal.
    """

    name: str = "gradient_norm"
    fields: tuple[str, ...] = ("gradient_norm",)

    def problems(self, adapter: Adapter, model: Any, X: Any) -> list[str]:
        """Why there is no gradient: tried on two records, before any training."""
        needs = "gradient_norm needs a torch module that answers with scores by its forward pass"
        if not isinstance(adapter.asker, ModuleAsker):
            return [f"{needs}, got {type(model).__name__} asked by {_asked_by(adapter)}; leave it out of the attacks"]
        try:
            self.measure(QueryTarget(adapter, model, np.zeros(2, dtype=np.intp)), take(X, [0, -1]), 0)
        except MIAUsageError as error:
            return list(error.problems)
        except Exception as error:
            # A model that is too large for a GPU is asked on the CPU.
            said = f"gradient_norm fails on the first and last record of X: {type(error).__name__}: {error}"
            return [] if memory_ran_out(error) else [said]
        return []

    def measure(self, target: QueryTarget, X: Any, seed: int) -> Signals:  # noqa: ARG002 - nothing is drawn
        """The gradients of many records at once; one by one where torch can't batch the module."""
        asker = target.adapter.asker
        assert isinstance(asker, ModuleAsker), "other models are refused earlier"
        loss = _loss_of(type(target.answer(X)))
        norms = _norms(target.model, as_tensor(X, target.model), target.labels, asker.device, loss)
        return Signals(gradient_norm=-np.log(np.maximum(norms, SMALLEST_NORM)))


def _asked_by(adapter: Adapter) -> str:
    return "mia_predict" if isinstance(adapter.asker, FunctionAsker) else "a function or method of its own"


def _loss_of(kind: type) -> Loss:
    """Cross-entropy of what the module answers."""
    if kind is Logits:
        return classification_loss
    if kind is Probabilities:
        return _loss_of_probabilities
    raise MIAUsageError("gradient_norm needs scores, of which the loss is a smooth function; the module gives labels")


def _loss_of_probabilities(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    import torch
    from torch.nn import functional

    if outputs.numel() == len(targets):
        return functional.binary_cross_entropy(outputs.reshape(-1), targets.to(outputs.dtype))
    return functional.nll_loss(outputs.clamp(min=torch.finfo(outputs.dtype).tiny).log(), targets)


def _norms(
    module: torch.nn.Module, inputs: torch.Tensor, labels: IntArray, device: torch.device, loss: Loss
) -> FloatArray:
    """Norms (records,) of the gradients, without a trace in the module."""
    import torch

    targets = torch.from_numpy(labels.astype(np.int64))
    with evaluating(module, device), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="(?s).*performance drop")
        learnt = {name: each.detach() for name, each in module.named_parameters() if each.requires_grad}
        learnt = learnt or {name: each.detach() for name, each in module.named_parameters()}

        def one(own: Tensors, record: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return loss(torch.func.functional_call(module, own, (record[None],)), target[None])

        size = max(1, NUMBERS_AT_ONCE // max(1, sum(each.numel() for each in learnt.values())))
        parts = [
            _of_batch(one, learnt, batch.clone().to(device), wanted.to(device))
            for batch, wanted in zip(torch.split(inputs, size), torch.split(targets, size), strict=True)
        ]
    return np.asarray(torch.cat(parts).numpy())


def _of_batch(one: Callable[..., torch.Tensor], learnt: Tensors, batch: torch.Tensor, wanted: torch.Tensor) -> Any:
    import torch

    # Not every operation can be batched, and each says so in its own way.
    with suppress(Exception):
        gradients = torch.func.vmap(torch.func.grad(one), in_dims=(None, 0, 0))(learnt, batch, wanted)
        return _norm([each.flatten(1) for each in gradients.values()])
    return torch.cat([_alone(one, learnt, *pair) for pair in zip(batch, wanted, strict=True)])


def _alone(one: Callable[..., torch.Tensor], learnt: Tensors, record: torch.Tensor, target: torch.Tensor) -> Any:
    import torch

    with torch.enable_grad():
        own = {name: each.clone().requires_grad_() for name, each in learnt.items()}
        gradients = torch.autograd.grad(one(own, record, target), list(own.values()), allow_unused=True)
    return _norm([each.flatten()[None] for each in gradients if each is not None])


def _norm(gradients: list[torch.Tensor]) -> Any:
    """The norm over all tensors, whose first axis is the record."""
    import torch

    parts = [torch.linalg.vector_norm(each, dim=1).cpu().double() for each in gradients]
    return torch.linalg.vector_norm(torch.stack(parts), dim=0)
