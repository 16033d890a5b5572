import numpy as np
import pytest
from adapters import find_problems
from sklearn.naive_bayes import GaussianNB
from torches import needs_torch, torch

from pytest_mia.cache import pickling
from pytest_mia.core.errors import MIAUsageError
from pytest_mia.data.dataset import Dataset
from pytest_mia.models.answers import Labels, Logits, Losses, Probabilities
from pytest_mia.models.select import adapter_for
from pytest_mia.models.torch.module import TorchTraining

X = np.random.default_rng(0).normal(size=(20, 2))
Y = np.array(["no", "yes"])[np.tile([0, 1], 10)]
CLASSES = np.array(["no", "yes"])
TEXTS = [f"text {number}" for number in range(20)]


class Table:
    """A model without fit or predict."""

    rows = None


def train(model, X, y):
    model.rows = dict(zip(X, y, strict=True))


def predict(model, X):
    return [model.rows.get(x, "no") for x in X]


def adapted(model, classes=CLASSES, X=X, y=Y, **given):
    adapter = adapter_for(model, classes=classes, device="cpu", **given)
    assert find_problems(adapter, model, Dataset(X, y)) == []
    return adapter


class TestTraining:
    def test_in_place_with_the_users_own_types(self):
        adapter = adapted(Table(), X=TEXTS, training=train, predict=predict)
        model = adapter.trainer.fit(Table(), TEXTS[:10], Y[:10], 0)
        answer = adapter.asker.answer(model, TEXTS, None)
        assert isinstance(answer, Labels)
        assert answer.codes.tolist() == [0, 1] * 5 + [0] * 10
        assert (adapter.device, adapter.trainer.description) == ("cpu", "")

    def test_a_new_model_asked_by_its_own_methods(self):
        adapter = adapted(None, training=lambda model, X, y: GaussianNB().fit(X, y))
        answer = adapter.asker.answer(adapter.trainer.fit(None, X, Y, 0), X, None)
        np.testing.assert_array_equal(answer.values, GaussianNB().fit(X, Y).predict_proba(X))

    @needs_torch
    def test_a_module_asked_by_its_forward_pass(self):
        def train(model, X, y):
            with torch.no_grad():
                model.weight.copy_(torch.tensor(X[:2]))

        model = torch.nn.Linear(2, 2, bias=False, dtype=torch.float64)
        adapter = adapted(model, training=train)
        answer = adapter.asker.answer(adapter.trainer.fit(model, X, Y, 0), X, None)
        assert isinstance(answer, Logits)
        np.testing.assert_allclose(answer.values, X @ X[:2].T)

    @needs_torch
    def test_settings_of_torch_within_ones_own(self):
        def train(model, X, y):
            return TorchTraining(epochs=1)(model, X, y)

        model = torch.nn.Linear(2, 2)
        adapter = adapted(model, training=train)
        assert adapter.trainer.fit(model, X, Y, 0) is model

    @needs_torch
    def test_a_module_with_fit_of_its_own_is_trained_by_it(self):
        class Net(torch.nn.Linear):
            def fit(self, X, y):
                self.fitted = True

            def predict(self, X):
                return np.full(len(X), "yes")

        adapter = adapted(Net(2, 2))
        model = adapter.trainer.fit(Net(2, 2), X, Y, 0)
        assert model.fitted
        assert (adapter.asker.answer(model, X, None).codes == 1).all()


class TestAsking:
    def test_predict_comes_before_the_models_own_methods(self):
        rounded = adapted(GaussianNB(), predict=lambda model, X: model.predict_proba(X).round())
        answer = rounded.asker.answer(rounded.trainer.fit(GaussianNB(), X, Y, 0), X, None)
        assert isinstance(answer, Probabilities)
        assert set(np.unique(answer.values)) == {0.0, 1.0}

    def test_losses(self):
        def loss(model, X, y):
            return (X[:, 0] - y) ** 2

        adapter = adapted(None, np.array([]), y=X[:, 1], training=lambda model, X, y: None, loss=loss)
        answer = adapter.asker.answer(adapter.trainer.fit(None, X, X[:, 1], 0), X, X[:, 1])
        assert isinstance(answer, Losses)
        np.testing.assert_array_equal(answer.values, (X[:, 0] - X[:, 1]) ** 2)

    def test_a_released_model_needs_no_training(self):
        model = Table()
        model.rows = {"text 1": "yes"}
        adapter = adapter_for(model, classes=CLASSES, predict=predict)
        assert adapter.asker.answer(model, TEXTS[:3], None).codes.tolist() == [0, 1, 0]
        with pytest.raises(MIAUsageError, match="returned Table, which has no fit"):
            adapter.trainer.fit(model, TEXTS, Y, 0)

    def test_adapters_travel(self):
        adapter = pickling.loads(
            pickling.dumps(adapted(None, training=lambda m, X, y: 3, predict=lambda m, X: [m] * len(X)))
        )
        with pytest.raises(MIAUsageError, match="can't be read for 2 classes"):
            adapter.asker.answer(adapter.trainer.fit(None, X, Y, 0), X, None)


class TestProblems:
    def test_all_that_are_no_functions(self):
        with pytest.raises(MIAUsageError) as caught:
            adapter_for(GaussianNB(), classes=CLASSES, training=3, predict="x", loss=[1])
        assert len(caught.value.problems) == 4
        assert caught.value.problems[0] == "mia_training must be a function, got int"

    def test_predict_and_loss_together(self):
        with pytest.raises(MIAUsageError, match="both given"):
            adapter_for(GaussianNB(), classes=CLASSES, predict=predict, loss=train)

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (
                {"training": lambda model: model},
                "mia_training is called with (model, X, y), but <lambda> takes (model)",
            ),
            ({"predict": lambda X: X}, "mia_predict is called with (model, X), but <lambda> takes (X)"),
            ({"loss": lambda model, X: X}, "mia_loss is called with (model, X, y), but <lambda> takes (model, X)"),
        ],
    )
    def test_functions_of_other_arguments(self, given, said):
        assert find_problems(adapter_for(GaussianNB(), classes=CLASSES, **given), GaussianNB(), Dataset(X, Y)) == [said]

    def test_functions_without_a_signature_are_tried(self):
        assert find_problems(adapter_for(GaussianNB(), classes=CLASSES, predict=max), GaussianNB(), Dataset(X, Y)) == []

    def test_nothing_to_train_by(self):
        (problem, *_) = find_problems(adapter_for(Table(), classes=CLASSES, predict=predict), Table(), Dataset(X, Y))
        assert problem == (
            "mia_model_factory returned Table, which has no fit and is no torch module; "
            "give mia_training, a function train(model, X, y)"
        )
