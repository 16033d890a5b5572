"""What the privacy tests audit: the network, its training and its answers, as they are shipped."""

import pytest
from defences import DECAY, digit
from sklearn.datasets import load_digits


@pytest.fixture(scope="session")
def mia_dataset():
    """1,797 images of 8 x 8 pixels."""
    digits = load_digits()
    return (digits.images / 16).astype("float32"), digits.target


@pytest.fixture
def mia_model_factory():
    """A fresh, untrained network at each call; the service answers no more than this, so an attacker sees no more."""
    return digit


@pytest.fixture
def mia_training():
    """The same training as in production."""
    return DECAY
