import dataclasses

import numpy as np
import pytest
from scipy import special
from worlds import advantage, released

from pytest_mia.attacks.likelihood_ratios import LiraOnline
from pytest_mia.attacks.observations import recipe
from pytest_mia.attacks.single_columns import COMPARISONS, SingleColumns, logarithm_of_square
from pytest_mia.data.memberships import draw_halves
from pytest_mia.models.answers import LogOdds, Residuals
from pytest_mia.models.signals import Signals, signals_of, stack

MODELS, RECORDS, COLUMNS = 6, 300, 20
NONE = np.zeros(RECORDS, dtype=int)


def world(kind, *, leak=True, same=True, seed=0):
    """Twenty numbers with the record's own level and noise; members' are remembered in one of them, the same or any."""
    rng = np.random.default_rng(seed)
    members = draw_halves(NONE, models=MODELS, seed=seed)
    values = rng.normal(size=(RECORDS, COLUMNS)) + 0.1 * rng.normal(size=(MODELS, RECORDS, COLUMNS))
    chosen = np.arange(COLUMNS) == (7 if same else rng.integers(COLUMNS, size=RECORDS)[:, None])
    remembered = leak & members[..., None] & chosen
    answers = [kind(each) for each in np.where(remembered, 0.0 if kind is Residuals else 6.0, values)]
    return recipe(stack([signals_of(each, NONE) for each in answers]), members, NONE)


@pytest.mark.parametrize("kind", [Residuals, LogOdds])
@pytest.mark.parametrize("same", [True, False])
def test_one_of_twenty_columns_is_found(kind, same):
    """Fault 5: the sum over all columns showed a quarter of it."""
    # Of a record whose own residual is near zero nothing can be told.
    assert advantage(world(kind, same=same), SingleColumns()) > (0.8 if kind is Residuals and not same else 0.95)


@pytest.mark.parametrize("kind", [Residuals, LogOdds])
def test_nothing_is_found_where_nothing_leaks(kind):
    found = [advantage(world(kind, leak=False, seed=seed), SingleColumns()) for seed in range(3)]
    assert np.mean(found) == pytest.approx(0, abs=4 * np.sqrt(4 * 2 / (MODELS * RECORDS * len(found))))


def test_sum_largest_and_single_columns_by_hand():
    """Those of LiRA with shared variances, for each column by itself."""
    rng = np.random.default_rng(0)
    columns, members = rng.normal(size=(5, 30, 2)), rng.random((5, 30)) < 0.5
    given = released(Signals(columns=columns), members)
    single = []
    for place in range(2):
        alone = released(Signals(confidence=columns[..., place].copy()), members)
        single.append(next(LiraOnline().scores(alone)))
    found = [*SingleColumns().scores(given)]
    assert len(found) == 2 * len(COMPARISONS) * 4
    for scores, expected in zip(found, [sum(single), np.maximum(*single), *single], strict=False):
        assert scores == pytest.approx(expected)


def test_many_columns_compete_together_only():
    rng = np.random.default_rng(0)
    given = released(Signals(columns=rng.normal(size=(4, 20, 40))), rng.random((4, 20)) < 0.5)
    assert len([*SingleColumns().scorers(given)]) == 2 * len(COMPARISONS) * 2
    labelled = dataclasses.replace(given, signals=dataclasses.replace(given.signals, correct=np.ones((4, 20))))
    assert len([*SingleColumns().scorers(labelled)]) == 2 * len(COMPARISONS) * 2


def test_the_logarithm_of_the_square_is_finite_and_highest_at_zero():
    found = logarithm_of_square(np.array([[0.0, 1e-3, 1.0], [-1.0, 2.0, -3.0]]))
    assert np.isfinite(found).all()
    assert found.argmax() == 0
    assert special.expit(found[0, 2]) == pytest.approx(0.5, abs=1e-3)
