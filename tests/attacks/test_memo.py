import pickle

import numpy as np

from pytest_mia.attacks.memo import ArrayMemo, identify, identify_content


def doubled(memo, *arrays, computed):
    """Twice the sum of the arrays, from the memo where it is there; what was computed is noted."""
    key = identify("doubled", *arrays)
    found = memo.find(key)
    if found is None:
        computed.append(arrays)
        found = memo.keep(key, 2 * sum(arrays))
    return found


def test_what_was_computed_once_is_used_again():
    memo, values, computed = ArrayMemo(), np.ones(8), []
    assert doubled(memo, values, computed=computed) is doubled(memo, values, computed=computed)
    assert len(computed) == 1


def test_equal_arrays_are_not_the_same_array():
    memo, computed = ArrayMemo(), []
    assert doubled(memo, np.ones(8), computed=computed) is not doubled(memo, np.ones(8), computed=computed)
    assert len(computed) == 2


def test_every_array_and_the_name_count():
    memo, one, other = ArrayMemo(), np.ones(8), np.zeros(8)
    assert doubled(memo, one, other, computed=[]).tolist() == [2] * 8
    assert doubled(memo, one, one, computed=[]).tolist() == [4] * 8
    assert memo.find(identify("doubled", one, other)).tolist() == [2] * 8
    assert memo.find(identify("negative", one, other)) is None


def test_an_array_that_is_gone_leaves_its_place_to_no_other():
    """Many arrays in turn get the place in memory of the one before them."""
    memo, computed = ArrayMemo(), []
    found = [doubled(memo, np.full(4, value), computed=computed).tolist() for value in range(50)]
    assert found == [[2 * value] * 4 for value in range(50)]
    assert len(computed) == 50


def test_the_one_not_used_for_longest_goes_when_another_would_not_fit():
    memo, computed = ArrayMemo(most_bytes=3 * 80), []
    first, second, third, fourth = (np.full(10, value, dtype=float) for value in range(4))
    for values in (first, second, third, first, fourth):
        doubled(memo, values, computed=computed)
    assert len(computed) == 4
    doubled(memo, first, computed=computed)
    assert len(computed) == 4
    doubled(memo, second, computed=computed)
    assert len(computed) == 5


def test_a_copy_holds_nothing():
    memo, values = ArrayMemo(), np.ones(1000)
    empty = pickle.dumps(memo)
    doubled(memo, values, computed=[])
    assert pickle.dumps(memo) == empty


def test_what_holds_the_same_is_found_by_its_content():
    memo = ArrayMemo()
    memo.keep(identify_content("largest", {"x": np.array([1.0, 2.0])}), np.array(2.0))
    assert memo.find(identify_content("largest", {"x": np.array([1.0, 2.0])})) == 2
    assert memo.find(identify_content("largest", {"x": np.array([1.0, 3.0])})) is None
    assert memo.find(identify_content("smallest", {"x": np.array([1.0, 2.0])})) is None
