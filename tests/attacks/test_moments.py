import numpy as np
import pytest

from pytest_mia.attacks.moments import BLOCK, Moments, Side, joined, mean_outside, means, shadows_of_sides

S = np.array([[0, 1, 2], [1, 3, 2], [4, 5, 0], [6, 5, 4], [3, 2, 1]], dtype=float)
M = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=bool)
REFERENCES = np.array([True, True, True, True, False])


def side(count, mean, squares=None):
    squares = np.zeros(len(count)) if squares is None else squares
    return Side(*(np.array(part, dtype=float) for part in (count, mean, squares)))


def moments(values, members, references):
    return Moments(values, members, references, shadows_of_sides(members, references))


class TestMoments:
    def test_known_means_and_variances(self):
        """The vectors of the formula sheet; variances are squares / count."""
        inside, outside = moments(S, M, REFERENCES).without(4)
        assert inside.count.tolist() == outside.count.tolist() == [2, 2, 2]
        assert inside.mean == pytest.approx([2, 4, 3])
        assert outside.mean == pytest.approx([3.5, 3, 1])
        assert inside.squares / 2 == pytest.approx([4, 1, 1])
        assert outside.squares / 2 == pytest.approx([6.25, 4, 1])

    @pytest.mark.parametrize("models", [3, 4, 17])
    @pytest.mark.parametrize("offset", [0.0, 1e6])
    def test_leaving_a_model_out_equals_starting_again_without_it(self, models, offset):
        rng = np.random.default_rng(models)
        values = offset + rng.normal(size=(models, 200)) * np.exp(rng.normal(size=200))
        members, references = rng.random((models, 200)) < 0.5, np.arange(models) != 1
        worked_out = moments(values, members, references)
        for model in range(models):
            others = references & (np.arange(models) != model)
            for found, mask in zip(worked_out.without(model), (members, ~members), strict=True):
                chosen = np.where(mask[others], values[others], np.nan)
                count = mask[others].sum(axis=0)
                assert (found.count == count).all()
                mean = np.where(count > 0, np.nansum(chosen, axis=0) / np.maximum(count, 1), 0)
                assert found.mean == pytest.approx(mean, rel=1e-12, abs=1e-12)
                squares = np.nansum((chosen - mean) ** 2, axis=0)
                assert found.squares == pytest.approx(squares, rel=1e-12, abs=1e-12 * max(1, offset))

    def test_records_that_are_worked_out_in_blocks_are_as_those_alone(self):
        rng = np.random.default_rng(0)
        values, members = rng.normal(size=(5, 2 * BLOCK + 3)), rng.random((5, 2 * BLOCK + 3)) < 0.5
        whole, part = moments(values, members, REFERENCES), np.s_[:, BLOCK - 2 :]
        alone = moments(values[part], members[part], REFERENCES)
        for model in range(5):
            for one, other in zip(whole.without(model), alone.without(model), strict=True):
                for field in ("count", "mean", "squares"):
                    assert (getattr(one, field)[part[1]] == getattr(other, field)).all()

    def test_a_model_s_own_membership_and_signal_have_no_part_in_its_shadows(self):
        changed, flipped = S.copy(), M.copy()
        changed[2] += 100
        flipped[2] = ~flipped[2]
        for values, members in ((changed, M), (S, flipped)):
            for found, expected in zip(
                moments(values, members, REFERENCES).without(2), moments(S, M, REFERENCES).without(2), strict=True
            ):
                assert found.count.tolist() == expected.count.tolist()
                assert found.mean == pytest.approx(expected.mean)
                assert found.squares == pytest.approx(expected.squares, abs=1e-9)

    def test_constants_have_squares_of_exactly_zero(self):
        inside, outside = moments(np.full((4, 3), 0.1), M[:4], REFERENCES[:4]).without(0)
        assert inside.squares.tolist() == outside.squares.tolist() == [0, 0, 0]

    @pytest.mark.parametrize("constant", [0.1, 27.6310211159285, 1e30])
    def test_a_side_that_agrees_has_squares_of_exactly_zero(self, constant):
        """Trees answer 1 on all of their members; a rounding error in place of the variance would decide everything."""
        rng = np.random.default_rng(0)
        members = rng.random((9, 500)) < 0.5
        values = np.where(members, constant, rng.normal(size=members.shape))
        worked_out = moments(values, members, np.ones(9, dtype=bool))
        for model in range(9):
            inside, outside = worked_out.without(model)
            assert inside.spread == 0
            assert outside.squares[outside.count > 1].min() > 0 or constant == 1e30

    def test_a_side_without_shadows_counts_none_and_is_finite(self):
        inside, _ = moments(S, np.zeros_like(M), REFERENCES).without(0)
        assert inside.count.tolist() == inside.mean.tolist() == inside.squares.tolist() == [0, 0, 0]
        assert inside.spread == 0

    def test_the_spread_is_pooled_within_records(self):
        assert side([2, 1, 3], [0, 9, 5], [4, 0, 2]).spread == 1

    def test_both_sides_together_are_all_shadows(self):
        found = joined(*moments(S, M, REFERENCES).without(4))
        assert found.count.tolist() == [4, 4, 4]
        assert found.mean == pytest.approx(S[:4].mean(axis=0))
        assert found.squares / 4 == pytest.approx(S[:4].var(axis=0))


class TestMeans:
    def test_both_sides_there(self):
        mean_in, mean_out = means(side([1, 2], [3, 4]), side([1, 1], [1, 0]))
        assert (mean_in.tolist(), mean_out.tolist()) == ([3, 4], [1, 0])

    def test_a_missing_side_lies_the_mean_difference_away_from_the_other(self):
        mean_in, mean_out = means(side([1, 1, 0, 2], [3, 5, 0, 6]), side([1, 1, 2, 0], [1, 1, 7, 0]))
        assert mean_in.tolist() == [3, 5, 10, 6]
        assert mean_out.tolist() == [1, 1, 7, 3]

    def test_outside_alone_is_filled_in_from_the_other_records(self):
        assert mean_outside(side([1, 0, 3], [2, 0, 8])).tolist() == [2, 5, 8]
        assert mean_outside(side([0, 0], [0, 0])).tolist() == [0, 0]

    def test_no_record_with_both_sides(self):
        mean_in, mean_out = means(side([1, 0], [3, 0]), side([0, 1], [0, 5]))
        assert mean_in.tolist() == mean_out.tolist() == [3, 5]
