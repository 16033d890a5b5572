"""Torch's side of the data: devices, tensors in a module's own types, and forward passes that leave no trace."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.data.containers import as_array, describe, is_tensor

if TYPE_CHECKING:
    import torch

ASKED_AT_ONCE = 512


def devices_named(name: str) -> list[torch.device]:
    """The devices that share the models of an audit.

    Parameters
    ----------
    name
        ``cpu``, ``mps``, a GPU such as ``cuda:1``, or ``cuda``: all GPUs of the first one's kind, since figures would
        depend on which model came to which kind. ``auto`` means ``cuda`` where there are GPUs.

    Raises
    ------
    MIAUsageError
        When this machine has no such device; the message says which ones it has.
    """
    import torch

    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    found = [*gpus, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]
    if name == "auto":
        name = found[0].partition(":")[0]
    if name == "cuda" and gpus:
        # To ask for a kind starts CUDA.
        return [torch.device(gpu) for gpu in gpus if len(gpus) == 1 or device_kind(gpu) == device_kind(gpus[0])]
    if name not in found and not name.startswith("cpu"):
        raise MIAUsageError(f"device {name} is not available; this machine has {', '.join(sorted(found))}")
    return [torch.device(name)]


def is_module(model: Any) -> bool:
    """Whether this is a torch module; torch isn't imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def device_kind(device: str) -> str:
    """What a device is: "cpu", or the name of the GPU that "cuda:0" stands for."""
    return str(sys.modules["torch"].cuda.get_device_name(device)) if device.startswith("cuda") else device


def device_named(name: str) -> torch.device:
    """The first of these, on which the first model is trained."""
    return devices_named(name)[0]


def home_of(module: torch.nn.Module) -> torch.device:
    """The device on which a module lies."""
    import torch

    tensors = [*module.parameters(), *module.buffers()]
    return tensors[0].device if tensors else torch.device("cpu")


def float_type(module: torch.nn.Module) -> torch.dtype:
    """The type of a module's own numbers, float32 where it has none."""
    import torch

    return next((each.dtype for each in module.parameters() if each.is_floating_point()), torch.float32)


def as_tensor(X: Any, module: torch.nn.Module) -> torch.Tensor:
    """Features as a tensor that the module takes.

    Fractions get the module's own type. Integers do too, unless they are a tensor already, or the module holds an
    embedding, which looks them up.

    Raises
    ------
    MIAUsageError
        When X holds no numbers.
    """
    if is_tensor(X):
        tensor: torch.Tensor = X.detach()
        return tensor.to(float_type(module)) if tensor.is_floating_point() else tensor
    try:
        return _from_array(as_array(X), module)
    except (TypeError, ValueError):
        remedy = "encode texts and categories as numbers, or give mia_training and mia_predict"
        raise MIAUsageError(f"X, a {type(X).__name__}, can't be made a tensor of numbers; {remedy}") from None


def _from_array(array: Any, module: torch.nn.Module) -> torch.Tensor:
    import torch

    embeds = any(isinstance(part, (torch.nn.Embedding, torch.nn.EmbeddingBag)) for part in module.modules())
    if embeds and array.dtype.kind in "iu":
        return torch.from_numpy(array.astype(np.int64))
    if array.dtype.kind not in "biufO":
        raise TypeError(array.dtype)
    wide = np.float64 if float_type(module) == torch.float64 else np.float32
    return torch.from_numpy(array.astype(wide)).to(float_type(module))


@contextmanager
def evaluating(module: torch.nn.Module, device: torch.device) -> Iterator[None]:
    """Hold a module in evaluation mode on a device, without gradients; then put back its modes and its device."""
    import torch

    modes, home = [(part, part.training) for part in module.modules()], home_of(module)
    try:
        module.to(device).eval()
        with torch.no_grad():
            yield
    finally:
        module.to(home)
        for part, mode in modes:
            part.training = mode


def forward(module: torch.nn.Module, X: Any, device: torch.device) -> torch.Tensor:
    """A module's outputs on every record, on the CPU.

    Raises
    ------
    MIAUsageError
        When the module answers with something else than one tensor.
    """
    import torch

    inputs, outputs = as_tensor(X, module), []
    with evaluating(module, device):
        for start in range(0, len(inputs), ASKED_AT_ONCE):
            # A copy, since a first layer that works in place would change the user's own tensor.
            output = module(inputs[start : start + ASKED_AT_ONCE].clone().to(device))
            if not is_tensor(output):
                raise MIAUsageError(f"{type(module).__name__} answers with a {describe(output)}; give mia_predict")
            outputs.append(output.cpu())
    return torch.cat(outputs)
