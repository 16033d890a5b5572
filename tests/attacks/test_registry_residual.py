"""LiRA and NIG-t on signed residuals: what a regression misses a record by, with and without it."""

import numpy as np
import pytest
from scipy import stats
from worlds import released

from pytest_mia.attacks.evaluation import run_attack, split_targets
from pytest_mia.attacks.likelihood_ratios import LiraOnline
from pytest_mia.attacks.observations import recipe
from pytest_mia.attacks.registry import ATTACKS
from pytest_mia.models.answers import Residuals
from pytest_mia.models.signals import signals_of, stack
from pytest_mia.statistics import auc

ON_RESIDUALS = {attack.name: attack for attack in ATTACKS if attack.signals == ("residual",)}
each = pytest.mark.parametrize("attack", ON_RESIDUALS.values(), ids=ON_RESIDUALS)
LIRA = ON_RESIDUALS["lira_online_residual"]


def first(attack, observations):
    """Scores at the first value of the attack's constant: LiRA's variances are then shared by all records."""
    return next(iter(attack.scores(observations)))


def signals(residuals):
    return stack([signals_of(Residuals(row[:, None]), np.zeros(len(row), dtype=int)) for row in residuals])


def world(inside, outside, *, shadows=200, records=3000, seed=0, noise=1.0):
    """Residuals N(outside * the record's own sign, noise^2), of members N(inside * sign, noise^2)."""
    rng = np.random.default_rng(seed)
    members = rng.random((shadows + 1, records)) < 0.5
    sign = rng.choice([-1.0, 1.0], records)
    residuals = np.where(members, inside, outside) * sign + noise * rng.normal(size=members.shape)
    return signals(residuals), members


def test_the_registry_has_both():
    assert {*ON_RESIDUALS} == {"lira_online_residual", "nig_t_residual"}
    assert ON_RESIDUALS["lira_online_residual"] == LiraOnline("lira_online_residual", ("residual",))


def test_it_is_the_ratio_of_two_normal_densities():
    """IN residuals (1, 3) and (-1, 1), OUT (-4, 0) and (5, 9): means 2, 0, -2, 7; pooled variances 1 and 4."""
    residuals = np.array([[1, -1], [3, 1], [-4, 5], [0, 9], [0.5, -2]], dtype=float)
    members = np.array([[1, 1], [1, 1], [0, 0], [0, 0], [0, 0]], dtype=bool)
    found = first(LIRA, released(signals(residuals), members))[-1]
    expected = stats.norm.logpdf([0.5, -2], [2, 0], 1) - stats.norm.logpdf([0.5, -2], [-2, 7], 2)
    assert found == pytest.approx(expected)


@each
def test_known_means_give_the_best_test_there_is(attack):
    """Residuals of one record lie 1.5 standard deviations apart: AUC Phi(1.5 / sqrt 2), 200 shadows to learn it."""
    given, members = world(0.5, 2.0)
    found = auc(first(attack, released(given, members))[-1], members[-1])
    assert found == pytest.approx(stats.norm.cdf(1.5 / np.sqrt(2)), abs=0.02)


@each
def test_known_variances_give_the_best_test_there_is(attack):
    """Residuals N(0, 1) of members and N(0, 9) of others: |e| is the best statistic, AUC by integration."""
    rng = np.random.default_rng(1)
    members = rng.random((201, 3000)) < 0.5
    residuals = np.where(members, 1, 3) * rng.normal(size=members.shape)
    found = auc(first(attack, released(signals(residuals), members))[-1], members[-1])
    grid = np.linspace(0, 30, 30_001)
    truth = np.trapezoid(2 * stats.norm.pdf(grid) * 2 * stats.norm.sf(grid / 3), grid)
    assert found == pytest.approx(truth, abs=0.03)


@each
def test_the_sign_matters(attack):
    """Members are missed by as much as others, on the other side: what no squared residual shows."""
    given, members = world(1.5, -1.5)
    observations = released(given, members)
    assert auc(first(attack, observations)[-1], members[-1]) > 0.95
    assert auc(first(LiraOnline(), observations)[-1], members[-1]) == pytest.approx(0.5, abs=0.04)


@each
def test_no_leak(attack):
    """Independent predictions: AUC 1/2 over 20 worlds of one target."""
    areas = []
    for seed in range(20):
        given, members = world(1.0, 1.0, shadows=7, records=500, seed=seed)
        areas.append(auc(first(attack, released(given, members))[-1], members[-1]))
    assert np.mean(areas) == pytest.approx(0.5, abs=4 * np.sqrt(501 / (12 * 250 * 250) / 20))


@each
def test_scale_and_sign_of_the_answers_do_not_matter(attack):
    given, members = world(0.5, 2.0, shadows=7, records=200)
    for factor in (-1.0, 2.0**20):
        other = signals(given.residual * factor)
        before, after = (first(attack, released(each, members))[-1] for each in (given, other))
        assert after == pytest.approx(before, rel=1e-6, abs=1e-4)


@each
def test_a_planted_leak_at_few_shadows(attack):
    given, members = world(0.0, 3.0, shadows=7, records=400)
    observations = recipe(given, members, np.zeros(400, dtype=int))
    run = run_attack(attack, observations, split_targets(observations))
    advantage = np.divide(run.counts.flagged_members, run.counts.members)
    advantage -= np.divide(run.counts.flagged_nonmembers, run.counts.nonmembers)
    assert advantage.mean() > 0.7
