"""One network that reads handwritten digits, and the ways to train it, and to let it answer, that are compared."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pytest_mia import TorchTraining
from pytest_mia.remedies import LabelModule, RoundedModule

DELTA = 1e-5
PLAIN = TorchTraining(epochs=20, batch_size=64, optimizer="adam", lr=0.01)
DECAY = TorchTraining(epochs=20, batch_size=64, optimizer="adam", lr=0.01, weight_decay=0.01)
SMOOTH = TorchTraining(
    epochs=20, batch_size=64, optimizer="adam", lr=0.01, loss=nn.CrossEntropyLoss(label_smoothing=0.3)
)


def network():
    """The same for every defence."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))


def stopped_early(model, X, y):
    """Stop when the loss on a fifth of the records, which is kept out of training, has not fallen for two epochs."""
    X, y = torch.as_tensor(X), torch.as_tensor(y)
    order = torch.randperm(len(y))
    held, used = order[: len(y) // 5], order[len(y) // 5 :]
    optimizer, loss_of = torch.optim.Adam(model.parameters(), lr=0.01), nn.CrossEntropyLoss()
    best, lowest, patience = deepcopy(model.state_dict()), float("inf"), 2
    while patience:
        for rows in torch.randperm(len(used)).split(64):
            optimizer.zero_grad()
            loss_of(model(X[used[rows]]), y[used[rows]]).backward()
            optimizer.step()
        with torch.no_grad():
            loss = float(loss_of(model(X[held]), y[held]))
        patience = 2 if loss < lowest else patience - 1
        if loss < lowest:
            best, lowest = deepcopy(model.state_dict()), loss
    model.load_state_dict(best)


@dataclass(frozen=True)
class Private:
    """DP-SGD by Opacus: Poisson batches, gradients clipped record by record, and noise (Abadi et al. 2016)."""

    noise: float
    epochs: int = 30
    batch_size: int = 64
    lr: float = 0.5
    clip: float = 1.0

    def __call__(self, model, X, y):
        """Train the model in place."""
        from opacus import GradSampleModule
        from opacus.optimizers import DPOptimizer

        X, y = torch.as_tensor(X), torch.as_tensor(y)
        wrapped = GradSampleModule(model)
        optimizer = DPOptimizer(
            torch.optim.SGD(model.parameters(), lr=self.lr),
            noise_multiplier=self.noise,
            max_grad_norm=self.clip,
            expected_batch_size=self.batch_size,
        )
        for _ in range(self.steps(len(y))):
            drawn = torch.rand(len(y)) < self.batch_size / len(y)
            optimizer.zero_grad()
            nn.functional.cross_entropy(wrapped(X[drawn].requires_grad_()), y[drawn]).backward()
            optimizer.step()
        wrapped.remove_hooks()

    def steps(self, records):
        """How many batches make up the epochs."""
        return self.epochs * records // self.batch_size

    def epsilon(self, records):
        """What the training claims, by Opacus' accountant, for training on so many records."""
        from opacus.accountants import RDPAccountant

        accountant = RDPAccountant()
        accountant.history = [(self.noise, self.batch_size / records, self.steps(records))]
        return accountant.get_epsilon(DELTA)


def probabilities(model, X):
    """What the plain service answers."""
    with torch.no_grad():
        return model(torch.as_tensor(X)).softmax(dim=1).numpy()


def quarters():
    """The network that answers with 0, 0.25, 0.5, 0.75 and 1."""
    return RoundedModule(network(), step=0.25)


def digit():
    """The network that answers with the digit alone, without a probability."""
    return LabelModule(network())


@dataclass(frozen=True)
class Defence:
    """A way to train the network with a way to let it answer: by a function, or as the module itself does."""

    name: str
    training: Callable[..., Any] = PLAIN
    factory: Callable[[], Any] = network
    predict: Callable[..., Any] | None = probabilities


DEFENCES = (
    Defence("none"),
    Defence("weight decay 0.01", DECAY),
    Defence("stopped early", stopped_early),
    Defence("labels smoothed by 0.3", SMOOTH),
    Defence("answers in quarters", factory=quarters, predict=None),
    Defence("digit alone", factory=digit, predict=None),
    Defence("stopped early, digit alone", stopped_early, digit, None),
    Defence("weight decay 0.01, digit alone", DECAY, digit, None),
    Defence("DP-SGD, noise 0.5", Private(0.5)),
    Defence("DP-SGD, noise 1", Private(1.0)),
    Defence("DP-SGD, noise 4", Private(4.0)),
)
