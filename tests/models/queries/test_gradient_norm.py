import numpy as np
import pytest
from scipy import special
from sklearn.naive_bayes import GaussianNB
from torches import needs_torch, torch

import pytest_mia
from pytest_mia import MIAUsageError, TorchTraining
from pytest_mia.models.queries import gradient_norm
from pytest_mia.models.queries.gradient_norm import GradientNorm
from pytest_mia.models.queries.protocol import QueryTarget
from pytest_mia.models.queries.registry import find_problems
from pytest_mia.models.select import adapter_for

nn = torch and torch.nn

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5))
Y = RNG.integers(0, 3, 60)


def module(*layers):
    torch.manual_seed(0)
    return nn.Sequential(*(layer() for layer in layers)).double().eval()


def norms(model, X=X, labels=Y, classes=3, **how):
    adapter = adapter_for(model, classes=np.arange(classes), **how)
    return np.exp(-GradientNorm().measure(QueryTarget(adapter, model, labels), X, 0).gradient_norm)


def alone(model, loss):
    """The norms by torch's plain gradients, record by record."""
    found = []
    for x, y in zip(torch.from_numpy(X), torch.from_numpy(Y), strict=True):
        gradients = torch.autograd.grad(loss(model(x[None]), y[None]), list(model.parameters()))
        found.append(torch.cat([each.flatten() for each in gradients]).norm().item())
    return found


