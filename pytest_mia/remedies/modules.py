"""Torch modules around modules, which answer with a remedy; loaded by those who use them, since they are torch's.

In training mode they pass the logits of the module inside through, so that they are trained as it is. In evaluation
mode they answer exactly as `pytest_mia.remedies` has it: what was measured is what is shipped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pytest_mia.models.answers import Labels, as_logits
from pytest_mia.remedies.labels import Label
from pytest_mia.remedies.protocol import Remedy
from pytest_mia.remedies.rounding import Rounded
from pytest_mia.remedies.temperature import Tempered
from pytest_mia.remedies.top_k import TopK


class RemediedModule(torch.nn.Module):
    """A module that answers with a remedy in evaluation mode.

    Parameters
    ----------
    module
        Answers with logits (records, classes), with probabilities whose rows sum to one, or, for two classes, with
        one logit (records,) or (records, 1) for the second of them.
    remedy
        What is done to its answers.
    """

    def __init__(self, module: torch.nn.Module, remedy: Remedy) -> None:
        super().__init__()
        self.module, self.remedy = module, remedy

    def forward(self, *inputs: Any) -> torch.Tensor:
        """Logits while it is trained; then probabilities (records, classes), or numbers of classes (records,)."""
        outputs: torch.Tensor = self.module(*inputs)
        if self.training:
            return outputs
        classes = np.arange(max(2, outputs.shape[1] if outputs.ndim > 1 else 2))
        after = self.remedy.apply(as_logits(outputs.detach(), classes))
        values = after.codes if isinstance(after, Labels) else after.values
        return torch.from_numpy(values).to(outputs.device)


class RoundedModule(RemediedModule):
    """Answers in whole steps; see `pytest_mia.remedies.Rounded`."""

    def __init__(self, module: torch.nn.Module, step: float = 0.25) -> None:
        super().__init__(module, Rounded(step))


class TopKModule(RemediedModule):
    """Answers with the likeliest classes; see `pytest_mia.remedies.TopK`."""

    def __init__(self, module: torch.nn.Module, k: int = 3) -> None:
        super().__init__(module, TopK(k))


class TemperedModule(RemediedModule):
    """Answers softened; see `pytest_mia.remedies.Tempered`."""

    def __init__(self, module: torch.nn.Module, temperature: float = 2.0) -> None:
        super().__init__(module, Tempered(temperature))


class LabelModule(RemediedModule):
    """Answers with numbers of classes alone, from 0; see `pytest_mia.remedies.Label`."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__(module, Label())
