"""What the privacy tests audit: the model as it is shipped."""

import pytest
from sklearn.datasets import load_breast_cancer
from tumours import diagnosis, logistic


@pytest.fixture(scope="session")
def mia_dataset():
    """569 tumours, 30 measurements each."""
    return load_breast_cancer(return_X_y=True)


@pytest.fixture
def mia_model_factory():
    """A fresh, untrained model at each call."""
    return logistic


@pytest.fixture
def mia_predict():
    """The service answers no more than this, so an attacker sees no more."""
    return diagnosis
