from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from worlds import advantage, attacked, confident, gaussian_world, only, trained

from pytest_mia.attacks import shadow_attack
from pytest_mia.attacks.protocol import OURS
from pytest_mia.attacks.shadow_attack import Comparison, Reading, ShadowAttack


def subtract_all(values, inside, outside):
    """The signal less its mean over all shadows."""
    count = inside.count + outside.count
    return values - (inside.count * inside.mean + outside.count * outside.mean) / count


@dataclass(frozen=True)
class Toy(ShadowAttack):
    """The signal less its mean over all shadows."""

    name: str = "toy"
    signals: tuple[str, ...] = ("confidence",)
    least_shadows: int = 1
    family = "toy"
    summary = "subtracts the mean over all shadows"
    reference = OURS

    def comparisons(self) -> Iterator[Comparison]:
        """Yield the difference."""
        yield subtract_all


@dataclass(frozen=True)
class Squared(Toy):
    """The same of the signal and of its square."""

    def readings(self):
        """The signal as it is, and its square."""
        return Reading("confidence"), Reading("confidence", np.square)


def test_by_hand():
    """The last model is the target, at 3, 2 and 1; its four shadows have means of 11/4, 14/4 and 8/4."""
    assert only(Toy(), attacked())[-1] == pytest.approx([3 - 11 / 4, 2 - 14 / 4, 1 - 8 / 4])


def test_each_reading_is_compared():
    plain, squared = Squared().scores(attacked())
    assert plain[-1] == pytest.approx([3 - 11 / 4, 2 - 14 / 4, 1 - 8 / 4])
    assert squared[-1, 0] == pytest.approx(9 - (0 + 1 + 16 + 36) / 4)


def test_models_that_answer_alike_score_zero():
    given = confident(np.full((4, 6), 0.1), np.random.default_rng(0).random((4, 6)) < 0.5)
    assert not only(Toy(), given).any()


@pytest.mark.parametrize("models", [[0], [4, 5, 6], [6, 0, 1, 3], [7, 6, 5]])
def test_some_models_are_scored_as_among_all_in_blocks_of_any_size(models, monkeypatch):
    given = trained(1.0, models=8, records=40)
    every = only(Toy(), given)[models]
    for block in (1, 80, 2**15):
        monkeypatch.setattr(shadow_attack, "BLOCK", block)
        (scorer,) = Toy().scorers(given)
        assert (scorer(np.array(models)) == every).all()


def test_no_leak():
    assert advantage(trained(0.0, records=600), Toy()) == pytest.approx(0, abs=4 * np.sqrt(2 / (8 * 600)))


def test_planted_leak():
    assert advantage(trained(3.0), Toy()) > 0.5


def test_a_gaussian_leak_is_found_as_far_as_its_noise_allows():
    """Members lie a shift of 3 higher, the mean of ten shadows a tenth of their noise's variance off."""
    given = gaussian_world(3.0, inside=5, outside=5)
    scores, members = only(Toy(), given)[-1], given.members[-1]
    assert scores[members].mean() - scores[~members].mean() == pytest.approx(3.0, abs=0.1)
    assert scores[members].var() == pytest.approx(1.1, abs=0.1)
