import numpy as np
import pytest
from scipy import stats
from worlds import released

from pytest_mia.attacks.likelihood_ratios import NigT, Prior, fit_prior, log_predictive
from pytest_mia.attacks.moments import Side
from pytest_mia.models.signals import Signals
from pytest_mia.statistics import auc


def side(count, mean, squares):
    return Side(*(np.array(part, dtype=float) for part in (count, mean, squares)))


def log_evidence(data, prior):
    """Log density of some values under the prior, integrated numerically over the mean and the log variance."""
    means, logs = np.linspace(-15, 15, 401), np.linspace(-6, 12, 201)
    variance = np.exp(logs)[:, None]
    density = stats.invgamma.logpdf(variance, prior.a0, scale=prior.b0) + logs[:, None]
    density = density + stats.norm.logpdf(means, prior.m0, np.sqrt(variance / prior.k0))
    for value in data:
        density = density + stats.norm.logpdf(value, means, np.sqrt(variance))
    return np.log(np.trapezoid(np.trapezoid(np.exp(density), means, axis=1), logs))


def uncut(observations):
    """Scores of signals as they are."""
    return next(NigT().scores(observations))


class TestLogPredictive:
    def test_the_sheet_s_vector(self):
        found = log_predictive(np.array([2.0]), side([2], [1], [0.5]), Prior(m0=0, k0=1, a0=2, b0=1))
        assert found == pytest.approx([-2.01461192], abs=1e-8)

    @pytest.mark.parametrize("data", [(), (0.5,), (0.5, 1.5), (-1.0, 0.0, 2.5, 2.0)])
    @pytest.mark.parametrize("prior", [Prior(0.0, 1.0, 2.0, 1.0), Prior(0.5, 3.0, 2.5, 4.0)])
    def test_it_is_the_ratio_of_evidences(self, data, prior):
        """p(x | data) = p(x, data) / p(data), by two-dimensional numerical integration."""
        mean = np.mean(data) if data else 0.0
        moments = side([len(data)], [mean], [sum((value - mean) ** 2 for value in data)])
        for value in (-2.0, 0.4, 3.0):
            expected = log_evidence((*data, value), prior) - log_evidence(data, prior)
            assert log_predictive(np.array([value]), moments, prior) == pytest.approx([expected], abs=1e-4)

    def test_no_shadows_leave_the_prior(self):
        prior = Prior(m0=1.0, k0=2.0, a0=2.0, b0=3.0)
        found = log_predictive(np.array([4.0]), side([0], [0], [0]), prior)
        assert found == pytest.approx(stats.t.logpdf(4, 4, loc=1, scale=np.sqrt(3 * 3 / (2 * 2))))

    def test_many_shadows_leave_the_data(self):
        found = log_predictive(np.array([1.0]), side([10**7], [0.5], [4 * 10**7]), Prior(9.0, 1.0, 2.0, 50.0))
        assert found == pytest.approx(stats.norm.logpdf(1, 0.5, 2), abs=1e-4)


class TestPrior:
    def test_by_hand(self):
        """Within variances 2 / 1 and 4 / 2; means 1, 3, 8 with variance 26 / 3, less 2 / 2 for their own noise."""
        found = fit_prior(np.zeros(3), side([2, 3, 1], [1, 3, 8], [2, 4, 0]))
        between = 26 / 3 - 2 / 2
        assert found.m0 == 4
        assert (found.a0, found.b0) == (2, 4)
        assert found.k0 == pytest.approx(2 / between)

    def test_it_finds_the_truth(self):
        """Records' means N(3, 4) and noise N(0, 9), five shadows each."""
        rng = np.random.default_rng(0)
        values = 3 + 2 * rng.normal(size=50_000) + 3 * rng.normal(size=(5, 50_000))
        squares = ((values - values.mean(axis=0)) ** 2).sum(axis=0)
        found = fit_prior(values[0], side(np.full(50_000, 5), values.mean(axis=0), squares))
        assert found.m0 == pytest.approx(3, abs=0.06)
        assert found.k0 == pytest.approx(9 / 4, rel=0.05)
        assert found.b0 / found.a0 == pytest.approx(9, rel=0.02)

    def test_one_shadow_a_side_takes_the_variance_between_records(self):
        found = fit_prior(np.zeros(2), side([1, 1], [0, 2], [0, 0]))
        assert (found.m0, found.b0) == (1, 2)

    def test_no_shadows_take_the_target_s_own_scale(self):
        found = fit_prior(np.array([0.0, 4.0]), side([0, 0], [0, 0], [0, 0]))
        assert (found.m0, found.b0) == (2, 8)
        assert found.b0 / found.a0 * (1 + 1 / found.k0) == pytest.approx(4, rel=1e-5)

    def test_constants_are_finite(self):
        found = fit_prior(np.ones(2), side([3, 3], [1, 1], [0, 0]))
        assert found == Prior(1.0, 1e6, 2.0, 2.0)


