import numpy as np
import pytest
from scipy import stats
from worlds import M, S, T, attacked, confident, gaussian_world

from pytest_mia.attacks import likelihood_ratios
from pytest_mia.attacks.evaluation import run_attack, split_targets
from pytest_mia.attacks.likelihood_ratios import LiraOffline, LiraOnline
from pytest_mia.attacks.moments import Side
from pytest_mia.statistics import auc


def shared(attack, observations):
    """Scores of the last model by variances that all records share."""
    return next(attack.scores(observations))[-1]


def own(attack, observations):
    """Scores of the last model by each record's own variance."""
    return list(attack.scores(observations))[1][-1]


class TestOnline:
    def test_pooled_variances(self):
        """Within-record variances: IN (4 + 1 + 1) / 3, OUT (6.25 + 4 + 1) / 3."""
        assert shared(LiraOnline(), attacked()) == pytest.approx([0.09763766, -0.55236234, -0.68569567], abs=1e-8)

    def test_variances_per_record(self):
        assert own(LiraOnline(), attacked()) == pytest.approx([0.11814355, -1.18185282, -2.0], abs=1e-8)

    def test_it_is_the_ratio_of_two_normal_densities(self):
        ratio = stats.norm.logpdf(T, [2, 4, 3], np.sqrt(2)) - stats.norm.logpdf(T, [3.5, 3, 1], np.sqrt(11.25 / 3))
        assert shared(LiraOnline(), attacked()) == pytest.approx(ratio)

    def test_a_shadow_is_attacked_without_itself(self):
        rest = attacked(S[1:], M[1:], S[0])
        for found, expected in zip(LiraOnline().scores(attacked()), LiraOnline().scores(rest), strict=True):
            assert found[0] == pytest.approx(expected[-1])

    def test_a_record_without_shadows_on_one_side_borrows_the_mean_difference(self):
        """IN means (-, 4, 3), OUT means (2.75, 3, 1): differences 1 and 2, so IN of the first is 2.75 + 1.5."""
        members = M.copy()
        members[:, 0] = False
        found = shared(LiraOnline(), attacked(members=members))
        variances = (4 * 1 / 4, (4 * 5.6875 + 2 * 4 + 2 * 1) / 8)
        expected = stats.norm.logpdf(3, 4.25, variances[0] ** 0.5) - stats.norm.logpdf(3, 2.75, variances[1] ** 0.5)
        assert found[0] == pytest.approx(expected)


class TestOffline:
    def test_variances_per_record(self):
        expected = [-0.86573952, -1.17591176, -0.69314718]
        assert own(LiraOffline(), attacked()) == pytest.approx(expected, abs=1e-8)

    def test_pooled_variance(self):
        z = (T - [3.5, 3, 1]) / np.sqrt(11.25 / 3)
        assert shared(LiraOffline(), attacked()) == pytest.approx(stats.norm.logcdf(z))

    def test_in_shadows_have_no_part(self):
        changed = np.where(M, S + 100, S)
        assert shared(LiraOffline(), attacked(changed)) == pytest.approx(shared(LiraOffline(), attacked()))

    def test_less_confident_than_without_the_record_is_less_of_a_member(self):
        """The two-sided variant of some implementations would take both ends for members."""
        low, high = (shared(LiraOffline(), attacked(target=T + by)) for by in (-10, 10))
        assert (low < high).all()

    def test_scores_keep_their_resolution_far_above(self):
        """Phi is 1 in float64 from 9 standard deviations on; its logarithm still rises."""
        near, far = (shared(LiraOffline(), attacked(target=T + by)) for by in (60, 70))
        assert (near < far).all()


class TestGaussianWorld:
    """The record's own level, far larger than the leak, hides it from a global threshold."""

    @pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
    def test_offline_pays_for_its_one_mean(self, shift):
        given = gaussian_world(shift, inside=4, outside=3)
        noise = np.sqrt(1 + 1 / 3)
        found = auc(shared(LiraOffline(), given), given.members[-1])
        assert found == pytest.approx(stats.norm.cdf(shift / noise / np.sqrt(2)), abs=0.012)

    @pytest.mark.parametrize("setting", [shared, own])
    @pytest.mark.parametrize("attack", [LiraOnline(), LiraOffline()])
    def test_many_shadows_reach_the_best_test_there_is(self, attack, setting):
        given = gaussian_world(1.5, inside=200, outside=200, records=5000)
        assert auc(setting(attack, given), given.members[-1]) == pytest.approx(
            stats.norm.cdf(1.5 / np.sqrt(2)), abs=0.02
        )


ODD = np.arange(600) % 2 == 1


@pytest.mark.parametrize(
    ("attack", "gain", "sd_in", "sd_out"),
    [
        # Odd records are recognised by answers that vary little, the others by answers that vary much.
        (LiraOnline(), 0.0, np.where(ODD, 0.2, 2.0), np.where(ODD, 2.0, 0.2)),
        # Membership adds two standard deviations, which are small for odd records and large for the others.
        (LiraOffline(), np.where(ODD, 0.2, 20.0), np.where(ODD, 0.1, 10.0), np.where(ODD, 0.1, 10.0)),
    ],
)
def test_the_other_models_decide_whether_records_have_variances_of_their_own(attack, gain, sd_in, sd_out):
    """Where records differ in theirs that decides; where they don't, few shadows would only guess at them."""
    rng = np.random.default_rng(0)
    members, level = rng.random((30, 600)) < 0.5, rng.normal(0, 9, 600)
    differing = level + gain * members + np.where(members, sd_in, sd_out) * rng.normal(size=members.shape)
    alike = level + members + rng.normal(size=members.shape)
    chosen = [
        {each.setting for each in run_attack(attack, given, split_targets(given)).learned}
        for given in (confident(differing, members), confident(alike[:5], members[:5]))
    ]
    assert chosen == [{1}, {0}]


class TestVariances:
    def side(self, count, squares):
        return Side(np.array(count, dtype=float), np.zeros(len(count)), np.array(squares, dtype=float))

    def test_shared_is_pooled_within_records(self):
        assert likelihood_ratios.shared_variance(T, self.side([2, 2, 1], [1, 9, 0])).tolist() == [2]

    def test_own_with_a_hundredth_of_the_shared_one_at_least(self):
        assert likelihood_ratios.own_variances(T, self.side([40, 40, 40], [80, 0, 40])) == pytest.approx([2, 0.01, 1])

    def test_a_single_shadow_on_one_side_gets_the_shared_one(self):
        assert likelihood_ratios.own_variances(T, self.side([1, 63, 0], [0, 64, 0])).tolist() == [1, 64 / 63, 1]

    def test_shadows_that_agree_leave_a_hundredth_of_the_target_s_own(self):
        given = np.array([0.0, 2.0]), self.side([3, 3], [0, 0])
        assert likelihood_ratios.shared_variance(*given) == pytest.approx([0.01])
        assert likelihood_ratios.own_variances(*given) == pytest.approx([1e-4, 1e-4])
        assert likelihood_ratios.shared_variance(np.array([5.0, 5.0]), self.side([3, 3], [0, 0])).tolist() == [1]
