import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from torches import torch, torch_case

from pytest_mia.data import numeric

X = np.array([[1.0, 2.0], [3.0, np.nan], [np.inf, -1e300], [0.0, 0.0]] * 3)
FINITE = np.array([[1.0, 2.0], [3.0, 0.0], [1e100, -1e100], [0.0, 0.0]] * 3)


@pytest.mark.parametrize(
    "given", [X, torch_case(lambda: torch.tensor(X)), pd.DataFrame(X), X.reshape(12, 2, 1), sparse.csr_matrix(X)]
)
def test_records_of_any_type_are_a_finite_matrix(given):
    assert (numeric.to_matrix(given, None) == FINITE).all()


def test_categories_are_numbered():
    frame = pd.DataFrame({"age": [3.0, 4.0], "town": ["b", "a"]})
    assert numeric.to_matrix(frame, None).tolist() == [[3, 1], [4, 0]]


def test_texts_and_wide_records_get_fewer_columns():
    assert numeric.to_matrix(["a text", "another one"], None).shape == (2, numeric.PROJECTED)
    assert numeric.to_matrix(np.ones((3, 2000)), None).shape == (3, numeric.PROJECTED)


def test_few_classes_are_one_hot_many_labels_in_order_and_several_as_they_are():
    few, many, several = np.array(list("abc") * 4), np.arange(12) / 7, np.arange(24).reshape(12, 2)
    assert (numeric.to_matrix(FINITE, few)[:, 2:] == np.tile(np.eye(3), (4, 1))).all()
    assert numeric.to_matrix(FINITE, many)[:, 2].tolist() == list(range(12))
    assert (numeric.to_matrix(FINITE, several)[:, 2:] == several).all()


def test_records_that_hold_no_numbers():
    assert numeric.to_matrix([object(), object()], None) is None


LISTS = [[1, 2], [3], [1, 2]]


@pytest.mark.parametrize("columns", [[0, 1], [("a", "x"), ("a", "y")], ["a", "a"], ["a", 1.5]])
@pytest.mark.parametrize("cells", [["b", "a", "b"], LISTS])
def test_columns_are_told_by_their_place_whatever_they_are_called(columns, cells):
    frame = pd.DataFrame({"number": [3.0, 4.0, 5.0], "other": cells})
    frame.columns = columns
    expected = [[3, 1], [4, 0], [5, 1]] if cells is not LISTS else [[3, 0], [4, 1], [5, 0]]
    assert numeric.to_matrix(frame, None).tolist() == expected
    assert list(frame.columns) == columns
    assert frame.iloc[:, 1].tolist() == cells


def test_whole_numbers_of_a_frame_become_floats_by_their_place():
    frame = pd.DataFrame([[1, 2.5], [3, 4.5]], columns=[0, 1]).astype({0: int})
    frame.columns = ["a", "a"]
    floats = numeric.as_floats(frame)
    assert [*floats.dtypes] == [np.float64, np.float64]
    assert frame.dtypes.iloc[0].kind == "i"
    assert floats.to_numpy().tolist() == [[1, 2.5], [3, 4.5]]
