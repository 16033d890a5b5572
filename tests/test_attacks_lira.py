import numpy as np
import pytest
from scipy import stats
from worlds import only, released

from pytest_mia.attacks import lira
from pytest_mia.attacks.lira import LiraOffline, LiraOnline, Mast
from pytest_mia.observations import Side
from pytest_mia.signals import Signals
from pytest_mia.statistics import auc

S = np.array([[0, 1, 2], [1, 3, 2], [4, 5, 0], [6, 5, 4]], dtype=float)
M = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=bool)
T = np.array([3.0, 2.0, 1.0])
"""The vectors of the formula sheet: shadows' log-odds and memberships, and the target's log-odds."""


def attacked(shadows=S, members=M, target=T):
    """Observations of a target that was trained on nothing."""
    phi = np.vstack([shadows, target]).astype(float)
    return released(Signals(confidence=phi, correct=phi), np.vstack([members, np.zeros(len(target), dtype=bool)]))


def gaussian_world(shift, *, inside, outside, records=20_000, seed=0, level=50.0):
    """Shadows in fixed numbers on either side of every record; phi = record's level + shift if a member + N(0, 1)."""
    rng = np.random.default_rng(seed)
    members = np.vstack([np.tile(np.arange(inside + outside) < inside, (records, 1)).T, rng.random((1, records)) < 0.5])
    phi = rng.normal(0, level, records) + shift * members + rng.normal(size=members.shape)
    return released(Signals(confidence=phi), members)


class TestOnline:
    def test_pooled_variances(self):
        """Within-record variances: IN (4 + 1 + 1) / 3, OUT (6.25 + 4 + 1) / 3."""
        assert only(LiraOnline(), attacked())[-1] == pytest.approx([0.09763766, -0.55236234, -0.68569567], abs=1e-8)

    def test_variances_per_record(self, monkeypatch):
        monkeypatch.setattr(lira, "PER_RECORD_FROM", 4)
        assert only(LiraOnline(), attacked())[-1] == pytest.approx([0.11814355, -1.18185282, -2.0], abs=1e-8)

    def test_it_is_the_ratio_of_two_normal_densities(self):
        ratio = stats.norm.logpdf(T, [2, 4, 3], np.sqrt(2)) - stats.norm.logpdf(T, [3.5, 3, 1], np.sqrt(11.25 / 3))
        assert only(LiraOnline(), attacked())[-1] == pytest.approx(ratio)

    def test_a_shadow_is_attacked_without_itself(self):
        rest = attacked(S[1:], M[1:], S[0])
        assert only(LiraOnline(), attacked())[0] == pytest.approx(only(LiraOnline(), rest)[-1])

    def test_a_record_without_shadows_on_one_side_borrows_the_mean_difference(self):
        """IN means (-, 4, 3), OUT means (2.75, 3, 1): differences 1 and 2, so IN of the first is 2.75 + 1.5."""
        members = M.copy()
        members[:, 0] = False
        found = only(LiraOnline(), attacked(members=members))[-1]
        variances = (4 * 1 / 4, (4 * 5.6875 + 2 * 4 + 2 * 1) / 8)
        expected = stats.norm.logpdf(3, 4.25, variances[0] ** 0.5) - stats.norm.logpdf(3, 2.75, variances[1] ** 0.5)
        assert found[0] == pytest.approx(expected)


