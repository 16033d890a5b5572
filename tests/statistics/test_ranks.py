import itertools
import math

import numpy as np
import pytest

from pytest_mia.statistics.ranks import rank_within_rows, weight_below


class TestRanks:
    def test_ties_get_their_middle(self):
        assert rank_within_rows(np.array([5.0, 1, 1, 3])).tolist() == [7 / 8, 2 / 8, 2 / 8, 5 / 8]

    @pytest.mark.parametrize(("first", "second"), list(itertools.pairwise([-math.inf, -1.0, 0.0, 7.0, math.inf])))
    def test_any_two(self, first, second):
        assert rank_within_rows(np.array([second, first])).tolist() == [0.75, 0.25]

    def test_constants(self):
        assert rank_within_rows(np.zeros(5)).tolist() == [0.5] * 5

    def test_of_many_rows_each_by_itself(self):
        rows = np.array([[5.0, 1, 1, 3], [0, 0, 0, 0], [1, 2, 3, 4]])
        assert (rank_within_rows(rows) == [rank_within_rows(row) for row in rows]).all()
        assert rank_within_rows(np.empty((2, 0))).shape == (2, 0)

    def test_weighted_by_hand(self):
        """Below 3 there are weights 2 and 0, and 1 and 4 lie level with it, its own among them."""
        scores, weights = np.array([[3.0, 1, 3, 0, 9]]), np.array([[1.0, 2, 4, 0, 8]])
        assert weight_below(scores, weights).tolist() == [[4.5, 1, 4.5, 0, 11]]

    def test_weighted_equals_counting_one_by_one(self):
        rng = np.random.default_rng(0)
        scores, weights = rng.integers(0, 6, (4, 30)).astype(float), rng.integers(0, 2, (4, 30)).astype(float)
        lower, level = scores[:, None] < scores[:, :, None], scores[:, None] == scores[:, :, None]
        expected = ((lower + level / 2) * weights[:, None]).sum(axis=2)
        assert (weight_below(scores, weights) == expected).all()