@needs_torch
class TestClosedForms:
    def test_a_linear_layer(self):
        """The gradient is (p - onehot) x^T and p - onehot for the bias: ||p - onehot|| sqrt(||x||^2 + 1)."""
        model = module(lambda: nn.Linear(5, 3))
        p = special.softmax(model(torch.from_numpy(X)).detach().numpy(), axis=1)
        expected = np.linalg.norm(p - np.eye(3)[Y], axis=1) * np.sqrt((X**2).sum(axis=1) + 1)
        assert norms(model) == pytest.approx(expected, rel=1e-9)

    def test_one_output_for_two_classes(self):
        """|p - y| sqrt(||x||^2 + 1)."""
        model, labels = module(lambda: nn.Linear(5, 1)), Y % 2
        p = special.expit(model(torch.from_numpy(X)).detach().numpy()[:, 0])
        expected = np.abs(p - labels) * np.sqrt((X**2).sum(axis=1) + 1)
        assert norms(model, labels=labels, classes=2) == pytest.approx(expected, rel=1e-9)

    def test_probabilities_ask_for_their_logarithm(self):
        """A softmax at the end changes nothing, as long as the training has a loss of its own."""
        how = {"training": TorchTraining(loss=lambda outputs, targets: outputs.sum())}
        plain, soft = module(lambda: nn.Linear(5, 3)), module(lambda: nn.Linear(5, 3), lambda: nn.Softmax(dim=1))
        assert norms(soft, **how) == pytest.approx(norms(plain), rel=1e-6)
        plain, soft = module(lambda: nn.Linear(5, 1)), module(lambda: nn.Linear(5, 1), nn.Sigmoid)
        two = {"labels": Y % 2, "classes": 2}
        assert norms(soft, **how, **two) == pytest.approx(norms(plain, **two), rel=1e-6)

    def test_a_network_as_by_plain_gradients(self):
        model = module(lambda: nn.Linear(5, 8), nn.Tanh, lambda: nn.BatchNorm1d(8), lambda: nn.Linear(8, 3))
        assert norms(model) == pytest.approx(alone(model, nn.functional.cross_entropy), rel=1e-9)

    def test_in_chunks_of_any_size(self, monkeypatch):
        model = module(lambda: nn.Linear(5, 3))
        whole = norms(model)
        monkeypatch.setattr(gradient_norm, "NUMBERS_AT_ONCE", 7 * 18)
        assert norms(model) == pytest.approx(whole, rel=1e-12)

    def test_one_by_one_what_cannot_be_batched(self):
        class Branching(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.second = nn.Linear(5, 3), nn.Linear(5, 3)

            def forward(self, x):
                parts = [self.first(row) if row.sum().item() > 0 else self.second(row) for row in x]
                return torch.stack(parts)

        torch.manual_seed(0)
        model = Branching().double().eval()
        found = norms(model)
        for record, x in enumerate(X):
            layer = model.first if x.sum() > 0 else model.second
            p = special.softmax(layer(torch.from_numpy(x)).detach().numpy())
            expected = np.linalg.norm(p - np.eye(3)[Y[record]]) * np.sqrt((x**2).sum() + 1)
            assert found[record] == pytest.approx(expected, rel=1e-9)


@needs_torch
class TestTraces:
    def test_the_module_and_the_records_stay_as_they_were(self):
        model = module(lambda: nn.Linear(5, 8), lambda: nn.BatchNorm1d(8), nn.Dropout, lambda: nn.Linear(8, 3)).train()
        state = {name: each.clone() for name, each in model.state_dict().items()}
        tensor = torch.from_numpy(X.copy())
        random = torch.get_rng_state()
        norms(model, X=tensor)
        assert all((each == state[name]).all() for name, each in model.state_dict().items())
        assert all(part.training for part in model.modules())
        assert all(each.grad is None for each in model.parameters())
        assert (tensor.numpy() == X).all()
        assert (torch.get_rng_state() == random).all()

    def test_frozen_parameters_have_no_part_unless_all_are(self):
        model = module(lambda: nn.Linear(5, 4), lambda: nn.Linear(4, 3))
        whole = norms(model)
        model[0].requires_grad_(False)
        part = norms(model)
        assert (part < whole).all()
        model.requires_grad_(False)
        assert norms(model) == pytest.approx(whole)

    def test_a_record_that_was_learnt_to_the_last_digit_is_finite(self):
        model = nn.Linear(1, 2)
        with torch.no_grad():
            model.weight[:], model.bias[:] = torch.tensor([[0.0], [1e4]]), 0.0
        adapter = adapter_for(model, classes=np.arange(2))
        found = GradientNorm().measure(QueryTarget(adapter, model, np.array([1])), np.ones((1, 1), dtype=np.float32), 0)
        assert found.gradient_norm == pytest.approx(-np.log(1e-30))


class TestAudits:
    def refused(self, model, X=X, **how):
        return find_problems(["gradient_norm"], adapter_for(model, classes=np.arange(3), **how), model, X)

    @needs_torch
    def test_other_models_are_refused(self):
        (problem,) = self.refused(GaussianNB())
        assert problem.startswith(
            "gradient_norm needs a torch module that answers with scores by its forward pass, got"
        )
        assert "GaussianNB" in problem
        (problem,) = self.refused(nn.Linear(5, 3), predict=lambda model, X: None)
        assert "got Linear asked by mia_predict" in problem

    @needs_torch
    def test_what_is_no_loss_of_scores_is_refused(self):
        class GuessPlan(nn.Linear):
            def forward(self, x):
                return super().forward(x).argmax(dim=1)

        (problem,) = self.refused(GuessPlan(5, 3))
        assert "the module gives labels" in problem

    @needs_torch
    def test_a_module_fits(self):
        assert self.refused(nn.Linear(5, 3)) == []

    def test_refused_before_any_training(self):
        with pytest.raises(MIAUsageError, match="gradient_norm needs a torch module"):
            pytest_mia.audit(GaussianNB, (X, Y), attacks=["gradient_norm"], shadows=3)

    @needs_torch
    def test_a_network_that_memorises_asks_for_no_more_change(self):
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(160, 20)).astype(np.float32), rng.integers(0, 2, 160)
        result = pytest_mia.audit(
            lambda: nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 2)),
            (X, y),
            training=TorchTraining(epochs=30, batch_size=16, lr=0.01),
            attacks=["gradient_norm", "calibrated_gradient_norm", "gap"],
            shadows=3,
            jobs=1,
            device="cpu",
        )
        found = {attack.name: attack.auc for attack in result.attacks}
        assert found["gradient_norm"] > 0.85
        assert found["calibrated_gradient_norm"] > 0.85
