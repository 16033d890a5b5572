import numpy as np
import pytest
from worlds import confident, released

from pytest_mia.attacks.evaluation import run_attack, split_targets
from pytest_mia.attacks.per_class import LEAST_GAINS, LEAST_MEMBERS, PerClass, learn_thresholds
from pytest_mia.attacks.threshold import LOSS
from pytest_mia.models.signals import Signals
from pytest_mia.statistics import auc

ATTACK = PerClass("loss_per_class", ("confidence",))


def two_classes(*, models=3, records=400, seed=0, level=10.0):
    """In class 0 members have 3 and others 1, in class 1 both have `level` more."""
    rng = np.random.default_rng(seed)
    members, labels = rng.random((models, records)) < 0.5, np.arange(records) % 2
    return confident(1 + 2 * members + level * labels, members, labels)


class TestThresholds:
    def test_classes_that_are_told_apart_by_their_own_threshold_alone(self):
        """Together, 3 (or 11) flags all members of one class and nobody or everybody of the other: advantage 1/2."""
        given = two_classes()
        for learnt in learn_thresholds(given.signals.confidence, given):
            assert learnt.tolist() == [[3, 13]] * 3
        for scores in ATTACK.scores(given):
            assert (scores == np.where(given.members, 0, -2)).all()

    def test_a_class_that_gains_nothing_has_the_common_one(self):
        given = two_classes(level=0.0)
        assert (learn_thresholds(given.signals.confidence, given) == 3).all()

    def test_a_class_with_few_members_has_the_common_one(self):
        """Models 0 and 1 teach model 2; class 1 has one labelled member fewer than it takes, or just enough."""
        members = np.ones((3, 500), dtype=bool)
        members[:, :200] = False
        labels = np.zeros(500, dtype=int)
        found = []
        for short in (1, 0):
            rare = np.r_[0:20, 485 : 500 - short]
            labels[:] = 0
            labels[rare] = 1
            phi = np.where(members, 3.0, 1.0) + 10 * labels
            given = confident(phi, members, labels)
            assert 2 * members[0][rare].sum() == LEAST_MEMBERS - 2 * short
            found.append(learn_thresholds(phi, given)[0, 2].tolist())
        assert found == [[3, 3], [3, 13]]

    def test_a_gain_that_chance_can_make_counts_at_the_lower_setting_only(self):
        """Signals that know nothing: the best threshold of a class seems to gain, by less than two standard errors."""
        rng = np.random.default_rng(0)
        members, labels = rng.random((4, 3000)) < 0.5, np.arange(3000) % 10
        phi = rng.normal(size=members.shape)
        loose, strict = learn_thresholds(phi, confident(phi, members, labels))
        assert LEAST_GAINS == (0.0, 2.0)
        assert (loose != loose[:, :1]).any()
        assert np.mean(strict == strict[:, :1]) > 0.75

    def test_a_released_target_teaches_nothing(self):
        rng = np.random.default_rng(0)
        members, labels = rng.random((4, 300)) < 0.5, np.arange(300) % 2
        phi = 2.0 * members + 5 * labels + rng.normal(size=members.shape)
        given = released(Signals(confidence=phi), members, labels)
        flipped = members.copy()
        flipped[-1] = ~flipped[-1]
        again = released(Signals(confidence=phi), flipped, labels)
        assert (learn_thresholds(phi, given) == learn_thresholds(phi, again)).all()

    def test_pairs_that_the_attacker_does_not_know_teach_nothing(self):
        given = two_classes()
        known = np.tile(np.arange(400) < 300, (3, 1))
        one, other = (
            type(given)(given.signals, members, given.labels, given.references, known, given.judged)
            for members in (given.members, given.members ^ ~known)
        )
        phi = given.signals.confidence
        assert (learn_thresholds(phi, one) == learn_thresholds(phi, other)).all()

    def test_without_other_models_scores_are_the_signal_but_for_a_constant(self):
        phi = np.array([[1.0, 5, 2]])
        for scores in ATTACK.scores(confident(phi, [[True, False, True]], [0, 1, 1])):
            assert np.ptp(scores - phi) == 0

    def test_classes_without_records_are_no_obstacle(self):
        given = confident([[1.0, 3], [2, 2], [1, 1]], [[True, False]] * 3, labels=[0, 7])
        assert all(np.isfinite(scores).all() for scores in ATTACK.scores(given))


class TestLeaks:
    def world(self, shift, seed=0):
        """Thirty classes, each with a level of its own that every model shares; members are `shift` above it."""
        rng = np.random.default_rng(seed)
        members, labels = rng.random((8, 3000)) < 0.5, np.arange(3000) % 30
        phi = rng.normal(0, 5, 30)[labels] + shift * members + rng.normal(size=members.shape)
        return confident(phi, members, labels)

    def test_levels_of_classes_hide_a_leak_from_one_threshold(self):
        """Within a class the best threshold has advantage 2 Phi(1) - 1 = 0.683."""
        given = self.world(2.0)
        splits, found = split_targets(given), []
        for attack in (LOSS, ATTACK):
            counts = run_attack(attack, given, splits).counts
            rates = np.divide(counts.flagged_members, counts.members)
            found.append(np.mean(rates - np.divide(counts.flagged_nonmembers, counts.nonmembers)))
        assert found[0] < 0.25
        assert found[1] == pytest.approx(0.683, abs=0.04)

    def test_none(self):
        for scores in ATTACK.scores(self.world(0.0)):
            members = self.world(0.0).members
            areas = [auc(row, mask) for row, mask in zip(scores, members, strict=True)]
            assert np.mean(areas) == pytest.approx(0.5, abs=4 * np.sqrt(2 / 3 / 24_000))


def test_it_reads_its_own_signal():
    attack = PerClass("modified_entropy_per_class", ("modified_entropy",))
    assert (attack.signals, attack.least_shadows) == (("modified_entropy",), 2)


def test_values_that_differ_in_the_last_digit_are_on_one_side():
    """Sums in another order, as under other names of the classes, end in another digit; no threshold lies between."""
    members = np.tile([True, False], (4, 40))
    phi = np.where(members, np.nextafter(0.3, 1), 0.3)
    assert (learn_thresholds(phi, confident(phi, members)) == 0.3).all()
