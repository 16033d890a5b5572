"""The registry of kinds of models: the first that fits says how a model is trained and asked."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from torches import torch, torch_case

from pytest_mia import TorchTraining
from pytest_mia.models import select
from pytest_mia.models.functions import FunctionAsker, FunctionTrainer, LossAsker
from pytest_mia.models.protocol import Adapter, NoTrainer
from pytest_mia.models.select import adapter_for
from pytest_mia.models.sklearn import EstimatorAsker, EstimatorTrainer
from pytest_mia.models.torch.module import ModuleAsker, ModuleTrainer

CLASSES = np.array([0, 1])


def linear():
    return torch.nn.Linear(4, 3)


def own(model, X, y=None):
    """Any function of the user's."""


@pytest.mark.parametrize(
    ("model", "given", "trainer", "asker"),
    [
        (LogisticRegression(), {}, EstimatorTrainer, EstimatorAsker),
        (LogisticRegression(), {"training": own}, FunctionTrainer, EstimatorAsker),
        (LogisticRegression(), {"training": TorchTraining()}, NoTrainer, EstimatorAsker),
        (LogisticRegression(), {"predict": own}, EstimatorTrainer, FunctionAsker),
        (LogisticRegression, {}, NoTrainer, EstimatorAsker),
        (object(), {"training": own, "loss": own}, FunctionTrainer, LossAsker),
        (object(), {}, NoTrainer, EstimatorAsker),
        torch_case(linear, {}, ModuleTrainer, ModuleAsker),
        torch_case(linear, {"training": TorchTraining(), "predict": own}, ModuleTrainer, FunctionAsker),
        torch_case(linear, {"training": own}, FunctionTrainer, ModuleAsker),
    ],
)
def test_how_models_are_trained_and_asked(model, given, trainer, asker):
    adapter = adapter_for(model, classes=CLASSES, device="cpu", **given)
    assert (type(adapter.trainer), type(adapter.asker)) == (trainer, asker)


def test_a_kind_is_one_entry_of_the_registry(monkeypatch):
    class Words:
        def fits(self, model, use):
            return isinstance(model, str)

        def adapter(self, model, use):
            return Adapter(FunctionTrainer(own), FunctionAsker(own, use.classes))

    monkeypatch.setattr(select, "KINDS", (Words(), *select.KINDS))
    assert adapter_for("a model", classes=CLASSES).trainer == FunctionTrainer(own)
    assert isinstance(adapter_for(LogisticRegression(), classes=CLASSES).trainer, EstimatorTrainer)
