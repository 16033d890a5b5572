import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from torches import torch, torch_case

from pytest_mia.data import duplicates
from pytest_mia.data.duplicates import merge_groups, record_keys

X = np.array([[1.0, 0.0], [0.1 + 0.2, 2.0], [1.0, 0.0], [0.3, 2.0], [1.0, 1e-30], [np.nan, 1.0], [np.nan, 1.0]])
FRAME = pd.DataFrame({"name": ["a", "b", "a"], "size": [1.5, 2.0, 1.5]})


class TestRecordKeys:
    @pytest.mark.parametrize("kind", [np.asarray, torch_case(lambda: torch.tensor), lambda x: x.astype(np.float32)])
    def test_floats_agree_to_eight_digits(self, kind):
        assert record_keys(kind(X), None).tolist() == [0, 1, 0, 1, 2, 3, 3]

    def test_eight_digits_whatever_their_size(self):
        values = np.array([[1.0], [1.00000001], [1.0000001], [1e20], [1e20 + 1e5], [-0.0], [0.0], [np.inf], [-np.inf]])
        assert record_keys(values, None).tolist() == [0, 0, 1, 2, 2, 3, 3, 4, 5]

    @pytest.mark.parametrize(
        "records",
        [
            ["a b", "c", "a b"],
            FRAME,
            sparse.csr_matrix([[0, 1], [1, 0], [0, 1]]),
            sparse.coo_array(([1.0, 1.0, 0.5, 0.5], ([0, 1, 2, 2], [1, 0, 1, 1])), shape=(3, 2)),
            np.array([[True], [False], [True]]),
            np.arange(12).reshape(3, 2, 2) % 8,
        ],
    )
    def test_records_of_every_kind(self, records):
        assert record_keys(records, None).tolist() == [0, 1, 0]

    @pytest.mark.parametrize(
        "y", [["u", "u", "v"], pd.Series([0, 0, 1], index=[5, 4, 3]), np.eye(3)[[0, 0, 1]], [[1], [1], [1, 2]]]
    )
    def test_the_label_counts(self, y):
        assert record_keys(["a", "a", "a"], y).tolist() == [0, 0, 1]

    def test_a_sparse_matrix_stays_as_it_was(self):
        given = sparse.csr_matrix((np.array([1.0, 2.0, 0.0]), np.array([0, 0, 1]), np.array([0, 2, 3])), shape=(2, 2))
        assert record_keys(given, None).tolist() == [0, 1]
        assert given.data.tolist() == [1, 2, 0]

    def test_zeros_that_are_stored_are_zeros(self):
        given = sparse.csr_matrix((np.array([0.0]), np.array([1]), np.array([0, 1, 1])), shape=(2, 2))
        assert record_keys(given, None).tolist() == [0, 0]

    def test_more_records_than_are_read_at_once(self, monkeypatch):
        monkeypatch.setattr(duplicates, "AT_ONCE", 4)
        assert record_keys(np.arange(10.0)[:, None] % 7, None).tolist() == [0, 1, 2, 3, 4, 5, 6, 0, 1, 2]

    @pytest.mark.parametrize("records", [[{"a": 1}], [[1, 2], [3]], np.array([["a"], [None]], dtype=object)])
    def test_records_that_cannot_be_compared(self, records):
        assert record_keys(records, None) is None


def test_merged_groups_keep_together_what_either_does():
    merged = merge_groups(np.array([0, 0, 1, 1, 2, 3]), np.array([0, 1, 1, 2, 3, 3]))
    assert merged.tolist() == [0, 0, 0, 0, 1, 1]
