"""What the privacy tests audit: the model as it is shipped. Nothing here knows of a cluster."""

import pytest
from patterns import digit, strokes
from sklearn.datasets import load_digits


@pytest.fixture(scope="session")
def mia_dataset():
    """1,797 handwritten digits of 8 x 8 pixels."""
    return load_digits(return_X_y=True)


@pytest.fixture
def mia_model_factory():
    """A fresh, untrained model at each call."""
    return strokes


@pytest.fixture
def mia_predict():
    """The service answers no more than this, so an attacker sees no more."""
    return digit
