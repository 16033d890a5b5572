import numpy as np
import pytest
from scipy.integrate import trapezoid
from worlds import confident

from pytest_mia.attacks import roc
from pytest_mia.statistics import auc, rate_bounds


def pair(inside, outside):
    """Scores of members and of non-members of one target, and who is one."""
    values = np.concatenate([inside, outside]).astype(float)
    return values, np.arange(len(values)) < len(inside)


class TestCurve:
    def test_of_hand_counted_scores(self):
        """One member above all, one above half, two below: each non-member passed adds half of the FPR."""
        curve = roc.curve("loss", [pair([9, 4, 1, 1], [5, 3])], alpha=0.05, share=1.0)

        assert (curve.attack, curve.fpr) == ("loss", (0.5, 1.0))
        assert curve.tpr == (0.25, 0.5)
        assert [curve.low[0], curve.high[0]] == pytest.approx(rate_bounds([1], [4], alpha=0.05)[1:])

    def test_a_tie_is_split_as_guessing_splits_it(self):
        """All scores are alike, so the curve is the diagonal at every point."""
        curve = roc.curve("gap", [pair(np.ones(300), np.ones(500))], alpha=0.05, share=1.0)

        assert curve.tpr == pytest.approx(curve.fpr)

    @pytest.mark.parametrize("level", range(1, 26))
    def test_no_more_are_flagged_than_there_are(self, level):
        """In floats, 25 times 14/25 is more than 14."""
        curve = roc.curve("gap", [pair(np.ones(3), [1] * level + [0] * (25 - level))], alpha=0.05, share=1.0)

        assert max(curve.tpr) == 1.0

    def test_its_points_lie_on_a_logarithmic_grid(self):
        rng = np.random.default_rng(0)
        curve = roc.curve("loss", [pair(rng.normal(size=20_000), rng.normal(size=20_000))], alpha=0.05, share=1.0)

        assert len(curve.fpr) <= roc.POINTS
        assert (curve.fpr[0], curve.fpr[-1]) == (1 / 20_000, 1.0)
        assert max(np.diff(np.log(curve.fpr))) == pytest.approx(np.log(2))

    def test_the_area_below_it_is_the_auc(self):
        rng = np.random.default_rng(0)
        target = pair(np.round(rng.normal(0.7, 1, 80), 1), np.round(rng.normal(size=80), 1))
        curve = roc.curve("loss", [target], alpha=0.05, share=1.0)

        area = trapezoid([0, *curve.tpr], [0, *curve.fpr])
        assert len(curve.fpr) > 40
        assert area == pytest.approx(auc(*target), abs=0.01)

    def test_targets_whose_scores_differ_in_scale_are_averaged(self):
        inside, outside = [9.0, 4, 1, 1], [5.0, 3, 3, 0]
        targets = [pair(np.multiply(scale, inside), np.multiply(scale, outside)) for scale in (1, -1, 1000)]
        plain, mirrored, scaled = (roc.curve("loss", [each], alpha=0.05, share=1.0) for each in targets)
        together = roc.curve("loss", targets, alpha=0.05, share=1.0)

        assert scaled == plain
        assert together.fpr == plain.fpr
        assert together.tpr == pytest.approx((2 * np.array(plain.tpr) + mirrored.tpr) / 3)

    def test_answers_that_tie_are_no_spread_between_targets(self):
        """Two targets whose right answers differ by one record only have nearly the same curve."""
        targets = [pair([1] * 60 + [0] * 40, [1] * (50 + more) + [0] * (50 - more)) for more in (0, 1)]
        curve = roc.curve("gap", targets, alpha=0.05, share=1.0)

        middle = curve.fpr.index(0.25)
        assert curve.tpr[middle] == pytest.approx(0.25 * (60 / 50 + 60 / 51) / 2)
        assert curve.high[middle] - curve.low[middle] < 0.3

    def test_without_non_members_there_is_none(self):
        assert roc.curve("loss", [pair([1, 2], [])], alpha=0.05, share=1.0).fpr == ()

    def test_records_in_groups_widen_the_band(self):
        target = pair(np.arange(100), np.arange(100))
        plain, grouped = (roc.curve("loss", [target], alpha=0.05, share=share) for share in (1.0, 0.25))

        assert grouped.tpr == plain.tpr
        assert grouped.high[20] > plain.high[20]


class TestHistogram:
    def test_every_record_is_counted_once(self):
        rng = np.random.default_rng(0)
        found = roc.histogram("loss", [pair(rng.normal(2, 1, 300), rng.standard_cauchy(200))] * 2)

        assert (sum(found.members), sum(found.nonmembers)) == (600, 400)
        assert len(found.members) == len(found.nonmembers) == roc.BINS

    def test_what_lies_far_off_is_in_the_outer_bins(self):
        inside, outside = np.linspace(0, 1, 500), np.linspace(0, 1, 500)
        inside[0], outside[0] = np.inf, -1e300
        found = roc.histogram("loss", [pair(inside, outside)])

        assert 0 <= found.low < found.high <= 1
        assert found.members[-1] > found.members[1]
        assert found.nonmembers[0] > found.nonmembers[1]

    @pytest.mark.parametrize("value", [0.0, 1e-300, 7.0, -1e99, np.inf, -np.inf])
    def test_constant_scores_have_a_bin(self, value):
        found = roc.histogram("loss", [pair([value] * 3, [value] * 2)])

        assert (max(found.members), max(found.nonmembers)) == (3, 2)
        assert found.low < found.high

    def test_scores_that_hardly_differ_have_bins(self):
        found = roc.histogram("loss", [pair([0.1], [np.nextafter(0.1, 1)])])

        assert (sum(found.members), sum(found.nonmembers)) == (1, 1)


def test_only_judged_records_count():
    given = confident(np.arange(8).reshape(2, 4), np.array([[1, 0, 1, 0], [0, 1, 0, 1]]))
    judged = given.judged.copy()
    judged[1, 2:] = False
    object.__setattr__(given, "judged", judged)
    (first, members), (second, others) = roc.judged(np.arange(8).reshape(2, 4), np.array([0, 1]), given)

    assert (first.tolist(), members.tolist()) == ([0, 1, 2, 3], [True, False, True, False])
    assert (second.tolist(), others.tolist()) == ([4, 5], [False, True])
