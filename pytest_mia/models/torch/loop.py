"""The training loop of torch modules, in pieces that training one module and training many at once can share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pytest_mia.data.containers import is_tensor
from pytest_mia.data.labels import encode_by
from pytest_mia.models.torch.cuda import has_room
from pytest_mia.models.torch.settings import TrainingSettings
from pytest_mia.models.torch.tensors import evaluating, float_type

if TYPE_CHECKING:
    import torch


def train(
    module: torch.nn.Module,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    settings: TrainingSettings,
    *,
    seed: int,
    device: torch.device,
) -> None:
    """Train a module in place.

    Parameters
    ----------
    module
        Lies on `device`; it is left in evaluation mode.
    inputs, targets
        One row per record.
    settings
        How.
    seed
        Decides the order of the records; whatever else is random draws from torch's global generator.
    device
        Where batches are sent.
    """
    for _ in epochs(module, inputs, targets, settings, seed=seed, device=device):
        pass
    module.eval()


def epochs(
    module: torch.nn.Module,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    settings: TrainingSettings,
    *,
    seed: int,
    device: torch.device,
) -> Iterator[None]:
    """The same, epoch by epoch: after each epoch the caller may look at the module, or stop."""
    import torch

    _materialise(module, inputs, device)
    place = device if has_room(device, inputs, targets) else inputs.device
    inputs, targets = inputs.to(place), targets.to(place)
    optimizer = make_optimizer(settings, module.parameters())
    loss_of = loss_function(settings)
    order = torch.Generator().manual_seed(seed)
    for _ in range(settings.epochs):
        module.train()
        with torch.enable_grad(), reproducible(device):
            for rows in epoch_batches(len(inputs), settings.batch_size, order, place):
                optimizer.zero_grad()
                batch, wanted = (tensor[rows].to(device) for tensor in (inputs, targets))
                loss_of(module(batch), wanted).backward()
                optimizer.step()
        yield


def loss_function(settings: TrainingSettings) -> Callable[[torch.Tensor, torch.Tensor], Any]:
    """What a training minimises."""
    return settings.loss if callable(settings.loss) else classification_loss


def epoch_batches(
    records: int, batch_size: int, order: torch.Generator, device: torch.device | None = None
) -> list[torch.Tensor]:
    """Row numbers of each batch of an epoch, in a new random order, sent to a device all at once."""
    import torch

    rows = torch.randperm(records, generator=order).to(device)
    return list(torch.split(rows, batch_sizes(records, batch_size)))


def batch_sizes(records: int, batch_size: int) -> list[int]:
    """Records in each batch of an epoch; a last batch of one joins the one before it."""
    full, rest = divmod(records, batch_size)
    if full and rest == 1:
        return [batch_size] * (full - 1) + [batch_size + 1]
    return [batch_size] * full + ([rest] if rest else [])


def make_optimizer(settings: TrainingSettings, parameters: Iterable[torch.Tensor]) -> torch.optim.Optimizer:
    """The optimizer of the settings, for those parameters that learn."""
    import torch

    trainable = [parameter for parameter in parameters if parameter.requires_grad]
    lr, decay = settings.lr, settings.weight_decay
    match settings.optimizer:
        case "sgd":
            return torch.optim.SGD(trainable, lr=lr, weight_decay=decay, momentum=settings.momentum)
        case "adam":
            return torch.optim.Adam(trainable, lr=lr, weight_decay=decay)
        case _:
            return torch.optim.AdamW(trainable, lr=lr, weight_decay=decay)


def classification_loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of logits (batch, classes); of one logit per record, for the second of two classes."""
    from torch.nn import functional

    if outputs.numel() == len(targets):
        return functional.binary_cross_entropy_with_logits(outputs.reshape(-1), targets.to(outputs.dtype))
    return functional.cross_entropy(outputs, targets)


def targets_of(y: Any, classes: npt.NDArray[Any], module: torch.nn.Module) -> torch.Tensor:
    """Class codes, or without classes `y` itself: integers as they are, fractions in the module's own type."""
    import torch

    if len(classes):
        return torch.from_numpy(encode_by(y, classes).astype(np.int64))
    targets = y.detach() if is_tensor(y) else torch.as_tensor(np.array(y))
    return targets.to(float_type(module)) if targets.is_floating_point() else targets


@contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """Keep cuDNN from choosing its algorithms by how fast they happen to be; its precision stays the user's."""
    from torch.backends import cudnn, flags_frozen

    if device.type != "cuda" or flags_frozen():  # type: ignore[no-untyped-call]
        yield
        return
    before = cudnn.benchmark, cudnn.deterministic
    cudnn.benchmark, cudnn.deterministic = False, True
    try:
        yield
    finally:
        cudnn.benchmark, cudnn.deterministic = before


def _materialise(module: torch.nn.Module, inputs: torch.Tensor, device: torch.device) -> None:
    """Give lazy layers their shapes, so that the optimizer finds their parameters."""
    import torch

    if any(torch.nn.parameter.is_lazy(parameter) for parameter in module.parameters()):
        with evaluating(module, device):
            module(inputs[:2].clone().to(device))
