import numpy as np
import pytest
from scipy import stats
from worlds import M, S, attacked, gaussian_world, only

from pytest_mia.attacks.mast_watson import Mast, Watson
from pytest_mia.statistics import auc


class TestWatson:
    def test_by_hand(self):
        """OUT means (3.5, 3, 1)."""
        assert only(Watson(), attacked())[-1].tolist() == [-0.5, -1, 0]

    def test_in_shadows_have_no_part(self):
        changed = np.where(M, S + 100, S)
        assert only(Watson(), attacked(changed))[-1].tolist() == only(Watson(), attacked())[-1].tolist()

    def test_a_record_that_all_shadows_had_is_expected_as_the_others_are(self):
        members = M.copy()
        members[:, 0] = True
        assert only(Watson(), attacked(members=members))[-1].tolist() == [3 - 2, -1, 0]


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
    def test_watson_pays_for_its_one_mean(self, shift):
        given = gaussian_world(shift, inside=4, outside=3)
        found = auc(only(Watson(), given)[-1], given.members[-1])
        assert found == pytest.approx(stats.norm.cdf(shift / np.sqrt(1 + 1 / 3) / np.sqrt(2)), abs=0.012)

    @pytest.mark.parametrize("attack", [Watson(), Mast()])
    def test_many_shadows_reach_the_best_test_there_is(self, attack):
        given = gaussian_world(1.5, inside=200, outside=200, records=5000)
        assert auc(only(attack, given)[-1], given.members[-1]) == pytest.approx(
            stats.norm.cdf(1.5 / np.sqrt(2)), abs=0.02
        )
