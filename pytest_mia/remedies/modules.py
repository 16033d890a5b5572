"""Torch modules around modules, which answer with a remedy; loaded by those who use them, since they are torch's.

In training mode they pass the logits of the module inside through, so that they are trained as it is. In evaluation
mode they answer exactly as `pytest_mia.remedies` has it: what was measured is what is shipped.
"""

from __future__ import annotations

from inspect import Parameter
from typing import Any, ClassVar

import numpy as np
import torch

from pytest_mia.models.answers import Labels, as_logits
from pytest_mia.remedies import ON_ANSWERS
from pytest_mia.remedies.protocol import Remedy
from pytest_mia.remedies.wrappers import make_wrapper


class RemediedModule(torch.nn.Module):
    """A module that answers with a remedy in evaluation mode.

    Parameters
    ----------
    module
        Answers with logits (records, classes), with probabilities whose rows sum to one, or, for two classes, with
        one logit (records,) or (records, 1) for the second of them.
    **arguments
        The arguments of its remedy.
    """

    remedy_type: ClassVar[type[Remedy]]

    def __init__(self, module: torch.nn.Module, **arguments: Any) -> None:
        super().__init__()
        self.module, self.remedy = module, self.remedy_type(**arguments)

    def forward(self, *inputs: Any) -> torch.Tensor:
        """Logits while it is trained; then probabilities (records, classes), or numbers of classes (records,)."""
        outputs: torch.Tensor = self.module(*inputs)
        if self.training:
            return outputs
        classes = np.arange(max(2, outputs.shape[1] if outputs.ndim > 1 else 2))
        after = self.remedy.apply(as_logits(outputs.detach(), classes))
        values = after.codes if isinstance(after, Labels) else after.values
        return torch.from_numpy(values).to(outputs.device)


def _wrapper(remedy: type[Remedy]) -> type:
    module = Parameter("module", Parameter.POSITIONAL_OR_KEYWORD, annotation="torch.nn.Module")
    return make_wrapper(RemediedModule, remedy, module, "A module that answers with logits, or with probabilities.")


WRAPPERS = {each.__name__: each for each in map(_wrapper, ON_ANSWERS)}
"""``RoundedModule`` and its like, by their names."""


def __getattr__(name: str) -> Any:
    if name not in WRAPPERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return WRAPPERS[name]
