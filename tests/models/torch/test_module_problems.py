import numpy as np
import pandas as pd
import pytest
from networks import QUICK, X, linear, nn, problems

from pytest_mia.models.torch.tensors import as_tensor


class TestProblems:
    def test_none(self):
        assert problems(linear()) == []

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_features(self, value):
        bad = X.copy()
        bad[5, 2] = value
        assert "NaN or infinite features in 1 of 60 records, first in record 5" in problems(linear(), bad)[0]

    def test_too_few_outputs(self):
        (problem,) = problems(linear(2))
        assert "torch.Tensor of shape (2, 2), can't be read for 3 classes" in problem

    def test_a_module_that_does_not_fit_the_features(self):
        (problem,) = problems(linear(), X[:, :3])
        assert problem.startswith("Linear fails on the first and last record of X: RuntimeError: mat1 and mat2")

    def test_texts(self):
        (problem,) = problems(linear(), ["a text"] * 60)
        assert "can't be made a tensor of numbers; encode texts" in problem
        (problem,) = problems(linear(), pd.DataFrame({"a": ["b"] * 60}))
        assert "X, a DataFrame, can't" in problem

    def test_nothing_to_train(self):
        assert "Flatten has no parameter to train" in problems(nn.Flatten())[0]

    def test_answers_other_than_a_tensor(self):
        class Pair(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = linear()

            def forward(self, x):
                return self.inner(x), x

        assert problems(Pair()) == ["Pair answers with a tuple; give mia_predict"]
        assert problems(Pair(), predict=lambda model, X: model(as_tensor(X, model))[0]) == []

    def test_settings_are_for_modules(self):
        class Other:
            fit = predict = None

        assert (
            "TorchTraining, which trains torch modules, but the model is Other" in problems(Other(), training=QUICK)[0]
        )
