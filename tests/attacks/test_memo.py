import pickle

import numpy as np

from pytest_mia.attacks.memo import ArrayMemo


class Doubling:
    """Doubles arrays, and counts how often it had to."""

    def __init__(self):
        self.calls = 0

    def __call__(self, *arrays):
        self.calls += 1
        return 2 * sum(arrays)


def test_what_was_made_once_is_used_again():
    kept, double, values = ArrayMemo(), Doubling(), np.ones(8)
    assert kept.of(double, values) is kept.of(double, values)
    assert double.calls == 1


def test_equal_arrays_are_not_the_same_array():
    kept, double = ArrayMemo(), Doubling()
    assert kept.of(double, np.ones(8)) is not kept.of(double, np.ones(8))
    assert double.calls == 2


def test_every_array_and_the_function_count():
    kept, double, one, other = ArrayMemo(), Doubling(), np.ones(8), np.zeros(8)
    assert kept.of(double, one, other).tolist() == [2] * 8
    assert kept.of(double, one, one).tolist() == [4] * 8
    assert kept.of(np.negative, one).tolist() == [-1] * 8


def test_an_array_that_is_gone_leaves_its_place_to_no_other():
    """Many arrays in turn get the place in memory of the one before them."""
    kept = ArrayMemo()
    assert [float(kept.of(np.sum, np.full(4, value))) for value in range(50)] == [4.0 * value for value in range(50)]


def test_the_one_not_used_for_longest_goes_when_another_would_not_fit():
    kept, double = ArrayMemo(most_bytes=3 * 80), Doubling()
    first, second, third, fourth = (np.full(10, value, dtype=float) for value in range(4))
    for values in (first, second, third, first, fourth):
        kept.of(double, values)
    assert double.calls == 4
    kept.of(double, first)
    assert double.calls == 4
    kept.of(double, second)
    assert double.calls == 5


def test_a_copy_holds_nothing():
    kept, double, values = ArrayMemo(), Doubling(), np.ones(1000)
    empty = pickle.dumps(kept)
    kept.of(double, values)
    assert pickle.dumps(kept) == empty


def test_what_holds_the_same_is_told_by_its_content():
    kept, made = ArrayMemo(), []

    def largest(content):
        made.append(content)
        return content["x"].max()

    for values in ([1.0, 2.0], [1.0, 2.0], [1.0, 3.0]):
        assert kept.of_equal(largest, {"x": np.array(values)}) == max(values)
    assert len(made) == 2
