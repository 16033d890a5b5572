"""Other ways to train a torch module, each a function ``train(model, X, y)`` that is given as ``mia_training``."""

from __future__ import annotations

import copy
import importlib.util
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_mia.models.torch import loop
from pytest_mia.models.torch.module import TorchTraining
from pytest_mia.models.torch.tensors import home_of
from pytest_mia.remedies.protocol import refuse

if TYPE_CHECKING:
    import torch

HELD = 0.1
DELTA = 1e-5


@dataclass(frozen=True)
class EarlyStoppedTraining:
    """A training that stops when a tenth of the records, which is kept out of it, is no longer predicted any better.

    The model is that of the best epoch (Prechelt 1998). The records that are kept out count as members: they decide
    when to stop.

    Attributes
    ----------
    training
        The training, whose epochs are the most that there can be.
    patience
        Epochs without a lower loss after which it stops; 2 by default.
    """

    training: TorchTraining = field(default_factory=TorchTraining)
    patience: int = 2

    def __post_init__(self) -> None:
        fits = isinstance(self.patience, int) and not isinstance(self.patience, bool) and self.patience >= 1
        refuse("patience", self.patience, fits=fits, must="a whole number of at least 1")

    def __call__(self, model: torch.nn.Module, X: Any, y: Any) -> torch.nn.Module:
        """Train a model in place, where it lies, by torch's own global generator."""
        import torch

        inputs, targets, seed = self.training.prepared(model, X, y)
        held, used = torch.randperm(len(inputs)).tensor_split([max(1, round(HELD * len(inputs)))])
        best, lowest, left = None, float("inf"), self.patience
        for _ in loop.epochs(model, inputs[used], targets[used], self.training, seed=seed, device=home_of(model)):
            loss = self._loss(model, inputs[held], targets[held])
            left = self.patience if loss < lowest else left - 1
            if loss < lowest:
                best, lowest = copy.deepcopy(model.state_dict()), loss
            if not left:
                break
        if best is not None:
            model.load_state_dict(best)
        return model.eval()

    def _loss(self, model: torch.nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> float:
        import torch

        home = home_of(model)
        model.eval()
        with torch.no_grad():
            return float(loop.loss_function(self.training)(model(inputs.clone().to(home)), targets.to(home)))


@dataclass(frozen=True)
class PrivateTraining:
    """DP-SGD: random batches, each record's gradient clipped, and noise (Abadi et al. 2016); needs Opacus.

    Attributes
    ----------
    training
        The training whose steps are taken so; its last layers must be ones that Opacus knows.
    noise
        Standard deviation of the noise, in units of `clip`; 1 by default.
    clip
        The longest gradient that one record may have; 1 by default.
    """

    training: TorchTraining = field(default_factory=TorchTraining)
    noise: float = 1.0
    clip: float = 1.0

    def __post_init__(self) -> None:
        for name in ("noise", "clip"):
            value = getattr(self, name)
            refuse(name, value, fits=isinstance(value, (int, float)) and value > 0, must="a number above 0")

    def __call__(self, model: torch.nn.Module, X: Any, y: Any) -> torch.nn.Module:
        """Train a model in place, where it lies, by torch's own global generator."""
        import torch
        from opacus import GradSampleModule
        from opacus.optimizers import DPOptimizer

        inputs, targets, _ = self.training.prepared(model, X, y)
        home, loss_of = home_of(model), loop.loss_function(self.training)
        wrapped = GradSampleModule(model.train())
        optimizer = DPOptimizer(
            loop.make_optimizer(self.training, model.parameters()),
            noise_multiplier=self.noise,
            max_grad_norm=self.clip,
            expected_batch_size=min(self.training.batch_size, len(inputs)),
        )
        for _ in range(self.steps(len(inputs))):
            rows = self._drawn(len(inputs))
            optimizer.zero_grad()
            with torch.enable_grad():
                batch = inputs[rows].to(home)
                loss_of(wrapped(batch.requires_grad_(batch.is_floating_point())), targets[rows].to(home)).backward()
            optimizer.step()
        wrapped.to_standard_module()
        return model.eval()

    def steps(self, records: int) -> int:
        """How many batches make up the epochs."""
        return max(1, self.training.epochs * records // self.training.batch_size)

    def epsilon(self, records: int, delta: float = DELTA) -> float:
        """The epsilon that the training of one model on so many records claims, by Opacus' accountant."""
        from opacus.accountants import RDPAccountant

        accountant = RDPAccountant()
        rate = min(1.0, self.training.batch_size / records)
        accountant.history = [(self.noise, rate, self.steps(records))]
        return float(accountant.get_epsilon(delta))

    def _drawn(self, records: int) -> torch.Tensor:
        """Rows of a batch, each drawn by itself; an empty batch, which no sensible size makes, is drawn again."""
        import torch

        while True:
            rows = torch.nonzero(torch.rand(records) < self.training.batch_size / records)[:, 0]
            if len(rows):
                return rows


def private_available() -> bool:
    """Whether Opacus is installed."""
    return importlib.util.find_spec("opacus") is not None
