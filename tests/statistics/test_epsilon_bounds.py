"""Lower bounds of epsilon: published figures, mechanisms whose every outcome is enumerated, and many seeded runs."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from pytest_mia.attacks.coin_guesses import pairs, right
from pytest_mia.statistics.counts import CoinGuesses
from pytest_mia.statistics.epsilon_bounds import (
    TOLERANCE,
    curve_refuted,
    lower_bound,
    one_run_p_value,
    perfect,
    pure_bound,
)
from pytest_mia.statistics.tradeoff_curves import Approximate, Gaussian

ALPHA = 0.05


def guesses(coins, guessed, right, *, swapped=False):
    return CoinGuesses("loss", coins, guessed, right, swapped)


class TestPublishedFigures:
    def test_p_values(self):
        """Those of the authors' own code (Steinke, Nasr & Jagielski 2023)."""
        given = guesses(100, 20, 15)
        assert one_run_p_value(given, Approximate(1, 0)) == pytest.approx(0.54002303, abs=1e-8)
        assert one_run_p_value(given, Approximate(1, 1e-5)) == pytest.approx(0.54038836, abs=1e-8)
        assert lower_bound(given, delta=1e-5, alpha=ALPHA).epsilon == pytest.approx(0.176935, abs=2e-6)

    @pytest.mark.parametrize(
        ("counted", "any_mechanism", "gaussian"),
        [((1000, 100, 90), 1.626, 2.456), ((5000, 1000, 700), 0.731, 1.076), ((1000, 1000, 560), 0.134, 0.269)],
    )
    def test_bounds(self, counted, any_mechanism, gaussian):
        found = lower_bound(guesses(*counted), delta=1e-5, alpha=ALPHA)
        assert (found.name, found.epsilon) == ("one run", pytest.approx(any_mechanism, abs=6e-4))
        found = lower_bound(guesses(*counted), delta=1e-5, alpha=ALPHA, gaussian=True)
        assert found.epsilon == pytest.approx(gaussian, abs=6e-4)
        assert found.name == "f-DP of a Gaussian mechanism, one run"

    @pytest.mark.parametrize(("coins", "most"), [(100, 3.49), (1000, 5.81), (10_000, 8.11)])
    def test_where_every_guess_is_right(self, coins, most):
        assert pure_bound(perfect(guesses(coins, 0, 0)), alpha=ALPHA) == pytest.approx(most, abs=0.005)


class TestClosedForms:
    def test_without_a_delta_it_is_the_logit_of_clopper_pearson(self):
        low = stats.binomtest(90, 100).proportion_ci(0.9, "exact").low
        found = lower_bound(guesses(1000, 100, 90), delta=0, alpha=ALPHA)
        assert (found.epsilon, found.name) == (pytest.approx(math.log(low / (1 - low))), "Clopper-Pearson, one run")

    def test_half_of_it_where_a_coin_turns_two_records(self):
        alone, two = (pure_bound(guesses(200, 100, 90, swapped=swapped), alpha=ALPHA) for swapped in (False, True))
        assert two == alone / 2
        assert lower_bound(guesses(200, 100, 90, swapped=True), delta=1e-9, alpha=ALPHA).epsilon == pytest.approx(
            two, abs=1e-4
        )

    def test_the_curve_helps_where_delta_is_large(self):
        found = lower_bound(guesses(1000, 100, 90), delta=1e-3, alpha=ALPHA)
        assert (found.name, found.epsilon) == ("f-DP, one run", pytest.approx(1.542, abs=1e-3))

    @pytest.mark.parametrize("delta", [0, 1e-5, 0.1])
    def test_no_guesses_show_nothing(self, delta):
        assert lower_bound(guesses(10, 0, 0), delta=delta, alpha=ALPHA, gaussian=True).epsilon == 0
        assert lower_bound(guesses(0, 0, 0), delta=delta, alpha=ALPHA, gaussian=True).epsilon == 0

    @pytest.mark.parametrize("gaussian", [False, True])
    @pytest.mark.parametrize("swapped", [False, True])
    def test_a_bound_is_refuted_and_what_lies_above_it_is_not(self, gaussian, swapped):
        given = guesses(3000, 700, 500, swapped=swapped)
        found = lower_bound(given, delta=1e-5, alpha=ALPHA, gaussian=gaussian).epsilon

        def refuted(epsilon):
            claim = Approximate(epsilon, 1e-5)
            if gaussian:
                return curve_refuted(given, Gaussian.through(epsilon, 1e-5), alpha=ALPHA)
            return one_run_p_value(given, claim.doubled() if swapped else claim) < ALPHA

        assert refuted(found)
        assert not refuted(found + 2 * TOLERANCE)


def distribution(values, heads, weights, shares):
    """P[v right] for each v, and how many are guessed, over outcomes (outcomes, coins) with their probabilities."""
    counted = [right(np.asarray(value, dtype=float), head, shares) for value, head in zip(values, heads, strict=True)]
    return counted[0][0], np.bincount([count for _, count in counted], weights=weights, minlength=counted[0][0] + 1)


def error(coins, guessed, chances, *, epsilon, delta, alpha, swapped=False):
    """The exact probability that a true claim is refuted."""
    bounds = [
        lower_bound(guesses(coins, guessed, count, swapped=swapped), delta=delta, alpha=alpha).epsilon
        for count in range(guessed + 1)
    ]
    return sum(chance for chance, bound in zip(chances, bounds, strict=True) if bound > epsilon)


