"""Small modules of torch, and records of three classes for them; without torch the tests that need them are skipped."""

import numpy as np
import pytest
from adapters import find_problems

from pytest_mia.core.seeding import seeded, single_threaded
from pytest_mia.data.dataset import Dataset
from pytest_mia.models.answers import check_answer
from pytest_mia.models.select import adapter_for
from pytest_mia.models.torch.module import TorchTraining

torch = pytest.importorskip("torch")
nn = torch.nn

RNG = np.random.default_rng(0)
CODES = np.tile([0, 1, 2], 20)
X = RNG.normal(size=(60, 4)) + 2 * CODES[:, None]
Y = np.array(["ant", "bee", "cat"])[CODES]
CLASSES = np.array(["ant", "bee", "cat"])
QUICK = TorchTraining(epochs=3, batch_size=16, lr=0.05)


def linear(outputs=3, dtype=torch.float32):
    with seeded(3):
        return nn.Linear(4, outputs, dtype=dtype)


def answer(model, X=X, y=Y, *, classes=CLASSES, training=QUICK, seed=1, **given):
    adapter = adapter_for(model, classes=classes, training=training, device="cpu", **given)
    assert find_problems(adapter, model, Dataset(X, y)) == []
    with seeded(seed), single_threaded():
        model = adapter.trainer.fit(model, X, y, seed)
        return check_answer(adapter.asker.answer(model, X, y), len(Y))


def problems(model, X=X, y=Y, *, classes=CLASSES, training=None, **given):
    return find_problems(
        adapter_for(model, classes=classes, training=training, device="cpu", **given), model, Dataset(X, y)
    )
