import dataclasses

import numpy as np
import pytest
from worlds import trained

import pytest_mia
from pytest_mia import InvalidAuditError
from pytest_mia.attacks import evaluation, registry
from pytest_mia.auditing.controls import shuffled_memberships
from pytest_mia.statistics import error_budget
from pytest_mia.statistics.counts import Interval

rng = np.random.default_rng(0)
NAMES = {"gap", "loss", "lira_online", "mast", "rmia_online"}


def interval(observations, confidence=shuffled_memberships.CONFIDENCE):
    """The advantage of the attack that is selected, as an audit has it."""
    fitting = [attack for attack in registry.ATTACKS if attack.name in NAMES]
    runs, _ = evaluation.run_all(fitting, observations, evaluation.split_targets(observations))
    chosen = evaluation.choose([[each.advantage for each in run.learned] for run in runs])
    return error_budget.plain_interval(evaluation.pick([run.counts for run in runs], chosen), confidence)


class TestShuffled:
    def test_memberships_keep_their_numbers_and_what_they_say_of_each_other(self):
        given = trained(1.0, models=5, records=60)
        mixed = shuffled_memberships.shuffle_memberships(given)
        assert sorted(map(tuple, mixed.members.T)) == sorted(map(tuple, given.members.T))
        assert (mixed.members != given.members).any()
        assert mixed.signals is given.signals

    def test_judged_records_stay_among_themselves(self):
        given = trained(1.0, models=5, records=60)
        judged = given.judged & (np.arange(60) < 30)
        members = given.members & (np.arange(60) < 30)
        mixed = shuffled_memberships.shuffle_memberships(dataclasses.replace(given, judged=judged, members=members))
        assert not mixed.members[:, 30:].any()
        assert mixed.members.sum() == members.sum()

    def test_groups_stay_together(self):
        groups = np.repeat(np.arange(20), 3)
        given = dataclasses.replace(trained(1.0, records=60), groups=groups)
        given = dataclasses.replace(given, members=given.members[:, ::3][:, groups])
        mixed = shuffled_memberships.shuffle_memberships(given).members
        assert (mixed == mixed[:, ::3][:, groups]).all()


@pytest.mark.parametrize("leak", [0.0, 5.0])
def test_whatever_leaks_nothing_is_found(leak):
    """At 99% one world in a hundred may be accused; more than one in these twenty, one time in sixty at the most."""
    found = [
        interval(shuffled_memberships.shuffle_memberships(trained(leak, models=4, records=100, seed=seed)))
        for seed in range(20)
    ]
    assert sum(shuffled_memberships.find_failure(each) is not None for each in found) <= 1
    assert abs(np.mean([each.estimate for each in found])) < 0.04


@pytest.mark.parametrize(
    ("low", "high", "valid"), [(-0.1, 0.1, True), (0, 0, True), (0.01, 0.2, False), (-0.3, -0.1, False)]
)
def test_the_finding(low, high, valid):
    assert (shuffled_memberships.find_failure(Interval((low + high) / 2, low, high, 0.995)) is None) == valid


class TestAudit:
    """Answers that don't depend on memberships at all."""

    labels = np.arange(600) % 2

    def audited(self, members):
        answers = np.random.default_rng(0).random((4, 600, 2))
        names = ["loss", "gap", "mast", "nig_t", "lira_online"]
        return pytest_mia.audit_outputs(answers, members, self.labels, attacks=names, controls=True)

    def test_independent_memberships(self):
        result = self.audited(np.random.default_rng(1).random((4, 600)) < 0.5)
        assert result.controls.shuffled.low < 0 < result.controls.shuffled.high
        assert not result.findings
        assert result.controls.canaries is None
        assert "controls: no canaries were planted: an audit of outputs trains no models" in result.notes

    def test_memberships_that_give_each_other_away(self):
        """Each record in half of the models but for a few, which `balanced` doesn't see: a false leak."""
        members = np.argsort(np.random.default_rng(1).random((4, 600)), axis=0) < 2
        members[0, :8] ^= True
        result = self.audited(members)
        assert result.advantage.low > 0.05
        with pytest.raises(InvalidAuditError, match="on shuffled memberships"):
            result.assert_membership_advantage_below(0.05)
