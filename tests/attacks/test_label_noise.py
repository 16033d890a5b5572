import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier
from worlds import only

import pytest_mia
from pytest_mia.attacks.evaluation import run_attack, split_targets
from pytest_mia.attacks.label_noise import Calibrated, LabelNoise
from pytest_mia.attacks.observations import recipe
from pytest_mia.attacks.threshold import AUGMENTATION
from pytest_mia.models.signals import Signals

SHARES = np.array([[[1.0, 0.8, 0.6, 0.0], [0.5, 0.5, 0.5, 0.5]], [[1.0, 1.0, 1.0, 1.0], [0.2, 0.0, 0.0, 0.2]]])
MEMBERS = np.array([[True, False], [False, True]])


def noisy(shares, members):
    return recipe(
        Signals(noise_robustness=np.asarray(shares)), np.asarray(members), np.zeros(len(shares[0]), dtype=int)
    )


class TestLabelNoise:
    def test_each_level_and_their_mean(self):
        *levels, mean = LabelNoise().scores(noisy(SHARES, MEMBERS))
        assert [scores.tolist() for scores in levels] == [SHARES[:, :, level].tolist() for level in range(4)]
        assert mean == pytest.approx(np.array([[0.6, 0.5], [1.0, 0.1]]))

    def test_the_level_is_learnt_on_the_other_models(self):
        """Only the third level tells members from others; it is the one that is chosen, for every target."""
        rng = np.random.default_rng(0)
        members = rng.random((6, 200)) < 0.5
        shares = rng.integers(0, 11, (6, 200, 4)) / 10
        shares[:, :, 2] = np.where(members, 0.9, 0.4)
        run = run_attack(LabelNoise(), given := noisy(shares, members), split_targets(given))
        assert {each.setting for each in run.learned} == {2}
        assert run.auc.tolist() == [1.0] * 6


class TestCalibrated:
    def test_by_hand(self):
        """With shadows 1 and 2, model 0 stands against the middle of 0.8 and 0.2 on record 0, of 0.1 and 0.5 on 1."""
        values = np.array([[0.9, 0.7], [0.8, 0.5], [0.2, 0.1]])
        members = np.array([[False, False], [True, False], [False, True]])
        given = recipe(Signals(augmented_correct=values), members, np.zeros(2, dtype=int))
        attack = Calibrated(AUGMENTATION)
        assert only(attack, given)[0] == pytest.approx([0.9 - 0.5, 0.7 - 0.3])

    def test_it_stands_for_the_attack_in_everything_else(self):
        attack = Calibrated(LabelNoise())
        assert (attack.name, attack.signals, attack.least_shadows) == (
            "calibrated_label_noise",
            ("noise_robustness",),
            2,
        )
        assert len(list(attack.scores(noisy(SHARES, MEMBERS)))) == 5

    def test_it_tells_hard_records_from_easy_ones(self):
        """A record's own level hides membership from the plain share, and not from the calibrated one."""
        rng = np.random.default_rng(1)
        members = rng.random((8, 300)) < 0.5
        level = rng.uniform(0.0, 0.75, (1, 300, 1))
        share = rng.binomial(40, np.broadcast_to(level + 0.25 * members[:, :, None], (8, 300, 4))) / 40
        given = noisy(share, members)
        plain, calibrated = (
            run_attack(attack, given, split_targets(given)).auc.mean()
            for attack in (LabelNoise(), Calibrated(LabelNoise()))
        )
        assert plain < 0.8 < 0.95 < calibrated


def clustered(records=600, columns=80, classes=6):
    """Binary records of a few prototypes, a fourth of their features drawn anew, some with another's label."""
    rng = np.random.default_rng(0)
    prototypes = rng.random((classes, columns)) < 0.12
    y = rng.integers(0, classes, records)
    X = np.where(rng.random((records, columns)) < 0.25, rng.random((records, columns)) < 0.12, prototypes[y])
    return X.astype(float), np.where(rng.random(records) < 0.3, rng.integers(0, classes, records), y)


COMPARED = ("gap", "loss", "modified_entropy", "calibrated_gap", "label_noise", "calibrated_label_noise", "rmia_online")
COMPARED += ("mast", "nig_t")


def advantages(factory, data=None):
    result = pytest_mia.audit(factory, clustered() if data is None else data, attacks=COMPARED, jobs=1, seed=3)
    return result, {attack.name: attack.advantage.estimate for attack in result.attacks}


class TestModels:
    """Which models noise tells more of than their answers do, as with Location-30."""

    def test_the_nearest_neighbour_is_itself_around_a_member(self):
        """Its answers are 0 or 1, and copies of a member stay nearest to it: noise finds far more than all the rest."""
        result, found = advantages(lambda: KNeighborsClassifier(1))
        assert found["label_noise"] > found["gap"] + 0.2
        assert result.attack in ("label_noise", "calibrated_label_noise")
        others = [value for name, value in found.items() if "noise" not in name]
        assert found["label_noise"] > max(others) + 0.2

    def test_a_tree_is_no_surer_around_a_member(self):
        _, found = advantages(lambda: DecisionTreeClassifier(random_state=0))
        assert found["label_noise"] == pytest.approx(found["gap"], abs=0.03)

    def test_a_constant_model_leaves_the_gap(self):
        _, found = advantages(lambda: DummyClassifier(strategy="most_frequent"))
        assert found["label_noise"] == found["gap"]
        assert found["calibrated_label_noise"] == found["calibrated_gap"] == 0

    def test_labels_drawn_by_coin_leak_by_noise_alone(self):
        """The planted leak: right on a member, and on its neighbourhood; labels say nothing by themselves."""
        rng = np.random.default_rng(0)
        data = rng.normal(size=(400, 20)), rng.integers(0, 2, 400)
        _, found = advantages(lambda: KNeighborsClassifier(1), data)
        assert found["gap"] == pytest.approx(0.5, abs=0.06)
        assert found["label_noise"] > found["gap"] + 0.1

    def test_a_model_that_learns_nothing_has_no_advantage(self):
        """Labels by a fixed rule that no training changes, on records of which half are right."""
        rng = np.random.default_rng(0)
        data = rng.normal(size=(800, 5)), rng.integers(0, 2, 800)
        result = pytest_mia.audit(
            lambda: DummyClassifier(strategy="stratified"),
            data,
            predict=lambda _model, X: (X[:, 0] > 0).astype(int),
            attacks=["label_noise", "calibrated_label_noise"],
            jobs=1,
        )
        for attack in result.attacks:
            assert attack.auc == pytest.approx(0.5, abs=4 * 0.02 / np.sqrt(8))
