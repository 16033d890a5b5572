import numpy as np
import pandas as pd
import pytest
from networks import CLASSES, CODES, QUICK, X, Y, answer, linear, nn, problems, torch
from scipy import sparse

from pytest_mia.core.errors import InvalidAuditError, MIAUsageError
from pytest_mia.core.seeding import seeded
from pytest_mia.data.containers import take
from pytest_mia.models.answers import Logits, Probabilities, check_answer
from pytest_mia.models.select import adapter_for
from pytest_mia.models.torch.module import TorchTraining
from pytest_mia.models.torch.tensors import as_tensor


class TestSettings:
    def test_defaults_are_those_of_the_docstring(self):
        assert str(TorchTraining()) == (
            "TorchTraining(epochs=20, batch_size=64, optimizer='adam', lr=0.001, weight_decay=0.0, "
            "loss='cross_entropy')"
        )

    def test_words_show_momentum_for_sgd_and_name_functions(self):
        shown = str(TorchTraining(optimizer="sgd", loss=nn.functional.mse_loss))
        assert shown.endswith("momentum=0.9, loss=mse_loss)")
        assert str(TorchTraining(loss=nn.MSELoss())).endswith("loss=MSELoss)")

    def test_all_that_is_out_of_range_is_named(self):
        with pytest.raises(MIAUsageError) as caught:
            TorchTraining(
                epochs=0, batch_size=1.5, optimizer="lion", lr=0, weight_decay=-1, momentum=float("nan"), loss="hinge"
            )
        assert len(caught.value.problems) == 7
        assert "TorchTraining: optimizer must be one of sgd, adam, adamw, got 'lion'" in caught.value.problems

    @pytest.mark.parametrize("epochs", [True, "3", None, -1])
    def test_epochs_must_be_a_count(self, epochs):
        with pytest.raises(MIAUsageError, match="epochs must be a whole number"):
            TorchTraining(epochs=epochs)