class TestOffline:
    def test_variances_per_record(self, monkeypatch):
        monkeypatch.setattr(lira, "PER_RECORD_FROM", 4)
        expected = [-0.86573952, -1.17591176, -0.69314718]
        assert only(LiraOffline(), attacked())[-1] == pytest.approx(expected, abs=1e-8)

    def test_pooled_variance(self):
        z = (T - [3.5, 3, 1]) / np.sqrt(11.25 / 3)
        assert only(LiraOffline(), attacked())[-1] == pytest.approx(stats.norm.logcdf(z))

    def test_in_shadows_have_no_part(self):
        changed = np.where(M, S + 100, S)
        assert only(LiraOffline(), attacked(changed))[-1] == pytest.approx(only(LiraOffline(), attacked())[-1])

    def test_less_confident_than_without_the_record_is_less_of_a_member(self):
        """The two-sided variant of some implementations would take both ends for members."""
        low, high = (only(LiraOffline(), attacked(target=T + by))[-1] for by in (-10, 10))
        assert (low < high).all()

    def test_scores_keep_their_resolution_far_above(self):
        """Phi is 1 in float64 from 9 standard deviations on; its logarithm still rises."""
        near, far = (only(LiraOffline(), attacked(target=T + by))[-1] for by in (60, 70))
        assert (near < far).all()


class TestMast:
    def test_by_hand(self):
        """IN means (2, 4, 3), OUT means (3.5, 3, 1); the target minus their middle."""
        assert only(Mast(), attacked())[-1].tolist() == [0.25, -1.5, -1]

    def test_on_labels_alone(self):
        attack = Mast("calibrated_gap", ("correct",))
        assert only(attack, attacked())[-1].tolist() == [0.25, -1.5, -1]


class TestGaussianWorld:
    """The record's own level, far larger than the leak, hides it from a global threshold."""

    @pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
    def test_mast_pays_for_its_few_shadows_only(self, shift):
        """Its noise is that of the target plus a quarter of those of the two means."""
        given = gaussian_world(shift, inside=4, outside=3)
        noise = np.sqrt(1 + (1 / 4 + 1 / 3) / 4)
        found = auc(only(Mast(), given)[-1], given.members[-1])
        assert found == pytest.approx(stats.norm.cdf(shift / noise / np.sqrt(2)), abs=0.012)
        assert auc(given.signals.confidence[-1], given.members[-1]) == pytest.approx(0.5, abs=0.03)

    @pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
    def test_offline_pays_for_its_one_mean(self, shift):
        given = gaussian_world(shift, inside=4, outside=3)
        noise = np.sqrt(1 + 1 / 3)
        found = auc(only(LiraOffline(), given)[-1], given.members[-1])
        assert found == pytest.approx(stats.norm.cdf(shift / noise / np.sqrt(2)), abs=0.012)

    @pytest.mark.parametrize("attack", [LiraOnline(), LiraOffline(), Mast()])
    def test_many_shadows_reach_the_best_test_there_is(self, attack):
        given = gaussian_world(1.5, inside=200, outside=200, records=5000)
        assert auc(only(attack, given)[-1], given.members[-1]) == pytest.approx(
            stats.norm.cdf(1.5 / np.sqrt(2)), abs=0.02
        )


class TestVariance:
    def side(self, count, squares):
        return Side(np.array(count, dtype=float), np.zeros(len(count)), np.array(squares, dtype=float))

    def test_pooled_below_64_shadows(self):
        assert lira.variance(T, self.side([2, 2, 1], [1, 9, 0]), 63).tolist() == [2, 2, 2]

    def test_per_record_from_64_on_with_a_hundredth_of_the_pooled_one_at_least(self):
        found = lira.variance(T, self.side([40, 40, 40], [80, 0, 40]), 64)
        assert found == pytest.approx([2, 0.01, 1])

    def test_a_single_shadow_on_one_side_gets_the_pooled_one(self):
        assert lira.variance(T, self.side([1, 63, 0], [0, 64, 0]), 64).tolist() == [1, 64 / 63, 1]

    def test_shadows_that_agree_leave_a_hundredth_of_the_target_s_own(self):
        assert lira.variance(np.array([0.0, 2.0]), self.side([3, 3], [0, 0]), 7).tolist() == [0.01, 0.01]
        assert lira.variance(np.array([5.0, 5.0]), self.side([3, 3], [0, 0]), 7).tolist() == [1, 1]
