import numpy as np
import pytest

from pytest_mia.attacks.thresholds import coin_guessing, pair_guessing


class TestHowManyGuesses:
    def shares(self, members, others):
        return coin_guessing(np.array([0, *members], dtype=float), np.array([0, *others], dtype=float)).shares

    def test_all_where_everything_is_told(self):
        assert sum(self.shares([500, 500], [0, 500])) == pytest.approx(1)

    def test_the_few_that_stand_out(self):
        """Thirty members at the top; below them nothing can be told."""
        assert self.shares([30, *np.linspace(60, 1000, 50)], [0, *np.linspace(30, 1000, 50)]) == (0.015, 0)

    def test_the_few_that_stand_out_as_others(self):
        high, low = self.shares([*np.linspace(30, 1000, 50), 1000], [*np.linspace(10, 970, 50), 1000])
        assert (high, low) == (0, pytest.approx(0.015))

    def test_nothing_that_can_be_told(self):
        found = coin_guessing(np.array([0.0, 500.0]), np.array([0.0, 500.0]))
        assert sum(found.shares) <= 1
        assert found.bound <= 0.5

    def test_pairs_that_tie_are_not_guessed(self):
        """Three of ten pairs differ, and these are always right; the members of one of them are infinitely sure."""
        inside, outside = np.tile([2, 1, 0, 0, 0, 0, 0, 0, 0, np.inf], 50), np.tile([0.0] * 9 + [-np.inf], 50)
        inside[1::10], outside[1::10] = 1, -1
        found = pair_guessing(inside, outside)
        assert found.shares[0] == found.shares[1] == pytest.approx(0.15, abs=0.03)
        assert found.bound > 0.9

    def test_all_pairs_where_everything_is_told(self):
        assert pair_guessing(np.ones(500), np.zeros(500)).shares == (0.5, 0.5)

    def test_nobody_to_learn_from(self):
        assert pair_guessing(np.zeros(0), np.zeros(3)).shares == (0, 0)
        assert coin_guessing(np.zeros(2), np.zeros(2)).bound == 0
