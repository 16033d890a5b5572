import numpy as np
import pandas as pd
import pytest

from pytest_mia import Dataset, MIAUsageError
from pytest_mia.data.dataset import join_datasets, take_records

FIRST = Dataset(
    np.arange(6).reshape(3, 2), np.array([0, 1, 1]), ["p", "q", "p"], {"sex": ["f", "m", "f"], "age": [1, 2, 3]}
)
SECOND = Dataset(np.arange(4).reshape(2, 2), np.array([1, 0]), ["q", "r"], {"sex": ["m", "m"]})


class TestJoined:
    def test_the_second_follows_the_first(self):
        both = join_datasets(FIRST, SECOND)
        assert both.X.tolist() == [[0, 1], [2, 3], [4, 5], [0, 1], [2, 3]]
        assert both.y.tolist() == [0, 1, 1, 1, 0]

    def test_groups_go_across(self):
        assert join_datasets(FIRST, SECOND).groups.tolist() == [0, 1, 0, 1, 2]

    def test_without_groups_each_record_is_one(self):
        alone = Dataset(SECOND.X, SECOND.y)
        assert join_datasets(FIRST, alone).groups.tolist() == [0, 1, 0, 2, 3]
        assert join_datasets(alone, FIRST).groups.tolist() == [0, 1, 2, 3, 2]
        assert join_datasets(alone, alone).groups is None

    def test_slices_that_both_have(self):
        assert join_datasets(FIRST, SECOND).slices == {"sex": ["f", "m", "f", "m", "m"]}
        assert join_datasets(FIRST, Dataset(SECOND.X, SECOND.y)).slices is None

    def test_labels_of_one_side_only_are_refused(self):
        with pytest.raises(MIAUsageError, match="different types can't be joined"):
            join_datasets(FIRST, Dataset(SECOND.X, None))

    def test_neither_needs_labels(self):
        assert join_datasets(Dataset(FIRST.X, None), Dataset(SECOND.X, None)).y is None


def test_taken_takes_all_that_is_known():
    frame = pd.DataFrame({"sex": ["f", "m", "f"]}, index=[7, 8, 9])
    some = take_records(Dataset(FIRST.X, FIRST.y, FIRST.groups, frame), np.array([True, False, True]))
    assert some.X.tolist() == [[0, 1], [4, 5]]
    assert some.y.tolist() == [0, 1]
    assert some.groups == ["p", "p"]
    assert some.slices["sex"].tolist() == ["f", "f"]


def test_what_is_missing_stays_so():
    some = take_records(Dataset(FIRST.X, None), np.array([True, False, True]))
    assert (some.y, some.groups, some.slices) == (None, None, None)
