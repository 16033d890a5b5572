"""Trade-off curves, against closed forms."""

import numpy as np
import pytest
from scipy import stats

from pytest_mia.statistics.tradeoff_curves import Approximate, Gaussian

POWERS = np.linspace(0.001, 0.999, 99)


def power(curve, rate):
    """1 - f(rate) of a curve of (epsilon, delta)."""
    return min(1.0, curve.delta + np.exp(curve.epsilon) * rate, 1 - np.exp(-curve.epsilon) * (1 - curve.delta - rate))


@pytest.mark.parametrize("curve", [Approximate(1.0, 0.0), Approximate(0.3, 0.05), Approximate(4.0, 1e-5)])
def test_the_least_rate_is_the_inverse_of_the_power(curve):
    for rate in np.linspace(0, 1, 101):
        assert curve.least(power(curve, rate)) <= rate + 1e-12
    for each in POWERS:
        assert power(curve, curve.least(each)) == pytest.approx(max(each, curve.delta))


def test_delta_alone_is_for_nothing():
    assert Approximate(1.0, 0.05).least(0.04) == 0


@pytest.mark.parametrize(("epsilon", "delta"), [(0.1, 1e-5), (1.0, 1e-5), (8.0, 1e-9), (2.0, 0.1), (50.0, 1e-5)])
def test_a_gaussian_mechanism_has_the_delta_that_it_is_made_for(epsilon, delta):
    mu = Gaussian.through(epsilon, delta).mu
    # Balle & Wang (2018), theorem 8, in units of the noise.
    first, second = stats.norm.cdf(mu / 2 - epsilon / mu), stats.norm.logcdf(-mu / 2 - epsilon / mu)
    assert first - np.exp(epsilon + second) == pytest.approx(delta, rel=1e-5)
    assert first - np.exp(epsilon + second) >= delta


def test_a_gaussian_test_is_that_of_two_normal_distributions():
    curve = Gaussian(1.5)
    for each in POWERS:
        assert stats.norm.sf(stats.norm.isf(curve.least(each)) - 1.5) == pytest.approx(each)


@pytest.mark.parametrize("epsilon", [0.5, 2.0])
def test_a_gaussian_mechanism_keeps_what_its_epsilon_and_delta_promise(epsilon):
    gaussian, approximate = Gaussian.through(epsilon, 1e-3), Approximate(epsilon, 1e-3)
    assert all(gaussian.least(each) >= approximate.least(each) - 1e-9 for each in POWERS)


def test_two_coins_together_give_away_twice_as_much():
    doubled = Approximate(1.0, 0.01).doubled()
    assert (doubled.epsilon, doubled.delta) == (2.0, pytest.approx(0.01 * (1 + np.e)))
    assert Gaussian(1.0).doubled() == Gaussian(2.0)
    # What one coin leaves possible, put into itself.
    for rate in np.linspace(0, 0.1, 11):
        assert power(doubled, rate) >= power(Approximate(1.0, 0.01), power(Approximate(1.0, 0.01), rate)) - 1e-12
