"""Two networks that read handwritten digits: the first attempt, and what is shipped."""

import torch
from torch import nn

from pytest_mia import TorchTraining

TRAINING = TorchTraining(epochs=20, batch_size=64, optimizer="adam", lr=0.01)


def network():
    """The first attempt."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))


def network_with_dropout():
    """What is shipped: it can't lean on single pixels, nor on single neurons."""
    return nn.Sequential(
        nn.Flatten(), nn.Dropout(0.4), nn.Linear(64, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 10)
    )


def digit(model, X):
    """What the service answers: the digit, without a probability."""
    with torch.no_grad():
        return model(torch.as_tensor(X)).argmax(dim=1)
