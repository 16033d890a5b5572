import pytest

from pytest_mia.attacks.class_centred import Centred
from pytest_mia.attacks.combined_neighbours import CombinedNeighbours
from pytest_mia.attacks.grouped import grouped
from pytest_mia.attacks.label_noise import Calibrated
from pytest_mia.attacks.likelihood_ratios import LiraOffline
from pytest_mia.attacks.quantile_regression import QuantileRegression

SAME = ("signals", "least_shadows", "family", "reference", "needs_features", "needs_opinions")


@pytest.mark.parametrize("attack", [LiraOffline(), QuantileRegression(), CombinedNeighbours()])
def test_a_variant_is_described_by_its_attack(attack):
    for variant, name in ((Centred(attack), f"{attack.name}_centred"), (grouped(attack), attack.name)):
        assert variant.name == name
        assert [getattr(variant, field) for field in SAME] == [getattr(attack, field) for field in SAME]
        assert variant.summary.startswith(attack.summary)


def test_a_calibrated_attack_needs_shadows_of_both_sides_whatever_its_attack_needs():
    variant = Calibrated(QuantileRegression())
    assert (variant.name, variant.least_shadows) == ("calibrated_quantile_regression", 2)


def test_variants_of_equal_attacks_are_equal():
    one, other = Centred(LiraOffline()), Centred(LiraOffline())
    assert one.name == other.name
    assert one == other
    assert hash(one) == hash(other)
