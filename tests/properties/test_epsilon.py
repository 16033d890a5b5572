"""What holds for every number of guesses."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mia.statistics.counts import CoinGuesses
from pytest_mia.statistics.epsilon_bounds import lower_bound, one_run_p_value
from pytest_mia.statistics.tradeoff_curves import Approximate

alphas = st.floats(1e-4, 0.5)
deltas = st.sampled_from([0.0, 1e-9, 1e-5, 1e-3, 0.02, 0.3])
epsilons = st.floats(0.01, 8)


@st.composite
def counted(draw, most=300):
    coins = draw(st.integers(1, most))
    guessed = draw(st.integers(1, coins))
    return CoinGuesses("loss", coins, guessed, draw(st.integers(0, guessed)), draw(st.booleans()))


def bound(guesses, delta, alpha=0.05, *, gaussian=False):
    return lower_bound(guesses, delta=delta, alpha=alpha, gaussian=gaussian).epsilon


@given(counted(), deltas, alphas, st.booleans())
def test_more_right_guesses_show_no_less(guesses, delta, alpha, gaussian):
    fewer = dataclasses.replace(guesses, right=max(guesses.right - 1, 0))
    assert bound(fewer, delta, alpha, gaussian=gaussian) <= bound(guesses, delta, alpha, gaussian=gaussian) + 2e-6


@given(counted(), deltas, alphas)
def test_a_guess_that_is_wrong_shows_no_more(guesses, delta, alpha):
    coins = guesses.coins + 1
    more = dataclasses.replace(guesses, coins=coins, guessed=guesses.guessed + 1)
    assert bound(more, delta, alpha) <= bound(dataclasses.replace(guesses, coins=coins), delta, alpha) + 2e-6


@given(counted(), st.floats(0, 0.5), st.floats(0, 0.5), st.booleans())
def test_a_larger_delta_shows_no_more(guesses, one, other, gaussian):
    small, large = sorted((one, other))
    gaussian = gaussian and small > 0
    assert bound(guesses, large, gaussian=gaussian) <= bound(guesses, small, gaussian=gaussian) + 2e-6


@given(counted(), deltas, alphas, alphas)
def test_more_confidence_shows_no_more(guesses, delta, one, other):
    sure, unsure = sorted((one, other))
    assert bound(guesses, delta, sure) <= bound(guesses, delta, unsure) + 2e-6


@given(counted(), st.sampled_from([1e-9, 1e-5, 1e-3, 0.02]), alphas)
def test_no_delta_shows_more_than_none(guesses, delta, alpha):
    """Randomised response keeps its epsilon at every delta, so no valid bound can be larger."""
    assert bound(guesses, delta, alpha) <= bound(guesses, 0.0, alpha)


@given(st.integers(1, 150), deltas, st.floats(1e-4, 0.5), st.booleans())
def test_half_of_the_guesses_right_shows_nothing(half, delta, alpha, swapped):
    guesses = CoinGuesses("loss", 2 * half, 2 * half, half, swapped)
    assert bound(guesses, delta, alpha, gaussian=delta > 0) == pytest.approx(0, abs=2e-6)


@given(counted(), epsilons, st.sampled_from([0.0, 1e-5, 1e-3]))
def test_p_values_fall_with_the_right_guesses_and_rise_with_epsilon(guesses, epsilon, delta):
    fewer = dataclasses.replace(guesses, right=max(guesses.right - 1, 0))
    p = one_run_p_value(guesses, Approximate(epsilon, delta))
    assert 0 <= p <= one_run_p_value(fewer, Approximate(epsilon, delta)) * (1 + 1e-9)
    assert p <= one_run_p_value(guesses, Approximate(epsilon + 0.1, delta)) * (1 + 1e-9)
