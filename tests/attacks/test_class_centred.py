import numpy as np
import pytest
from worlds import confident, only

from pytest_mia.attacks.class_centred import Centred
from pytest_mia.attacks.evaluation import run_attack, split_targets
from pytest_mia.attacks.mast_watson import Mast
from pytest_mia.attacks.probability_ratios import RmiaOffline
from pytest_mia.attacks.registry import ATTACKS
from pytest_mia.attacks.threshold import LOSS
from pytest_mia.models.signals import Signals


def test_by_hand():
    """Class means over a model's records are (2, 10) and (5, 1)."""
    given = confident([[1, 3, 10], [4, 6, 1]], [[True, False, True]] * 2, labels=[0, 0, 1])
    assert only(Centred(LOSS), given).tolist() == [[-1, 1, 0], [-1, 1, 0]]


def test_a_class_s_common_level_has_no_part():
    rng = np.random.default_rng(0)
    members, labels = rng.random((4, 60)) < 0.5, np.arange(60) % 3
    phi = rng.normal(size=(4, 60))
    shock = rng.normal(0, 10, (4, 3))[:, labels]
    for attack in (LOSS, Mast(), RmiaOffline()):
        for plain, shocked in zip(
            Centred(attack).scores(confident(phi, members, labels)),
            Centred(attack).scores(confident(phi + shock, members, labels)),
            strict=True,
        ):
            assert shocked == pytest.approx(plain, abs=1e-9)


def test_it_finds_a_leak_that_shocks_to_whole_classes_hide():
    rng = np.random.default_rng(0)
    members, labels = rng.random((8, 900)) < 0.5, np.arange(900) % 3
    phi = rng.normal(0, 1, 900) + members + 0.3 * rng.normal(size=(8, 900)) + rng.normal(0, 5, (8, 3))[:, labels]
    given = confident(phi, members, labels)
    plain, centred = (
        run_attack(attack, given, split_targets(given)).auc.mean() for attack in (Mast(), Centred(Mast()))
    )
    assert plain < 0.8 < 0.95 < centred


def test_it_stands_for_the_attack_in_everything_else():
    for attack in (LOSS, Mast(), RmiaOffline()):
        centred = Centred(attack)
        assert centred.name == f"{attack.name}_centred"
        assert (centred.signals, centred.least_shadows) == (attack.signals, attack.least_shadows)


def test_other_signals_and_the_observations_stay_as_they_were():
    phi = np.array([[1.0, 3.0], [2.0, 5.0]])
    given = confident(phi.copy(), [[True, False]] * 2)
    list(Centred(LOSS).scores(given))
    assert (given.signals.confidence == phi).all()
    assert given.signals == Signals(confidence=given.signals.confidence, tempered=given.signals.tempered)


def test_a_class_without_records_is_no_obstacle():
    given = confident([[1, 3], [2, 2]], [[True, False]] * 2, labels=[0, 4])
    assert only(Centred(LOSS), given).tolist() == [[0, 0], [0, 0]]


def test_those_that_gain_by_it_have_their_variant():
    """Others' variants were never selected on the cases of benchmarks/strength.py."""
    centred = {attack.name for attack in ATTACKS if isinstance(attack, Centred)}
    assert centred == {"loss_centred", "mast_centred", "nig_t_centred", "rmia_online_centred"}
