import numpy as np
import pytest
from worlds import M, S, attacked, confident, gaussian_world, only

from pytest_mia.attacks.attack_p_r import AttackP, AttackR
from pytest_mia.attacks.evaluation import run_attack, split_targets
from pytest_mia.attacks.threshold import LOSS
from pytest_mia.statistics import auc


class TestR:
    def test_by_hand(self):
        """OUT shadows (1, 6), (1, 5) and (2, 0); the target has 3, 2 and 1."""
        assert only(AttackR(), attacked())[-1].tolist() == [0.5, 0.5, 0.5]
        assert only(AttackR(), attacked(target=np.array([7.0, 2, -1])))[-1].tolist() == [1, 0.5, 0]

    def test_ties_count_half(self):
        """OUT shadows (1, 6), (1, 5) and (2, 0)."""
        assert only(AttackR(), attacked(target=np.array([6.0, 1, 1])))[-1].tolist() == [0.75, 0.25, 0.5]

    def test_a_shadow_is_not_compared_with_itself(self):
        """Of the first record, shadows 1 and 3 are OUT, with 1 and 6; the target, that never learns, is no shadow."""
        found = only(AttackR(), attacked())
        assert found[:4, 0].tolist() == [0, 0, 0.5, 1]

    def test_a_record_that_all_shadows_had_has_one_half(self):
        members = M.copy()
        members[:, 0] = True
        assert only(AttackR(), attacked(members=members))[-1, 0] == 0.5

    def test_in_shadows_have_no_part(self):
        changed = np.where(M, S + 100, S)
        assert (only(AttackR(), attacked(changed))[-1] == only(AttackR(), attacked())[-1]).all()

    @pytest.mark.parametrize("block", [2**15, 42, 1])
    def test_it_equals_counting_one_by_one(self, block, monkeypatch):
        monkeypatch.setattr("pytest_mia.attacks.attack_p_r.BLOCK", block)
        rng = np.random.default_rng(0)
        members, phi = rng.random((7, 50)) < 0.5, rng.integers(0, 5, (7, 50)).astype(float)
        found = only(AttackR(), confident(phi, members))
        for model in range(7):
            others = (np.arange(7) != model)[:, None] & ~members
            wins = ((phi < phi[model]) + (phi == phi[model]) / 2) * others
            count = others.sum(axis=0)
            assert (found[model][count > 0] == (wins.sum(axis=0)[count > 0] / count[count > 0])).all()
            assert (found[model][count == 0] == 0.5).all()

    @pytest.mark.parametrize(("shift", "expected"), [(0.0, 0.5), (3.0, 0.5 + 0.25)])
    def test_one_shadow_decides_by_a_coin_or_by_the_leak(self, shift, expected):
        """With one OUT shadow, a member is above it with probability Phi(shift / sqrt 2), another with 1/2."""
        given = gaussian_world(shift, inside=1, outside=1)
        found = auc(only(AttackR(), given)[-1], given.members[-1])
        assert found == pytest.approx(expected, abs=0.015)


class TestP:
    def test_by_hand(self):
        given = confident([[3.0, 1, 1, 9], [0, 0, 0, 0]], [[True, False, False, True]] * 2)
        assert only(AttackP(), given).tolist() == [[5 / 8, 2 / 8, 2 / 8, 7 / 8], [0.5] * 4]

    def test_it_ranks_as_the_loss_does(self):
        given = gaussian_world(1.0, inside=1, outside=1, records=500, level=1.0)
        expected = auc(only(LOSS, given)[-1], given.members[-1])
        assert auc(only(AttackP(), given)[-1], given.members[-1]) == pytest.approx(expected)

    def test_a_threshold_that_suits_one_model_suits_another_that_is_surer_of_everything(self):
        """The percentile is free of a model's own scale, which hides a leak from a threshold on the loss."""
        rng = np.random.default_rng(0)
        members = rng.random((6, 2000)) < 0.5
        given = confident((rng.normal(size=members.shape) + 2 * members) * 4.0 ** np.arange(6)[:, None] + 20, members)
        splits = split_targets(given)
        found = []
        for attack in (LOSS, AttackP()):
            counts = run_attack(attack, given, splits).counts
            found.append(
                np.mean(
                    np.divide(counts.flagged_members, counts.members)
                    - np.divide(counts.flagged_nonmembers, counts.nonmembers)
                )
            )
        assert found[0] < 0.6 < found[1]
        assert found[1] == pytest.approx(0.6827, abs=0.03)

    def test_it_knows_nobody_s_membership(self):
        one, other = (gaussian_world(1.0, inside=1, outside=1, records=50) for _ in range(2))
        other.members[:] = ~other.members
        assert (only(AttackP(), one) == only(AttackP(), other)).all()
