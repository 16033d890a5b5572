import numpy as np
import pytest
from scipy import stats
from worlds import answering, confident, only, released

from pytest_mia.attacks.evaluation import run_attack, split_targets
from pytest_mia.attacks.protocol import OURS
from pytest_mia.attacks.threshold import GAP, LOSS, MODIFIED_ENTROPY, Threshold
from pytest_mia.models.answers import Probabilities
from pytest_mia.models.signals import Signals
from pytest_mia.statistics import auc


def softmax(z):
    p = np.exp(z - z.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


class TestGap:
    def world(self, seed=0):
        """Right on 0.9 of the members and on 0.6 of the others."""
        rng = np.random.default_rng(seed)
        members = rng.random((6, 2000)) < 0.5
        right = rng.random((6, 2000)) < np.where(members, 0.9, 0.6)
        labels = rng.integers(0, 2, 2000)
        return answering(
            [Probabilities(np.eye(2)[np.where(row, labels, 1 - labels)]) for row in right], members, labels
        )

    def test_its_advantage_is_train_accuracy_minus_test_accuracy(self):
        given = self.world()
        run = run_attack(GAP, given, split_targets(given))
        for model, (correct, members) in enumerate(zip(given.signals.correct, given.members, strict=True)):
            rates = (
                run.counts.flagged_members[model] / run.counts.members[model],
                run.counts.flagged_nonmembers[model] / run.counts.nonmembers[model],
            )
            assert rates == (correct[members].mean(), correct[~members].mean())
        found = np.divide(run.counts.flagged_members, run.counts.members)
        found -= np.divide(run.counts.flagged_nonmembers, run.counts.nonmembers)
        assert found.mean() == pytest.approx(0.3, abs=0.03)

    def test_loss_and_modified_entropy_see_no_more_in_answers_that_are_certain(self):
        given = self.world()
        splits = split_targets(given)
        gap = run_attack(GAP, given, splits).counts
        assert run_attack(LOSS, given, splits).counts == gap
        assert run_attack(MODIFIED_ENTROPY, given, splits).counts == gap


class TestLoss:
    def test_it_scores_as_minus_the_cross_entropy_does(self):
        """log p_y = -log(1 + exp(-phi)) rises with phi."""
        z = np.random.default_rng(0).normal(0, 3, (50, 4))
        labels = np.arange(50) % 4
        given = answering([Probabilities(softmax(z))], np.ones((1, 50), dtype=bool), labels)
        cross_entropy = -np.log(softmax(z)[np.arange(50), labels])
        assert (np.argsort(only(LOSS, given)[0]) == np.argsort(-cross_entropy)).all()

    @pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
    def test_two_normals(self, shift):
        """N(shift, 1) for members and N(0, 1) for others: AUC Phi(shift / sqrt 2), advantage 2 Phi(shift / 2) - 1."""
        rng = np.random.default_rng(1)
        members = rng.random((8, 5000)) < 0.5
        given = confident(rng.normal(size=(8, 5000)) + shift * members, members)
        run = run_attack(LOSS, given, split_targets(given))
        noise = 4 / np.sqrt(8 * 5000)
        assert run.auc.mean() == pytest.approx(stats.norm.cdf(shift / np.sqrt(2)), abs=noise)
        assert np.mean([learnt.advantage for learnt in run.learned]) == pytest.approx(
            2 * stats.norm.cdf(shift / 2) - 1, abs=2 * noise
        )
        if shift:
            assert [learnt.threshold for learnt in run.learned] == pytest.approx([shift / 2] * 8, abs=0.25)


class TestModifiedEntropy:
    def test_the_least_entropy_is_the_most_member_like(self):
        p = np.array([[0.98, 0.02], [0.7, 0.3], [0.3, 0.7], [0.02, 0.98]])
        given = answering([Probabilities(p)], np.ones((1, 4), dtype=bool), np.array([0, 0, 0, 0]))
        assert (np.diff(only(MODIFIED_ENTROPY, given)[0]) < 0).all()

    def test_it_tells_what_the_loss_cannot(self):
        """With the same p_y, members spread the rest evenly and non-members put it on one class."""
        members = np.arange(40) < 20
        p = np.where(members[:, None], [[0.4, 0.2, 0.2, 0.2]], [[0.4, 0.6, 0.0, 0.0]])
        given = answering([Probabilities(p)] * 3, np.tile(members, (3, 1)), np.zeros(40, dtype=int))
        assert auc(only(MODIFIED_ENTROPY, given)[0], members) == 1
        assert auc(only(LOSS, given)[0].round(9), members) == 0.5


def test_a_threshold_reads_its_own_signal_and_no_shadow():
    own = np.array([[3.0, 1.0]])
    given = released(Signals(correct=own, confidence=-own), [[True, False]])
    attack = Threshold("mine", ("correct",), OURS)
    assert attack.signals == ("correct",)
    assert attack.least_shadows == 0
    assert (only(attack, given) == own).all()