class TestScores:
    def world(self, shift, *, inside=4, outside=3, records=10_000, seed=0):
        """Log-odds N(record's level + shift if a member, the record's own variance)."""
        rng = np.random.default_rng(seed)
        shadows = np.tile(np.arange(inside + outside) < inside, (records, 1)).T
        members = np.vstack([shadows, rng.random((1, records)) < 0.5])
        spread = 1 / np.sqrt(rng.gamma(4, 1 / 3, records))
        phi = rng.normal(0, 20, records) + shift * members + spread * rng.normal(size=members.shape)
        return released(Signals(confidence=phi), members)

    def test_the_ratio_of_both_predictives(self):
        phi = np.array([[0, 1, 2], [1, 3, 2], [4, 5, 0], [6, 5, 4], [3, 2, 1]], dtype=float)
        members = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=bool)
        inside, outside = side([2] * 3, [2, 4, 3], [8, 2, 2]), side([2] * 3, [3.5, 3, 1], [12.5, 8, 2])
        expected = log_predictive(phi[-1], inside, fit_prior(phi[-1], inside))
        expected -= log_predictive(phi[-1], outside, fit_prior(phi[-1], outside))
        given = released(Signals(confidence=phi), members)
        assert uncut(given)[-1] == pytest.approx(expected)

    def test_no_leak(self):
        given = self.world(0.0)
        assert auc(uncut(given)[-1], given.members[-1]) == pytest.approx(0.5, abs=4 * 0.5 / 100)

    def test_a_leak_far_below_the_levels_of_the_records(self):
        given = self.world(3.0)
        assert auc(given.signals.confidence[-1], given.members[-1]) < 0.55
        assert auc(uncut(given)[-1], given.members[-1]) > 0.93

    def test_two_shadows_and_missing_sides(self):
        rng = np.random.default_rng(0)
        members = rng.random((3, 5000)) < 0.5
        phi = rng.normal(size=5000) + 2 * members + 0.3 * rng.normal(size=members.shape)
        found = uncut(released(Signals(confidence=phi), members))
        assert np.isfinite(found).all()
        assert auc(found[-1], members[-1]) > 0.93

    def test_answers_of_exactly_zero_and_one_are_cut_off(self):
        """A forest's log-odds: mostly within 3, and some at 27 or so, for members no more often than for others."""
        rng = np.random.default_rng(0)
        members = rng.random((8, 2000)) < 0.5
        phi = rng.normal(size=2000) + 1.5 * members + 0.5 * rng.normal(size=members.shape)
        certain = np.abs(rng.normal(size=members.shape)) > 1.96
        given = released(Signals(confidence=np.where(certain, 27.0, phi)), members)
        whole, cut = (auc(scores[-1], members[-1]) for scores in NigT().scores(given))
        assert cut > whole + 0.05
        assert cut > 0.85

    def test_what_is_not_cut_off_is_scored_alike(self):
        phi = np.clip(np.random.default_rng(0).normal(size=(5, 50)), -5, 5)
        given = released(Signals(confidence=phi), np.random.default_rng(1).random((5, 50)) < 0.5)
        whole, cut = NigT().scores(given)
        np.testing.assert_array_equal(whole, cut)
