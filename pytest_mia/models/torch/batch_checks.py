"""Whether modules can be trained as one, and whether that is faster; checked before any of them is trained."""

from __future__ import annotations

import copy
import random
import warnings
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_mia.cache import pickling
from pytest_mia.core.seeding import seeded
from pytest_mia.models.torch.loop import classification_loss
from pytest_mia.models.torch.settings import TrainingSettings

if TYPE_CHECKING:
    import torch


MOST_PARAMETERS_ON_CPU = 2**17
MOST_PRODUCTS_ON_CPU = 2**23
DENSE = ("activation", "container", "dropout", "flatten", "linear", "normalization", "sparse")
CONTENTS = ("_parameters", "_buffers", "_modules")
NOT_DENSE = ("LocalResponseNorm", "CrossMapLRN2d", "GroupNorm", "MultiheadAttention", "Bilinear", "EmbeddingBag")


def explain_refusal(
    modules: Sequence[torch.nn.Module],
    training: TrainingSettings,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    device: torch.device,
) -> str | None:
    """Why these modules should be trained one by one, as the report says it; ``None`` when they can be trained as one.

    Parameters
    ----------
    modules
        Fresh modules of one factory, on the CPU.
    training
        How.
    inputs, targets
        One row per record; two of them are tried.
    device
        Where to train.
    """
    found = chain(
        _of_device(modules[0], training, device),
        _of_kind(modules[0]),
        _of_differences(modules),
        _of_trial(modules[0], training, inputs[:2].clone(), targets[:2]),
    )
    return next(found, None)


def _of_device(module: torch.nn.Module, training: TrainingSettings, device: torch.device) -> Iterator[str]:
    if device.type not in ("cpu", "cuda"):
        yield f"batched training is for the CPU and for CUDA, not for {device.type}"
    if device.type == "cpu":
        parameters = sum(parameter.numel() for parameter in module.parameters())
        other = [type(part).__name__ for part in module.modules() if not _is_dense(part)]
        if other:
            yield f"on a CPU only dense layers are faster together, and {other[0]} is not one"
        if parameters > MOST_PARAMETERS_ON_CPU or parameters * training.batch_size > MOST_PRODUCTS_ON_CPU:
            yield (
                f"on a CPU only small models are faster together, and this one has {parameters:,} parameters "
                f"at a batch size of {training.batch_size}"
            )


def _is_dense(part: torch.nn.Module) -> bool:
    """A dense layer of torch's, or a module of the user's that has all its parameters in such layers."""
    package, _, kind = type(part).__module__.rpartition(".")
    if package == "torch.nn.modules":
        return kind in DENSE and type(part).__name__ not in NOT_DENSE
    return not package.startswith("torch") and not any(True for _ in part.parameters(recurse=False))


def _of_kind(module: torch.nn.Module) -> Iterator[str]:
    import torch

    for name, parameter in module.named_parameters():
        if type(parameter) is not torch.nn.Parameter:
            yield f"{name} is a {type(parameter).__name__}"
        if parameter.dtype not in (torch.float32, torch.float64):
            yield f"{name} is of type {parameter.dtype}"
        if parameter._backward_hooks or parameter._post_accumulate_grad_hooks:
            yield f"{name} has a hook"
    for part in module.modules():
        if isinstance(part, torch.nn.Embedding):
            # torch.vmap applies the padding index to the first model alone.
            odd = [name for name in ("padding_idx", "max_norm") if getattr(part, name) is not None]
            odd += [name for name in ("scale_grad_by_freq", "sparse") if getattr(part, name)]
            if odd:
                yield f"torch can't batch an Embedding with {odd[0]}"


def _of_differences(modules: Sequence[torch.nn.Module]) -> Iterator[str]:
    parameters = [id(parameter) for module in modules for parameter in module.parameters()]
    if len(set(parameters)) < len(parameters):
        yield "the models share parameters"
    try:
        first, *others = map(_described, modules)
    except Exception as error:
        yield f"{type(modules[0]).__name__} can't be compared with others of its kind ({error})"
        return
    if any(other != first for other in others):
        yield "the models differ in more than the numbers in their parameters"


def _described(module: torch.nn.Module) -> list[Any]:
    """All that makes a module what it is, apart from the numbers in its parameters and buffers."""
    tensors = _tensors(module)
    numbers: dict[int, int] = {}
    stored = [
        (name, tensor.shape, tensor.dtype, tensor.requires_grad, numbers.setdefault(id(tensor), len(numbers)))
        for name, tensor in tensors.items()
    ]
    parts = [
        (name, type(part), pickling.dumps({key: value for key, value in vars(part).items() if key not in CONTENTS}))
        for name, part in module.named_modules()
    ]
    return [stored, parts]


def _of_trial(
    module: torch.nn.Module, training: TrainingSettings, inputs: torch.Tensor, targets: torch.Tensor
) -> Iterator[str]:
    try:
        with seeded(0), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            changed = _changed_by_a_pass(copy.deepcopy(module).train(), training, inputs, targets)
    except Exception as error:
        changed = f"a forward pass of two records fails ({type(error).__name__}: {error})"
    if changed:
        yield changed


def _changed_by_a_pass(
    module: torch.nn.Module, training: TrainingSettings, inputs: torch.Tensor, targets: torch.Tensor
) -> str | None:
    """What a forward pass changes besides its outputs: one pass for all models can't do that for each of them."""
    import torch

    loss_of = training.loss if callable(training.loss) else classification_loss
    tensors = {name: tensor.detach().clone() for name, tensor in _tensors(module).items()}
    attributes, loss, generators = _described(module), pickling.dumps(loss_of), _generators()
    loss_of(module(inputs), targets)
    if different := [name for name, tensor in _tensors(module).items() if not torch.equal(tensor, tensors[name])]:
        return f"a forward pass changes {different[0]}, as one pass for all models can't"
    if _described(module) != attributes or pickling.dumps(loss_of) != loss:
        return "a forward pass changes the model's attributes or the loss, as one pass for all models can't"
    if _generators() != generators:
        return "a forward pass draws from Python's or numpy's generator: one pass would draw once for all models"
    return None


def _tensors(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }


def _generators() -> bytes:
    return pickling.dumps((random.getstate(), np.random.get_state()))  # noqa: NPY002
