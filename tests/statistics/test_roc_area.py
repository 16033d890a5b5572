import numpy as np
import pytest

from pytest_mia.statistics import auc


class TestAuc:
    @pytest.mark.parametrize(
        ("scores", "members", "expected"),
        [
            ([1, 2, 3, 4, 0, 1, 2, 3], [1, 1, 1, 1, 0, 0, 0, 0], 0.71875),
            ([1, 1, 0, 0], [1, 0, 1, 0], 0.5),
            ([0, 0, 0], [1, 0, 0], 0.5),
            ([1, 2, 0, -1], [1, 1, 0, 0], 1),
            ([1, 2, 0, -1], [0, 0, 1, 1], 0),
            ([-np.inf, np.inf, -np.inf, 0], [0, 1, 1, 0], 0.625),
        ],
    )
    def test_vectors(self, scores, members, expected):
        assert auc(np.array(scores, dtype=float), np.array(members, dtype=bool)) == expected

    @pytest.mark.parametrize("members", [[True, True], [False, False]])
    def test_one_side_only_tells_nothing(self, members):
        assert auc(np.array([0.0, 1.0]), np.array(members)) == 0.5

    def test_no_records_tell_nothing(self):
        assert auc(np.empty(0), np.empty(0, dtype=bool)) == 0.5

    def test_nan_is_refused(self):
        with pytest.raises(ValueError, match="2 scores are NaN"):
            auc(np.array([np.nan, 1, np.nan]), np.array([True, False, True]))
        for alone in ([True, False], [False, True]):
            with pytest.raises(ValueError, match="1 scores are NaN"):
                auc(np.array([np.nan, 1]), np.array(alone))

    def test_shapes_that_differ_are_refused(self):
        with pytest.raises(ValueError, match="one entry per record"):
            auc(np.zeros(3), np.array([True, False]))

    def test_inputs_stay_as_they_were(self):
        scores, members = np.array([3.0, 1.0, 2.0]), np.array([True, False, True])
        auc(scores, members)
        assert scores.tolist() == [3, 1, 2]
        assert members.tolist() == [True, False, True]
