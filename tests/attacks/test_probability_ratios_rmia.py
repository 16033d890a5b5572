import numpy as np
import pytest
from scipy import special
from worlds import confident, released

from pytest_mia.attacks.evaluation import run_attack, split_targets
from pytest_mia.attacks.probability_ratios import (
    OFFLINE_CONSTANTS,
    RmiaOffline,
    RmiaOnline,
    logarithm,
    offline_reference,
)
from pytest_mia.models.signals import Signals
from pytest_mia.statistics import auc

SHADOWS = np.array([[0.9, 0.5], [0.7, 0.4], [0.2, 0.6]])
TARGET = np.array([0.8, 0.5])
A = OFFLINE_CONSTANTS.index(0.3)


def attacked(shadows, members, target):
    """Observations of probabilities of the true class at temperature 2; the target was trained on nothing."""
    p = np.vstack([shadows, target])
    members = np.vstack([members, np.zeros(len(target), dtype=bool)])
    return released(Signals(confidence=2 * special.logit(p), tempered=special.logit(p)), members)


def tempered(attack, observations):
    """Scores of the last model at temperature 2, one array per constant."""
    found = [scores[-1] for scores in attack.scores(observations)]
    return found[: len(found) // 2]


def plain(attack, observations):
    """The same at temperature 1."""
    found = [scores[-1] for scores in attack.scores(observations)]
    return found[len(found) // 2 :]


def at_one(p):
    """A probability at temperature 2 as one at temperature 1."""
    return special.expit(2 * special.logit(p))


def shares(ratio, population, gamma, *, strict=True):
    """The published score: the share of population records whose ratio is exceeded gamma times."""
    pairs = ratio[:, None] / population[None, :]
    return ((pairs > gamma) if strict else (pairs >= gamma)).mean(axis=1)


class TestOffline:
    def test_the_sheet_s_vector(self):
        """Means 0.6 and 0.5; with a = 0.3 the references are 0.74 and 0.675."""
        found = tempered(RmiaOffline(), attacked(SHADOWS, np.zeros((3, 2), dtype=bool), TARGET))
        assert np.exp(found[A]) == pytest.approx([1.08108108, 0.74074074], abs=1e-8)

    def test_one_array_per_constant(self):
        found = tempered(RmiaOffline(), attacked(SHADOWS, np.zeros((3, 2), dtype=bool), TARGET))
        assert len(found) == len(OFFLINE_CONSTANTS)
        assert np.exp(found[0]) == pytest.approx(TARGET / ((np.array([0.6, 0.5]) + 1) / 2))
        assert np.exp(found[-1]) == pytest.approx(TARGET / np.array([0.6, 0.5]))

    def test_the_same_at_temperature_one(self):
        found = plain(RmiaOffline(), attacked(SHADOWS, np.zeros((3, 2), dtype=bool), TARGET))
        mean = at_one(SHADOWS).mean(axis=0)
        assert len(found) == len(OFFLINE_CONSTANTS)
        assert np.exp(found[A]) == pytest.approx(at_one(TARGET) / ((1.3 * mean + 0.7) / 2))

    def test_in_shadows_have_no_part(self):
        members = np.array([[1, 0], [0, 0], [0, 1]], dtype=bool)
        found = tempered(RmiaOffline(), attacked(SHADOWS, members, TARGET))
        outside = np.array([(0.7 + 0.2) / 2, (0.5 + 0.4) / 2])
        assert np.exp(found[-1]) == pytest.approx(TARGET / outside)

    def test_a_record_that_all_shadows_had_is_expected_as_the_others_are(self):
        members = np.array([[1, 0], [1, 0], [1, 0]], dtype=bool)
        found = tempered(RmiaOffline(), attacked(SHADOWS, members, TARGET))
        assert np.exp(found[-1]) == pytest.approx(TARGET / 0.5)

    def test_the_constant_is_tuned_on_the_shadows(self):
        """Members get p = 0.9 whatever the record, so what it is without them must not count: a = 0. Where membership
        doubles every probability, the record's own level is all that counts: a = 1."""
        rng = np.random.default_rng(0)
        members, level = rng.random((8, 400)) < 0.5, rng.uniform(0.05, 0.45, 400)
        noise = np.exp(rng.normal(0, 0.05, members.shape))
        memorised = np.where(members, 0.9, level) * noise
        doubled = np.where(members, 2 * level, level) * noise
        chosen = []
        for p in (memorised, doubled):
            given = confident(2 * special.logit(np.clip(p, 0.01, 0.99)), members)
            learned = run_attack(RmiaOffline(), given, split_targets(given)).learned
            assert min(each.advantage for each in learned) > 0.9
            chosen.append({OFFLINE_CONSTANTS[each.setting % len(OFFLINE_CONSTANTS)] for each in learned})
        assert chosen[0] == {0.0}
        assert min(chosen[1]) >= 0.95


class TestOnline:
    members = np.array([[1, 0], [0, 1], [0, 0]], dtype=bool)

    def test_by_hand(self):
        """References: ((0.9) + (0.7 + 0.2) / 2) / 2 and ((0.4) + (0.5 + 0.6) / 2) / 2."""
        (found,) = tempered(RmiaOnline(), attacked(SHADOWS, self.members, TARGET))
        assert np.exp(found) == pytest.approx([0.8 / 0.675, 0.5 / 0.475])

    def test_the_same_at_temperature_one(self):
        (found,) = plain(RmiaOnline(), attacked(SHADOWS, self.members, TARGET))
        p = at_one(SHADOWS)
        means = [(p[0, 0] + (p[1, 0] + p[2, 0]) / 2) / 2, (p[1, 1] + (p[0, 1] + p[2, 1]) / 2) / 2]
        assert np.exp(found) == pytest.approx(at_one(TARGET) / means)

    def test_the_temperature_is_tuned_on_the_shadows(self):
        """Answers that are all but certain are told apart at temperature 2 rather than at 1."""
        rng = np.random.default_rng(0)
        members = rng.random((8, 400)) < 0.5
        given = confident(rng.normal(12, 3, 400) + 2 * members + rng.normal(size=members.shape), members)
        areas = [auc(scores[0], members[0]) for scores in RmiaOnline().scores(given)]
        assert areas[0] > areas[1] + 0.02
        assert {each.setting for each in run_attack(RmiaOnline(), given, split_targets(given)).learned} == {0}

    def test_a_missing_side_borrows_the_mean_difference(self):
        members = np.array([[1, 0], [0, 0], [0, 0]], dtype=bool)
        (found,) = tempered(RmiaOnline(), attacked(SHADOWS, members, TARGET))
        difference = 0.9 - 0.45
        assert np.exp(found[1]) == pytest.approx(0.5 / (0.5 + difference / 2))


class TestRatio:
    """The published scores only rank the ratio, more coarsely."""

    ratio, population = np.array([1.0, 1.2, 0.5]), np.array([0.4, 0.5, 1.0, 1.1])

    @pytest.mark.parametrize(
        ("gamma", "strict", "expected"),
        [(1, True, [0.5, 1, 0.25]), (1, False, [0.75, 1, 0.5]), (2, True, [0.25, 0.5, 0])],
    )
    def test_the_sheet_s_shares(self, gamma, strict, expected):
        assert shares(self.ratio, self.population, gamma, strict=strict).tolist() == expected

    @pytest.mark.parametrize("gamma", [1, 2])
    def test_a_large_population_gives_the_same_area(self, gamma):
        rng = np.random.default_rng(0)
        members = rng.random(2000) < 0.5
        log_odds = rng.normal(size=2000) + members
        ratio = special.expit(log_odds) / 0.5
        published = shares(ratio, np.exp(rng.normal(0, 1, 5000)) * ratio.mean() / gamma, gamma)
        assert auc(published, members) == pytest.approx(auc(ratio, members), abs=0.002)

    def test_zero_probabilities_are_finite(self):
        zero, one = logarithm(np.array([0.0, 1.0]))
        assert np.isfinite(zero)
        assert zero < one == 0

    def test_the_offline_reference_lies_between_what_is_seen_and_one(self):
        outside = np.array([0.0, 0.3, 1.0])
        assert offline_reference(outside, 1.0).tolist() == outside.tolist()
        assert offline_reference(outside, 0.0).tolist() == [0.5, 0.65, 1]


class TestLeaks:
    def areas(self, shift):
        """AUC of the online attack, and of the offline one at each constant, at temperature 2 and at 1."""
        rng = np.random.default_rng(0)
        members = rng.random((8, 5000)) < 0.5
        phi = rng.normal(0, 4, 5000) + shift * members + 0.5 * rng.normal(size=members.shape)
        given = confident(phi, members)
        return [
            [np.mean([auc(row, mask) for row, mask in zip(scores, members, strict=True)]) for scores in found]
            for found in (RmiaOnline().scores(given), RmiaOffline().scores(given))
        ]

    def test_none(self):
        for areas in self.areas(0.0):
            assert np.array(areas) == pytest.approx(0.5, abs=0.015)

    def test_far_below_the_levels_of_the_records(self):
        (tempered, plain), offline = self.areas(3.0)
        assert min(tempered, offline[len(OFFLINE_CONSTANTS) - 1]) > 0.9
        assert plain > 0.85
