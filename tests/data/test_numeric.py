import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from pytest_mia.data import numeric

torch = pytest.importorskip("torch")

X = np.array([[1.0, 2.0], [3.0, np.nan], [np.inf, -1e300], [0.0, 0.0]] * 3)
FINITE = np.array([[1.0, 2.0], [3.0, 0.0], [1e100, -1e100], [0.0, 0.0]] * 3)


@pytest.mark.parametrize("given", [X, torch.tensor(X), pd.DataFrame(X), X.reshape(12, 2, 1), sparse.csr_matrix(X)])
def test_records_of_any_type_are_a_finite_matrix(given):
    assert (numeric.of(given, None) == FINITE).all()


def test_categories_are_numbered():
    frame = pd.DataFrame({"age": [3.0, 4.0], "town": ["b", "a"]})
    assert numeric.of(frame, None).tolist() == [[3, 1], [4, 0]]


def test_texts_and_wide_records_get_fewer_columns():
    assert numeric.of(["a text", "another one"], None).shape == (2, numeric.PROJECTED)
    assert numeric.of(np.ones((3, 2000)), None).shape == (3, numeric.PROJECTED)


def test_few_classes_are_one_hot_many_labels_in_order_and_several_as_they_are():
    few, many, several = np.array(list("abc") * 4), np.arange(12) / 7, np.arange(24).reshape(12, 2)
    assert (numeric.of(FINITE, few)[:, 2:] == np.tile(np.eye(3), (4, 1))).all()
    assert numeric.of(FINITE, many)[:, 2].tolist() == list(range(12))
    assert (numeric.of(FINITE, several)[:, 2:] == several).all()


def test_records_that_hold_no_numbers():
    assert numeric.of([object(), object()], None) is None
