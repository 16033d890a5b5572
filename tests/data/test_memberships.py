import numpy as np
import pytest
from scipy import stats

from pytest_mia.core.seeding import generator_for
from pytest_mia.data.memberships import DECILES, draw_coins, draw_halves, independent_share, strata_of


class TestStrata:
    def test_classes_of_any_type(self):
        y = ["ill", "well", "ill", "well"] * 3
        assert strata_of(y, 12).tolist() == [0, 1, 0, 1] * 3
        assert strata_of(np.array(y, dtype=object), 12).tolist() == [0, 1, 0, 1] * 3
        assert strata_of(np.repeat([7, 3, 9], 4), 12).tolist() == [1] * 4 + [0] * 4 + [2] * 4

    def test_several_labels_per_record_are_one_class_each_way(self):
        y = np.array([[0, 1], [1, 0], [0, 1], [1, 0]] * 2)
        strata = strata_of(y, 8)
        assert len(set(strata[::2])) == len(set(strata[1::2])) == 1
        assert strata[0] != strata[1]

    def test_a_continuous_label_is_cut_into_equal_deciles(self):
        y = np.random.default_rng(0).normal(size=1000)
        strata = strata_of(y, 1000)
        assert np.bincount(strata).tolist() == [100] * DECILES
        assert all(y[strata == part].max() < y[strata == part + 1].min() for part in range(DECILES - 1))

    @pytest.mark.parametrize("y", [None, [f"name {number}" for number in range(20)]])
    def test_labels_that_divide_nothing_leave_one_stratum(self, y):
        strata = strata_of(y, 20)
        assert strata.tolist() == [0] * 20
        assert strata.dtype == np.intp

    def test_continuous_labels_that_tie_are_cut_in_their_order(self):
        """Whatever way of sorting a machine is quickest with."""
        y = np.where(np.arange(1200) % 2, 0.5, np.random.default_rng(0).normal(size=1200))
        order = sorted(range(1200), key=lambda record: y[record])
        assert [strata_of(y, 1200)[record] for record in order] == [place * DECILES // 1200 for place in range(1200)]

    def test_a_quarter_as_many_values_as_records_are_classes_and_one_more_are_not(self):
        assert strata_of(np.repeat(np.arange(5), 4), 20).max() == 4
        assert strata_of(np.r_[np.repeat(np.arange(5), 4)[:-1], 9], 20).max() == DECILES - 1


class TestHalves:
    def test_half_of_every_stratum(self):
        strata = np.repeat([0, 1, 2], [40, 10, 2])
        halves = draw_halves(strata, models=50, seed=0)
        assert halves.shape == (50, 52)
        assert halves.dtype == bool
        for stratum, size in enumerate([40, 10, 2]):
            assert (halves[:, strata == stratum].sum(axis=1) == size / 2).all()

    def test_an_odd_stratum_is_rounded_by_a_fair_coin(self):
        drawn = draw_halves(np.zeros(5, dtype=int), models=1000, seed=0).sum(axis=1)
        assert set(drawn) == {2, 3}
        assert stats.binomtest(int((drawn == 3).sum()), 1000).pvalue > 0.001

    def test_odd_strata_are_rounded_independently(self):
        halves = draw_halves(np.arange(2), models=400, seed=0)
        alike = (halves[:, 0] == halves[:, 1]).sum()
        assert stats.binomtest(int(alike), 400).pvalue > 0.001

    def test_what_a_seed_draws_is_the_same_everywhere(self):
        """Cached models were trained on it: the records of a stratum are taken as the shuffle of all has them."""
        strata = np.random.default_rng(0).integers(0, 3, 500)
        for model, half in enumerate(draw_halves(strata, models=3, seed=7)):
            rng = generator_for(7, "membership", model)
            shuffled, coins = rng.permutation(500).tolist(), rng.integers(0, 2, 3)
            for stratum, coin in enumerate(coins):
                ours = [record for record in shuffled if strata[record] == stratum]
                assert set(np.flatnonzero(half & (strata == stratum))) == {*ours[: (len(ours) + coin) // 2]}

    def test_a_record_alone_in_its_class_is_a_member_half_of_the_time(self):
        halves = draw_halves(np.array([0, 0, 0, 0, 1]), models=1000, seed=1)
        assert stats.binomtest(int(halves[:, 4].sum()), 1000).pvalue > 0.001

    def test_groups_go_together_and_count_as_one_unit_of_their_stratum(self):
        groups = np.repeat(np.arange(12), np.tile([1, 2, 4], 4))
        strata = np.repeat([0, 1], 14)
        halves = draw_halves(strata, models=50, seed=0, groups=groups)
        first = np.unique(groups, return_index=True)[1]
        assert (halves == halves[:, first][:, groups]).all()
        assert (halves[:, first][:, :6].sum(axis=1) == 3).all()
        assert (halves[:, first][:, 6:].sum(axis=1) == 3).all()

    def test_the_order_of_groups_need_not_be_that_of_the_records(self):
        groups = np.array([2, 0, 1, 2, 1, 0])
        halves = draw_halves(np.zeros(6, dtype=int), models=20, seed=0, groups=groups)
        for group in range(3):
            assert (halves[:, groups == group].sum(axis=1) % 2 == 0).all()

    def test_a_record_s_memberships_are_coins_and_not_balanced_over_the_models(self):
        """Counts over 8 models follow Binomial(8, 1/2); "exactly half of the models" would put them all at 4."""
        counts = draw_halves(np.zeros(4000, dtype=int), models=8, seed=0).sum(axis=0)
        expected = 4000 * stats.binom.pmf(np.arange(9), 8, 0.5)
        # Halves have a fixed size, so the counts' sum is fixed and the statistic slightly smaller than with coins.
        assert stats.chisquare(np.bincount(counts, minlength=9), expected).pvalue > 0.001

    def test_models_are_independent_of_each_other(self):
        halves = draw_halves(np.zeros(1000, dtype=int), models=30, seed=0)
        agreement = np.corrcoef(halves)[np.triu_indices(30, 1)]
        assert abs(agreement.mean()) < 4 / np.sqrt(1000 * len(agreement))
        assert agreement.std() == pytest.approx(1 / np.sqrt(1000), rel=0.2)

    def test_seeds_are_independent_of_each_other(self):
        one, other = (draw_halves(np.zeros(1000, dtype=int), models=4, seed=seed) for seed in (0, 1))
        assert (one == draw_halves(np.zeros(1000, dtype=int), models=4, seed=0)).all()
        assert abs((one == other).mean() - 0.5) < 4 * 0.5 / np.sqrt(4000)


class TestCoins:
    def test_what_a_seed_draws_is_the_same_everywhere(self):
        coins = [generator_for(4, "coins", model).random(9) < 0.5 for model in range(2)]
        assert (draw_coins(9, models=2, seed=4) == coins).all()

    def test_nobody_has_a_coin(self):
        assert draw_coins(0, models=2, seed=4).shape == (2, 0)


class TestIndependentShare:
    @pytest.mark.parametrize("groups", [None, np.array([], dtype=int), np.arange(7), np.array([2, 0, 1])])
    def test_records_that_stand_for_themselves(self, groups):
        assert independent_share(groups) == 1

    @pytest.mark.parametrize("size", [2, 5])
    def test_groups_of_one_size_count_as_one_record_each(self, size):
        assert independent_share(np.repeat(np.arange(20), size)) == 1 / size

    def test_it_is_the_variance_of_a_mean_of_groups_that_guess_alike(self):
        groups = np.repeat(np.arange(6), [1, 1, 2, 3, 5, 8])
        guesses = np.random.default_rng(0).integers(0, 2, (100_000, 6))[:, groups]
        assert guesses.mean(axis=1).var() == pytest.approx(0.25 / (20 * independent_share(groups)), rel=0.02)
