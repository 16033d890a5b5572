"""Other ways to train a torch module: stopped early, and with differential privacy."""

import copy
import importlib.util

import numpy as np
import pytest
from torches import needs_torch, torch

from pytest_mia import MIAUsageError, TorchTraining
from pytest_mia.core.seeding import single_threaded
from pytest_mia.models.torch import loop
from pytest_mia.remedies import EarlyStoppedTraining, PrivateTraining

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))


def trained(training, y=Y):
    model = network()
    torch.manual_seed(1)
    with single_threaded():
        assert training(model, X, y) is model
    assert not model.training
    return model


def right(model, y=Y):
    with torch.no_grad():
        return float((model(torch.from_numpy(X)).argmax(1).numpy() == y).mean())


class TestEarlyStopped:
    @pytest.fixture
    def epochs(self, monkeypatch):
        """How many epochs were trained."""
        counted, whole = [], loop.epochs

        def counting(*args, **keywords):
            for each in whole(*args, **keywords):
                counted.append(keywords)
                yield each

        monkeypatch.setattr(loop, "epochs", counting)
        return counted

    @needs_torch
    def test_it_learns(self):
        assert right(trained(EarlyStoppedTraining(TorchTraining(lr=0.02)))) > 0.9

    @needs_torch
    def test_labels_drawn_by_chance_are_not_learnt_by_heart(self, epochs):
        y, training = RNG.integers(0, 2, 200), TorchTraining(lr=0.1, epochs=40)
        stopped = right(trained(EarlyStoppedTraining(training), y), y)
        assert len(epochs) < 20
        assert stopped < right(trained(training, y), y) - 0.05

    @needs_torch
    def test_it_keeps_the_best_epoch(self, monkeypatch):
        losses = iter([3.0, 1.0, 2.0, 2.0])
        monkeypatch.setattr(EarlyStoppedTraining, "_loss", lambda *_: next(losses))
        stopped = trained(EarlyStoppedTraining(TorchTraining(epochs=9)))
        again = iter([3.0, 1.0])
        monkeypatch.setattr(EarlyStoppedTraining, "_loss", lambda *_: next(again))
        second = trained(EarlyStoppedTraining(TorchTraining(epochs=2)))
        for one, other in zip(stopped.parameters(), second.parameters(), strict=True):
            assert torch.equal(one, other)

    @needs_torch
    def test_a_loss_that_is_no_number_stops_it(self, monkeypatch):
        asked = []
        monkeypatch.setattr(EarlyStoppedTraining, "_loss", lambda *_: asked.append(None) or float("nan"))
        trained(EarlyStoppedTraining(TorchTraining(epochs=9), patience=1))
        assert len(asked) == 1

    @needs_torch
    def test_the_records_that_are_kept_out_are_not_trained_on(self, monkeypatch):
        seen = []
        monkeypatch.setattr(loop, "epochs", lambda module, inputs, *_, **__: seen.append(len(inputs)) or iter(()))
        trained(EarlyStoppedTraining())
        assert seen == [180]

    @pytest.mark.parametrize("patience", [0, True, 1.5])
    def test_patience_is_a_number_of_epochs(self, patience):
        with pytest.raises(MIAUsageError, match="patience must be a whole number of at least 1"):
            EarlyStoppedTraining(patience=patience)


@pytest.mark.parametrize("values", [{"noise": 0}, {"clip": -1}, {"noise": "1"}])
def test_noise_and_clip_are_above_zero(values):
    with pytest.raises(MIAUsageError, match="must be a number above 0"):
        PrivateTraining(**values)


@needs_torch
@pytest.mark.skipif(importlib.util.find_spec("opacus") is None, reason="Opacus isn't installed")
@pytest.mark.filterwarnings("ignore")
class TestPrivate:
    def test_little_noise_learns_and_much_noise_does_not(self):
        training = TorchTraining(optimizer="sgd", lr=0.2)
        assert right(trained(PrivateTraining(training, noise=0.1))) > 0.9
        before, model = network(), trained(PrivateTraining(training, noise=100.0))
        assert not torch.equal(next(before.parameters()), next(model.parameters()))
        assert right(model) < 0.9

    def test_the_model_stays_one_that_can_be_copied(self):
        model = trained(PrivateTraining(TorchTraining(epochs=1)))
        assert not any(hasattr(parameter, "grad_sample") for parameter in model.parameters())
        copy.deepcopy(model)

    def test_epsilon_falls_with_noise_and_grows_with_epochs(self):
        one, noisy, long = (
            PrivateTraining(TorchTraining(epochs=epochs), noise=noise).epsilon(1000)
            for epochs, noise in ((20, 1.0), (20, 4.0), (40, 1.0))
        )
        assert 0 < noisy < one < long
