"""What the privacy tests audit: a model that was trained elsewhere and saved."""

import joblib
import numpy as np
import pytest
from train import records, save, untrained

from pytest_mia import Target


@pytest.fixture(scope="session")
def release(tmp_path_factory):
    """The saved release. Your fixture would fetch it from where you keep your models."""
    return joblib.load(save(tmp_path_factory.mktemp("release") / "release.joblib"))


@pytest.fixture(scope="session")
def mia_target(release):
    """The model with the records that it was trained on, and with those that it has never seen."""
    X, y = records()
    member = np.isin(np.arange(len(y)), release["members"])
    return Target(release["model"], members=(X[member], y[member]), nonmembers=(X[~member], y[~member]))


@pytest.fixture
def mia_model_factory():
    """How an attacker would train models like it."""
    return untrained


@pytest.fixture
def mia_predict():
    """The service answers with the digit alone, so an attacker sees no more."""
    return lambda model, X: model.predict(X)