class TestKinds:
    @pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
    def test_learns(self, optimizer):
        given = answer(linear(), training=TorchTraining(epochs=60, optimizer=optimizer, lr=0.05))
        assert isinstance(given, Logits)
        assert given.values.dtype == np.float32
        assert (given.values.argmax(axis=1) == CODES).mean() > 0.85

    @pytest.mark.parametrize(
        "given",
        [X.astype(np.float32), pd.DataFrame(X), sparse.csr_array(X), torch.tensor(X), X.tolist(), X.astype(object)],
    )
    def test_features_of_every_type_are_the_same_to_it(self, given):
        np.testing.assert_array_equal(answer(linear(), given).values, answer(linear()).values)

    @pytest.mark.parametrize(
        "y", [CODES, torch.tensor(CODES), CODES.astype(float), CODES * 5 - 2, pd.Series(Y), list(Y)]
    )
    def test_labels_of_every_type_are_the_same_to_it(self, y):
        classes = CLASSES if isinstance(y, (list, pd.Series)) else np.unique(np.asarray(y))
        np.testing.assert_array_equal(answer(linear(), y=y, classes=classes).values, answer(linear()).values)

    @pytest.mark.parametrize("flat", [True, False])
    def test_one_output_for_two_classes(self, flat):
        y, layers = Y == "cat", [nn.Linear(4, 1), *([nn.Flatten(0)] if flat else [])]
        given = answer(
            nn.Sequential(*layers), y=y, classes=np.array([False, True]), training=TorchTraining(epochs=100, lr=0.1)
        )
        assert isinstance(given, Logits)
        assert (given.values[:, 0] == 0).all()
        assert ((given.values[:, 1] > 0) == y).mean() > 0.9

    def test_a_module_that_answers_probabilities(self):
        assert isinstance(answer(nn.Sequential(linear(), nn.Softmax(dim=1))), Probabilities)

    def test_double_precision(self):
        assert answer(linear(dtype=torch.float64)).values.dtype == np.float64

    def test_embeddings_get_integers(self):
        tokens = np.stack([CODES, CODES[::-1]], axis=1).astype(np.int32)
        model = nn.Sequential(nn.Embedding(3, 2), nn.Flatten(), nn.Linear(4, 3))
        assert answer(model, tokens).values.shape == (60, 3)
        assert as_tensor(tokens, model).dtype == torch.int64
        assert as_tensor(tokens, linear()).dtype == torch.float32
        assert as_tensor(torch.tensor(tokens), linear()).dtype == torch.int32

    def test_images(self):
        model = nn.Sequential(nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(2, 3))
        # 57 records in batches of 8 leave one over, on which batch normalisation would fail.
        adapter = adapter_for(model, classes=CLASSES, training=TorchTraining(epochs=1, batch_size=8), device="cpu")
        images = X.reshape(60, 1, 2, 2)
        assert (
            len(
                check_answer(
                    adapter.asker.answer(adapter.trainer.fit(model, images[:57], Y[:57], 0), images, Y), 60
                ).values
            )
            == 60
        )

    def test_lazy_layers(self):
        given = answer(
            nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3)), training=TorchTraining(epochs=60, lr=0.05)
        )
        assert (given.values.argmax(axis=1) == CODES).mean() > 0.8

    def test_more_records_than_are_asked_at_once(self):
        model, many = linear(), np.tile(X, (20, 1))
        adapter = adapter_for(model, classes=CLASSES, device="cpu")
        expected = many @ model.weight.detach().numpy().T + model.bias.detach().numpy()
        np.testing.assert_allclose(adapter.asker.answer(model, many, None).values, expected, rtol=1e-4, atol=1e-5)

    def test_own_loss_gets_codes(self):
        seen = []

        def loss(outputs, targets):
            seen.append(targets)
            return nn.functional.cross_entropy(outputs, targets)

        np.testing.assert_array_equal(
            answer(linear(), training=TorchTraining(epochs=3, batch_size=16, lr=0.05, loss=loss)).values,
            answer(linear()).values,
        )
        assert seen[0].dtype == torch.int64

    def test_regression_by_losses(self):
        target = X @ [1.0, 2.0, 3.0, 4.0]

        def loss(model, X, y):
            with torch.no_grad():
                return (model(torch.tensor(X, dtype=torch.float32))[:, 0] - torch.tensor(y)) ** 2

        def squares(outputs, targets):
            return nn.functional.mse_loss(outputs[:, 0], targets)

        none = np.array([])
        training = TorchTraining(epochs=200, lr=0.1, loss=squares)
        before = loss(linear(1), X, target).mean()
        after = answer(linear(1), y=target, classes=none, training=training, loss=loss).values
        assert after.mean() < before / 10
        assert problems(linear(1), y=target, classes=none, training=TorchTraining(), loss=loss) == [
            "cross_entropy needs classes; give TorchTraining(loss=...), such as torch.nn.functional.mse_loss"
        ]

    def test_training_that_blows_up_is_invalid(self):
        with pytest.raises(InvalidAuditError, match="NaN on 60 of 60"):
            answer(linear(), X * 1e4, training=TorchTraining(epochs=50, optimizer="sgd", lr=1e38))


class TestAsAFunction:
    def test_trains_in_place_by_the_global_generator(self):
        def call(seed):
            model = linear()
            with seeded(seed):
                assert QUICK(model, X, Y) is model
            return model.weight.detach().numpy()

        np.testing.assert_array_equal(call(1), call(1))
        assert (call(1) != call(2)).any()

    def test_learns_classes_and_numbers(self):
        model = TorchTraining(epochs=60, lr=0.05)(linear(), X, Y)
        assert not model.training
        assert (model(torch.tensor(X, dtype=torch.float32)).argmax(dim=1).numpy() == CODES).mean() > 0.85
        seen = []

        def loss(outputs, targets):
            seen.append(targets)
            return outputs.sum() * 0

        TorchTraining(epochs=1, batch_size=60, loss=loss)(linear(1), X, CODES + 0.5)
        assert sorted(seen[0].tolist()) == sorted((CODES + 0.5).tolist())
        assert seen[0].dtype == torch.float32


def test_half_the_records_train_without_touching_the_rest():
    class Remembering(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.seen = linear(), []

        def forward(self, x):
            if self.training:
                self.seen += x[:, 0].tolist()
            return self.inner(x)

    rows = np.arange(0, 60, 2)
    adapter = adapter_for(Remembering(), classes=CLASSES, training=TorchTraining(epochs=2), device="cpu")
    model = adapter.trainer.fit(Remembering(), take(X, rows), take(Y, rows), 0)
    assert sorted(model.seen) == sorted(X[rows, 0].astype(np.float32).tolist() * 2)
