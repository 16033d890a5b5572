"""The change since a baseline: what may be compared, and bounds that hold."""

import math

import numpy as np
import pytest
from audits import LEAK, NONE, audited, counted

from pytest_mia.core.settings import Settings
from pytest_mia.statistics import error_budget
from pytest_mia.statistics.counts import Counts, Interval
from pytest_mia.verdicts import baseline
from pytest_mia.verdicts.baseline import Baseline

SETTINGS = Settings(shadows=3)


def kept(result, settings=SETTINGS):
    return Baseline("main", {"test_a": baseline.summarise(result, settings)})


class TestChange:
    def test_it_is_the_difference_of_the_advantages(self):
        change = kept(audited(NONE)).change("test_a", audited(LEAK), SETTINGS)
        assert change.before == error_budget.plain_interval(NONE, 0.95)
        assert change.difference.estimate == pytest.approx(0.2)
        assert change.remark == ""

    def test_margins_add_in_squares(self):
        old, new = error_budget.plain_interval(NONE, 0.9), error_budget.plain_interval(LEAK, 0.9)
        moved = error_budget.change_interval(NONE, LEAK, 0.9)
        assert 0.2 - moved.low == pytest.approx(math.hypot(new.estimate - new.low, old.high - old.estimate))
        assert moved.high - 0.2 == pytest.approx(math.hypot(new.high - new.estimate, old.estimate - old.low))

    def test_back_and_forth_are_mirror_images(self):
        there, back = error_budget.change_interval(NONE, LEAK, 0.95), error_budget.change_interval(LEAK, NONE, 0.95)
        assert (there.low, there.high) == pytest.approx((-back.high, -back.low))

    def test_the_same_counts_have_not_changed(self):
        moved = error_budget.change_interval(LEAK, LEAK, 0.95)
        assert moved.estimate == 0
        assert moved.low < 0 < moved.high

    def test_the_error_is_not_shared_with_attacks_that_it_does_not_judge(self):
        result = audited(LEAK, LEAK, LEAK)
        assert kept(result).change("test_a", result, SETTINGS).before.low > result.advantage.low

    def test_it_has_the_confidence_of_the_audit_of_now(self):
        now = audited(LEAK, advantage=Interval(0.2, 0.1, 0.3, 0.999))
        assert kept(audited(NONE)).change("test_a", now, SETTINGS).difference.confidence == 0.999


def drawn(rng, targets, records, tpr, fpr):
    """Guesses on independent targets, whose rates differ a little from target to target."""
    each = np.clip(rng.normal((tpr, fpr), 0.01 * (targets > 1), size=(targets, 2)), 0, 1)
    flagged, total = rng.binomial(records, each), (records,) * targets
    return Counts(tuple(flagged[:, 0].tolist()), total, tuple(flagged[:, 1].tolist()), total)


@pytest.mark.parametrize(("targets", "records"), [(1, 100), (4, 40), (8, 200)])
@pytest.mark.parametrize(("before", "after"), [((0.5, 0.5), (0.5, 0.5)), ((0.1, 0.05), (0.95, 0.3))])
def test_each_bound_errs_no_more_often_than_stated(targets, records, before, after):
    rng, runs = np.random.default_rng(0), 400
    truth = after[0] - after[1] - before[0] + before[1]
    moved = [
        error_budget.change_interval(drawn(rng, targets, records, *before), drawn(rng, targets, records, *after), 0.9)
        for _ in range(runs)
    ]
    # Three standard errors of the share itself.
    allowed = 0.1 + 3 * math.sqrt(0.1 * 0.9 / runs)
    assert np.mean([each.low > truth for each in moved]) <= allowed
    assert np.mean([each.high < truth for each in moved]) <= allowed
    assert np.mean([each.low > truth - 0.5 for each in moved]) > 0.9, "bounds that say nothing would hold as well"


@pytest.mark.parametrize(
    ("settings", "changes", "told"),
    [
        (Settings(shadows=7), {}, "it has shadows 3, not 7"),
        (Settings(shadows=3, attacks=("loss", "gap")), {}, "it has attacks unset, not gap,loss"),
        (Settings(shadows=3, queries=4), {}, "it has queries unset, not 4"),
        (SETTINGS, {"kind": "release"}, "it is of a recipe, not of a release"),
    ],
)
def test_audits_of_another_kind_or_strength_are_not_compared(settings, changes, told):
    change = kept(audited()).change("test_a", audited(**changes), settings)
    assert (change.before, change.difference) == (None, None)
    assert change.remark == f"the audit of test_a in the baseline main can't be compared: {told}"


def test_the_order_of_attacks_makes_no_difference():
    before = kept(audited(), Settings(attacks=("loss", "gap")))
    assert before.missing("test_a", "recipe", Settings(attacks=("gap", "loss"))) is None


def test_settings_that_change_nothing_of_the_strength_are_free():
    other = Settings(shadows=3, jobs=2, device="cpu", confidence=0.9, cache="off", inconclusive="warn", seed=5)
    assert kept(audited()).missing("test_a", "recipe", other) is None


def test_a_test_that_is_not_in_it():
    change = kept(audited()).change("test_b", audited(), SETTINGS)
    assert change.remark == "the baseline main holds no audit of test_b"


def test_what_else_differs_is_said():
    change = kept(audited()).change("test_a", audited(counted(0.5, 0.5, targets=8), records=4000), SETTINGS)
    assert change.remark == "records 2,000, now 4,000; targets 4, now 8"
    assert change.difference is not None
