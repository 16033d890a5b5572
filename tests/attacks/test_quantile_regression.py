import dataclasses

import numpy as np
import pytest
from scipy import stats

from pytest_mia.attacks.evaluation import run_attack, split_targets
from pytest_mia.attacks.observations import Observations, recipe
from pytest_mia.attacks.quantile_regression import LEVELS, QuantileRegression
from pytest_mia.models.signals import Signals
from pytest_mia.statistics import auc

ATTACK = QuantileRegression()


def steps(leak, *, models=4, records=2000, seed=0, height=20.0):
    """phi = a step of the one feature that matters + N(0, 1) + leak of members."""
    rng = np.random.default_rng(seed)
    features = rng.random((records, 3))
    members = rng.random((models, records)) < 0.5
    phi = height * (features[:, 0] > 0.5) + rng.normal(size=members.shape) + leak * members
    given = recipe(Signals(confidence=phi), members, np.zeros(records, dtype=int), seed=seed)
    return dataclasses.replace(given, features=features)


def areas(given):
    """AUC of each model at each level."""
    return np.array(
        [[auc(*pair) for pair in zip(scores, given.members, strict=True)] for scores in ATTACK.scores(given)]
    )


def test_what_is_left_is_measured_from_the_quantile_of_non_members():
    """phi of non-members is a step of 0 or 20 + N(0, 1), so scores are phi - the step - z at 1 - alpha."""
    given = steps(3.0, models=6, records=4000)
    step = 20.0 * (given.features[:, 0] > 0.5)
    inner = np.abs(given.features[:, 0] - 0.5) > 0.02
    for alpha, scores in zip(LEVELS, ATTACK.scores(given), strict=True):
        quantile = given.signals.confidence - scores
        assert quantile.shape == given.members.shape
        assert (quantile - step)[:, inner].mean() == pytest.approx(stats.norm.ppf(1 - alpha), abs=0.1)
        above = (scores > 0)[:, inner][~given.members[:, inner]].mean()
        assert above == pytest.approx(alpha, abs=0.03)


def test_the_step_hides_nothing_any_more():
    """On phi itself half of the pairs stand on two sides of the step, which decides them by chance."""
    given, truth = steps(2.0), stats.norm.cdf(2 / np.sqrt(2))
    assert areas(given) == pytest.approx(np.full((3, 4), truth), abs=0.03)
    assert auc(given.signals.confidence[0], given.members[0]) == pytest.approx((truth + 0.5) / 2, abs=0.03)


def test_no_leak():
    found = np.concatenate([areas(steps(0.0, seed=seed, records=400)) for seed in range(6)], axis=1)
    # The models of a world are judged by quantiles learnt on the same records, and so aren't quite independent.
    assert found.mean(axis=1) == pytest.approx([0.5] * 3, abs=4 * np.sqrt(401 / (12 * 200 * 200) / 12))


def test_a_planted_leak():
    given = steps(3.0, records=600)
    counts = run_attack(ATTACK, given, split_targets(given)).counts
    advantage = np.divide(counts.flagged_members, counts.members)
    advantage -= np.divide(counts.flagged_nonmembers, counts.nonmembers)
    assert advantage.min() > 0.6


def test_a_target_s_own_membership_has_no_part_in_its_scores():
    given = steps(1.0, records=300)
    flipped = given.members.copy()
    flipped[2] = ~flipped[2]
    for before, after in zip(
        ATTACK.scores(given), ATTACK.scores(dataclasses.replace(given, members=flipped)), strict=True
    ):
        assert (before[2] == after[2]).all()
        assert (before[[1, 3]] != after[[1, 3]]).any()


def test_no_record_is_judged_by_its_own_answers():
    """Another answer on a record changes the quantiles of others, never its own."""
    given = steps(1.0, models=2, records=300)
    record = int(np.flatnonzero(~given.members[0])[0])
    phi = given.signals.confidence.copy()
    phi[0, record] = 1e4
    other = dataclasses.replace(given, signals=Signals(confidence=phi))
    for before, after in zip(ATTACK.scores(given), ATTACK.scores(other), strict=True):
        assert after[1, record] == before[1, record]
        assert (after[1] != before[1]).any()


class TestWithoutShadows:
    """A released model whose known half teaches, and whose other half is judged."""

    def released(self, leak):
        given = steps(leak, models=1, records=3000)
        known = np.random.default_rng(5).random(3000) < 0.5
        nobody = np.zeros(3000, dtype=bool)
        signals = given.signals.of(np.array([0, 0]), np.arange(3000))
        return Observations(
            signals,
            given.members[[0, 0]],
            given.labels,
            np.zeros(2, dtype=bool),
            np.stack([known, nobody]),
            np.stack([nobody, ~known]),
            features=given.features,
        )

    def test_the_target_s_own_known_non_members_teach(self):
        given = self.released(3.0)
        run = run_attack(ATTACK, given, split_targets(given))
        assert run.auc == pytest.approx([stats.norm.cdf(3 / np.sqrt(2))], abs=0.03)
        (flagged,), (members,) = run.counts.flagged_members, run.counts.members
        assert flagged / members > 0.8

    def test_no_leak(self):
        given = self.released(0.0)
        run = run_attack(ATTACK, given, split_targets(given))
        assert run.auc == pytest.approx([0.5], abs=4 * np.sqrt(1501 / (12 * 750 * 750)))

    def test_judged_memberships_have_no_part(self):
        given = self.released(1.0)
        other = dataclasses.replace(given, members=given.members ^ given.judged[[1, 1]])
        for before, after in zip(ATTACK.scores(given), ATTACK.scores(other), strict=True):
            assert (before == after).all()


@pytest.mark.parametrize("members", [True, False])
def test_one_side_only_and_few_records_stay_finite(members):
    given = steps(0.0, models=3, records=30)
    given = dataclasses.replace(given, members=np.full((3, 30), members))
    assert all(np.isfinite(scores).all() for scores in ATTACK.scores(given))