def responses(coins, epsilon, told=0.0):
    """Every fall of the coins with every answer of randomised response, which tells all coins with a small chance."""
    every = np.array([*itertools.product([False, True], repeat=coins)])
    heads, answers = np.repeat(every, len(every), axis=0), np.tile(every, (len(every), 1))
    agree = (heads == answers).sum(axis=1)
    keep = 1 / (1 + math.exp(-epsilon))
    chances = (1 - told) * keep**agree * (1 - keep) ** (coins - agree) + told * (agree == coins)
    return answers, heads, chances / len(every)


class TestEveryOutcome:
    """Exact coverage, by enumeration: no true claim is refuted more often than stated."""

    @pytest.mark.parametrize("shares", [(0.5, 0.5), (0.4, 0.0), (0.2, 0.2), (0.0, 1.0)])
    @pytest.mark.parametrize("epsilon", [0.05, 0.5, 1.5])
    def test_randomised_response(self, shares, epsilon):
        guessed, chances = distribution(*responses(5, epsilon), shares)
        assert chances.sum() == pytest.approx(1)
        for alpha in (0.01, 0.05, 0.2, 0.4):
            assert error(5, guessed, chances, epsilon=epsilon, delta=0, alpha=alpha) <= alpha

    @pytest.mark.parametrize("told", [0.001, 0.01, 0.1])
    def test_a_mechanism_that_tells_everything_once_in_a_while(self, told):
        """It keeps (epsilon, told), and its right guesses are far from independent."""
        guessed, chances = distribution(*responses(5, 0.5, told), (0.5, 0.5))
        for alpha in (0.01, 0.05, 0.2):
            assert error(5, guessed, chances, epsilon=0.5, delta=told, alpha=alpha) <= alpha

    def test_telling_everything_once_in_a_while_is_not_refuted_by_that_once(self):
        everything = guesses(100, 100, 100)
        assert lower_bound(everything, delta=0.1, alpha=ALPHA).epsilon == 0
        assert lower_bound(everything, delta=0.01, alpha=ALPHA).epsilon > 3

    @pytest.mark.parametrize("epsilon", [0.05, 0.5, 1.5])
    @pytest.mark.parametrize("side", [0.5, 0.34])
    def test_halves_of_a_fixed_size(self, epsilon, side):
        """Randomised response on six records, matched in three pairs; every half that goes with them is as likely."""
        one, other = pairs(np.array([1, 0, 0, 1, 1, 0], dtype=bool), np.zeros(6, dtype=int), np.random.default_rng(0))
        answers, heads, chances = responses(6, epsilon)
        given = (heads[:, one] != heads[:, other]).all(axis=1)
        values, first = answers[:, one].astype(int) - answers[:, other], heads[:, one]
        guessed, found = distribution(values[given], first[given], chances[given] / chances[given].sum(), (side, side))
        for alpha in (0.05, 0.2, 0.4):
            assert error(3, guessed, found, epsilon=epsilon, delta=0, alpha=alpha, swapped=True) <= alpha

    def test_nothing_is_given_away(self):
        """Randomised response on six coins, all guessed as it says: five of six is as likely as the bound has it."""
        at_least = stats.binom.sf(4, 6, 1 / (1 + math.exp(-1.0)))
        assert pure_bound(guesses(6, 6, 5), alpha=at_least) == pytest.approx(1.0)


def refutations(draw, *, runs, epsilon, delta=0.0, coins=1000, shares=(0.1, 0.1), gaussian=False, swapped=False):
    """Share of seeded runs in which a claim is refuted; each draws its coins, and what the mechanism says of them."""
    found = 0
    for run in range(runs):
        rng = np.random.default_rng([17, run])
        heads = rng.random(coins) < 0.5
        given = guesses(coins, *right(draw(rng, heads), heads, shares), swapped=swapped)
        found += lower_bound(given, delta=delta, alpha=ALPHA, gaussian=gaussian).epsilon > epsilon
    return found / runs


def randomised_response(epsilon):
    keep = 1 / (1 + math.exp(-epsilon))
    return lambda rng, heads: (heads == (rng.random(len(heads)) < keep)) + rng.random(len(heads))


def gaussian_mean(mu):
    """A noisy sum of orthogonal records, seen along each of them: shifted by mu where the record is in."""
    return lambda rng, heads: mu * heads + rng.normal(size=len(heads))


class TestManyRuns:
    RUNS = 400

    def at_most_alpha(self, share):
        return share <= stats.binom.ppf(0.999, self.RUNS, ALPHA) / self.RUNS

    def test_a_true_claim_of_randomised_response_stands(self):
        assert self.at_most_alpha(refutations(randomised_response(1.0), runs=self.RUNS, epsilon=1.0))

    def test_a_false_one_falls(self):
        assert refutations(randomised_response(2.0), runs=100, epsilon=1.0) > 0.95

    @pytest.mark.parametrize("gaussian", [False, True])
    def test_a_true_claim_of_a_gaussian_mechanism_stands(self, gaussian):
        mu = Gaussian.through(2.0, 1e-5).mu
        share = refutations(gaussian_mean(mu), runs=self.RUNS, epsilon=2.0, delta=1e-5, gaussian=gaussian)
        assert self.at_most_alpha(share)

    def test_noise_that_is_scaled_wrongly_is_found_sooner_by_the_gaussian_curve(self):
        """By half of the noise; (epsilon, delta) alone leaves more room, and finds a quarter."""
        mu = Gaussian.through(1.0, 1e-5).mu
        asked = {"runs": 50, "epsilon": 1.0, "delta": 1e-5}
        assert refutations(gaussian_mean(2 * mu), **asked, gaussian=True) > 0.5
        assert refutations(gaussian_mean(2 * mu), **asked) < 0.2
        assert refutations(gaussian_mean(4 * mu), **asked) > 0.9
