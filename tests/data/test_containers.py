import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from torches import needs_torch, torch, torch_case

from pytest_mia.data.containers import as_array, as_sortable, as_texts, find_bad_features

BAD = [False, True, True, False]
VALUES = np.array([[1.0, 2.0], [np.nan, 2.0], [1.0, -np.inf], [0.0, 0.0]])


@pytest.mark.parametrize(
    "given",
    [
        VALUES,
        VALUES.astype(np.float32).reshape(4, 1, 2),
        pd.DataFrame(VALUES),
        pd.DataFrame(VALUES).assign(text="a", when=pd.Timedelta(1)),
        sparse.csr_matrix(VALUES),
        sparse.coo_array(VALUES),
        torch_case(lambda: torch.tensor(VALUES)),
        torch_case(lambda: torch.tensor(VALUES, dtype=torch.bfloat16)),
    ],
)
def test_finds_records_with_bad_features(given):
    assert find_bad_features(given).tolist() == BAD


def test_missing_values_of_any_column_count():
    frame = pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": ["x", "y"]})
    assert find_bad_features(frame).tolist() == [False, True]
    assert find_bad_features(frame.assign(a=1, b=[None, "y"])).tolist() == [True, False]


@pytest.mark.parametrize(
    "given",
    [
        ["a", "b"],
        np.array(["a"]),
        np.array([1, 2]),
        torch_case(lambda: torch.tensor([1])),
        pd.Series(["a"]),
        np.array([None]),
    ],
)
def test_nothing_to_find_where_there_are_no_fractions(given):
    assert find_bad_features(given) is None


def test_dense_arrays():
    for given in (VALUES, pd.DataFrame(VALUES), sparse.csr_array(VALUES)):
        np.testing.assert_array_equal(as_array(given), VALUES)


@needs_torch
def test_the_array_of_a_tensor():
    np.testing.assert_array_equal(as_array(torch.tensor(VALUES, requires_grad=True)), VALUES)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([1.5, 2.0]), ["1.5", "2.0"]),
        ([1, "1"], ["1", "'1'"]),
        (pd.Series([True, False], index=[4, 3]), ["True", "False"]),
        (pd.DataFrame({"a": [1, 2], "b": [3, 4]}), ["[1, 3]", "[2, 4]"]),
        torch_case(lambda: torch.tensor([3, 4]), ["3", "4"]),
        ([[1], [1, 2]], ["[1]", "[1, 2]"]),
    ],
)
def test_texts_tell_entries_apart(values, expected):
    assert as_texts(values) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2, 1], [2, 1]),
        (["b", "a"], ["b", "a"]),
        torch_case(lambda: torch.tensor([0.5, 0.25]), [0.5, 0.25]),
        ([[1, 2], [3, 4]], ["[1, 2]", "[3, 4]"]),
        ([[1], [1, 2]], ["[1]", "[1, 2]"]),
        (np.array([None, "a"], dtype=object), ["None", "'a'"]),
    ],
)
def test_entries_that_can_be_sorted(values, expected):
    assert as_sortable(values).tolist() == expected
