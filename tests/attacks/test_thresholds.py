import math

import numpy as np
import pytest

from pytest_mia.attacks.observations import recipe
from pytest_mia.attacks.thresholds import FALSE_POSITIVE_RATES, MOST_THRESHOLDS, best_place, grid, learn
from pytest_mia.models.signals import Signals


def learnt(scores, members, *others):
    """What is learnt from these scores, and those of other settings, all models and records known."""
    scores, members = np.atleast_2d(scores).astype(float), np.atleast_2d(members).astype(bool)
    labelled = recipe(Signals(confidence=scores), members, np.zeros(scores.shape[1], dtype=int))
    return learn(iter([scores, *map(np.atleast_2d, others)]), labelled)


def best_by_trying(scores, members):
    """The largest TPR - FPR over all thresholds, by trying each."""
    cuts = [math.inf, *scores]
    return max((scores[members] >= cut).mean() - (scores[~members] >= cut).mean() for cut in cuts)


class TestLearn:
    @pytest.mark.parametrize(
        ("scores", "members", "advantage", "threshold"),
        [
            ([1, 1, 0, 0], [1, 0, 1, 0], 0, math.inf),
            ([5, 5, 5, 5], [1, 1, 0, 0], 0, math.inf),
            ([1, 2, 0, -1], [1, 1, 0, 0], 1, 0.5),
            ([0, -1, 1, 2], [1, 1, 0, 0], 0, math.inf),
            ([3, 0, 2, 1], [1, 1, 0, 0], 0.5, 2.5),
            ([0, 0, 0, 1, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0, 0, 0], 0.25, 0.5),
        ],
    )
    def test_known_answers(self, scores, members, advantage, threshold):
        found = learnt(scores, members)
        assert (found.setting, found.advantage, found.threshold) == (0, advantage, threshold)

    def test_the_best_setting_is_taken_and_the_first_of_equals(self):
        members = [1, 1, 0, 0]
        found = learnt([3, 0, 2, 1], members, [9.0, 8.0, 7.0, 6.0], [4.0, 3.0, 2.0, 1.0])
        assert (found.setting, found.advantage, found.threshold) == (1, 1, 7.5)

    def test_scores_that_say_nothing_leave_pairs_to_chance(self):
        rng = np.random.default_rng(0)
        bounds = [learnt(rng.normal(size=400), np.arange(400) < 200).guessing.bound for _ in range(40)]
        assert max(bounds) < 0.5

    def test_models_are_pooled(self):
        found = learnt([[4, 1, 3, 0], [3, 2, 1, 0]], [[1, 1, 0, 0], [1, 0, 1, 0]])
        assert found.advantage == best_by_trying(
            np.array([4, 1, 3, 0, 3, 2, 1, 0]), np.array([1, 1, 0, 0, 1, 0, 1, 0], dtype=bool)
        )

    @pytest.mark.parametrize("size", [4, 10, 900])
    def test_the_best_of_all_thresholds(self, size):
        rng = np.random.default_rng(size)
        scores, members = rng.normal(size=size).round(2), np.arange(size) < size / 2
        scores[members] += 0.5
        assert learnt(scores, members).advantage == pytest.approx(best_by_trying(scores, members))

    def test_the_best_of_many_thresholds_within_a_thousandth(self):
        rng = np.random.default_rng(0)
        members = np.arange(50_000) < 25_000
        scores = rng.normal(size=50_000) + members
        found = learnt(scores, members)
        assert found.advantage == pytest.approx(best_by_trying_all(scores, members), abs=1e-3)

    def test_tail_thresholds_keep_to_their_false_positive_rates(self):
        rng = np.random.default_rng(0)
        members = np.arange(20_000) < 10_000
        scores = rng.normal(size=20_000) + 2 * members
        found = learnt(scores, members)
        for rate, threshold, tpr in zip(FALSE_POSITIVE_RATES, found.tail_thresholds, found.tail_rates, strict=True):
            fpr = (scores[~members] >= threshold).mean()
            assert 0.7 * rate <= fpr <= rate
            assert (scores[members] >= threshold).mean() == tpr

    def test_tails_of_constant_scores_flag_nobody(self):
        found = learnt(np.zeros(2000), np.arange(2000) < 1000)
        assert found.tail_thresholds == (math.inf,) * 3
        assert found.tail_rates == (0, 0, 0)

    def test_one_side_only(self):
        assert learnt([1, 2], [1, 1]).threshold < 1
        assert learnt([1, 2], [0, 0]).threshold == math.inf


def best_by_trying_all(scores, members):
    order = np.argsort(-scores)
    steps = np.where(members[order], 1 / members.sum(), -1 / (~members).sum())
    return max(0, np.cumsum(steps).max())


class TestGrid:
    def test_from_nobody_over_the_middles_to_everybody(self):
        assert grid(np.array([3.0, 1.0, 1.0, 2.0])).tolist() == [math.inf, 2.5, 1.5, -math.inf]

    def test_neighbouring_numbers_are_told_apart(self):
        for low in (1.0, -1.0, 0.0, 1e300, -1e300):
            high = np.nextafter(low, np.inf)
            middle = grid(np.array([low, high]))[1]
            assert low < middle <= high

    def test_the_largest_numbers_do_not_overflow(self):
        assert np.isfinite(grid(np.array([-1.7e308, 1.7e308, 1.6e308]))[1:-1]).all()

    def test_many_scores_get_many_thresholds_and_more_at_the_upper_end(self):
        scores = np.random.default_rng(0).normal(size=100_000)
        found = grid(scores)
        assert (np.diff(found) < 0).all()
        shares = (scores[:, None] >= found[1:-1][None, ::50]).mean(axis=0)
        assert (np.diff(shares) <= 2 * 50 / MOST_THRESHOLDS).all()
        assert (scores >= found[1]).sum() <= 5

    def test_no_scores(self):
        assert grid(np.array([])).tolist() == [math.inf, -math.inf]


class TestBestPlace:
    def test_nobody_if_nothing_beats_chance(self):
        assert best_place(np.array([0, 0.2, 1]), np.array([0, 0.3, 1])) == 0

    def test_the_middle_one_of_several(self):
        assert best_place(np.array([0, 0.4, 0.5, 0.6, 1]), np.array([0, 0.1, 0.2, 0.3, 1])) == 2
