import math
from dataclasses import replace

import numpy as np
import pytest

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.models import signals
from pytest_mia.models.answers import Labels, Logits, LogOdds, Losses, Probabilities, Residuals, TokenLogProbabilities
from pytest_mia.models.signals import LOWEST_LOG, Signals, signals_of, stack

Z = np.array([[2, 1, 0], [0, 3, 1], [1, 1, 1], [50, 0, 0]], dtype=float)
Y = np.array([0, 0, 2, 0])
FIELDS = ("correct", "confidence", "tempered", "modified_entropy", "shown", "entropy")


def softmax(z):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


class TestLogits:
    """The vectors of Z and Y were worked out with another program."""

    found = signals_of(Logits(Z), Y)

    def test_log_odds(self):
        assert self.found.confidence == pytest.approx([0.68673831, -3.12692801, -math.log(2), 49.30685282], abs=1e-8)

    def test_log_odds_at_temperature_two(self):
        by_hand = [1 - math.log(math.exp(0.5) + 1), -math.log(math.exp(1.5) + math.exp(0.5)), -math.log(2)]
        assert self.found.tempered == pytest.approx([*by_hand, 25 - math.log(2)], abs=1e-12)

    def test_minus_modified_entropy(self):
        assert self.found.modified_entropy == pytest.approx([-0.21363354, -4.61710382, -1.00271826, 0], abs=1e-8)

    def test_minus_entropy(self):
        assert self.found.entropy == pytest.approx([-0.832395582, -0.524266617, -1.09861229, 0], abs=1e-8)

    def test_entropy_looks_at_no_label(self):
        assert (signals_of(Logits(Z), 2 - Y).entropy == self.found.entropy).all()

    def test_correct(self):
        assert self.found.correct.tolist() == [1, 0, 0, 1]

    def test_the_largest_probabilities_in_falling_order(self):
        assert self.found.shown == pytest.approx(-np.sort(-softmax(Z), axis=1), abs=1e-7)

    def test_confidence_keeps_its_resolution_where_probabilities_are_one(self):
        """log p - log(1 - p) gives infinity from a gap of 40 on; a float32 answer still tells 50 from 51."""
        z = np.array([[50, 0], [51, 0], [30000, 0], [0, 30000]], dtype=np.float32)
        assert signals_of(Logits(z), np.zeros(4, dtype=int)).confidence.tolist() == [50, 51, 30000, -30000]

    def test_the_whole_range_of_float32_is_told_apart(self):
        z = np.array([[3e38, 0], [2e38, 0], [1e-30, 0], [0, 1e-30]], dtype=np.float32)
        phi = signals_of(Logits(z), np.zeros(4, dtype=int)).confidence
        assert phi == pytest.approx(z[:, 0].astype(float) - z[:, 1], rel=1e-12)

    def test_two_classes_are_the_logit_itself(self):
        z = np.array([[0, 1.5], [0, -2.0]])
        assert signals_of(Logits(z), np.array([1, 0])).confidence == pytest.approx([1.5, 2.0], abs=1e-12)

    @pytest.mark.parametrize("size", [1e3, 1e30, 3e38, 1.7e308])
    def test_huge_logits_give_finite_signals(self, size):
        z = size * np.array([[1, -1, 0], [-1, 1, 0], [0, 0, 0], [1, 1, -1]])
        found = signals_of(Logits(z), np.array([0, 0, 1, 2]))
        for name in FIELDS:
            assert np.isfinite(getattr(found, name)).all(), name


class TestProbabilities:
    def test_the_same_signals_as_from_the_logits(self):
        p = softmax(Z[:3])
        found, expected = signals_of(Probabilities(p), Y[:3]), signals_of(Logits(Z[:3]), Y[:3])
        for name in FIELDS:
            assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-7), name

    def test_the_other_classes_are_summed_rather_than_taken_from_one(self):
        """1 - p would be 0 here; what is left over of the model's answer is 1e-9."""
        found = signals_of(Probabilities(np.array([[1.0, 6e-10, 4e-10]])), np.array([0]))
        assert found.confidence == pytest.approx([-math.log(1e-9)])

    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_zero_and_one_count_as_one_in_a_million_millions_in_any_type(self, dtype):
        """Fault 52: the same answers in float32 and float64 have the same strength."""
        p = np.array([[1, 0], [0, 1], [0.5, 0.5]], dtype=dtype)
        found = stack([signals_of(Probabilities(p), np.zeros(3, dtype=int))])
        assert found.confidence[0] == pytest.approx([-math.log(1e-12), math.log(1e-12), 0])
        assert found.tempered[0] == pytest.approx([-math.log(1e-12) / 2, math.log(1e-12) / 2, 0])

    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_small_probabilities_are_exact_down_to_the_smallest_normal_number(self, dtype):
        """Fault 1: floors of 1e-12 and 1e-7 made one constant of all answers of a model that is sure."""
        least = np.finfo(dtype).tiny
        p = np.array([[1, 2 * least], [1, least], [least, 1], [1, 0]], dtype=dtype)
        found = stack([signals_of(Probabilities(p), np.zeros(4, dtype=int))])
        by_hand = np.log(float(least))
        assert found.confidence[0] == pytest.approx([-by_hand - math.log(2), -by_hand, by_hand, math.log(2) - by_hand])
        assert found.certain is None

    def test_modified_entropy_at_zero_and_one(self):
        found = signals_of(Probabilities(np.array([[1.0, 0.0], [0.0, 1.0]])), np.zeros(2, dtype=int))
        assert found.modified_entropy == pytest.approx([0, LOWEST_LOG + math.log(signals.SMALLEST_LOG)])

    def test_entropy_at_zero_and_one(self):
        found = signals_of(Probabilities(np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]])), np.zeros(3, dtype=int))
        assert found.entropy == pytest.approx([0, -math.log(2), 0])

    def test_answers_of_the_top_class_alone_need_not_sum_to_one(self):
        found = stack([signals_of(Probabilities(np.array([[0.75, 0, 0], [0, 0, 0]])), np.zeros(2, dtype=int))])
        assert found.confidence[0] == pytest.approx([math.log(0.75) - math.log(1e-12), 0])
        assert found.correct[0, 0] == 1

    def test_two_classes_show_a_zero_for_the_third_place(self):
        found = signals_of(Probabilities(np.array([[0.25, 0.75]])), np.array([0]))
        assert found.shown.tolist() == [[0.75, 0.25, 0]]

    def test_the_answer_is_left_as_it_was(self):
        p = np.array([[0.25, 0.75], [1.0, 0.0]])
        signals_of(Probabilities(p), np.array([0, 1]))
        assert p.tolist() == [[0.25, 0.75], [1, 0]]


class TestLabels:
    def test_only_whether_they_are_right(self):
        found = signals_of(Labels(np.array([0, 2, -1])), np.array([0, 1, 1]))
        assert found.correct.tolist() == [1, 0, 0]
        assert [getattr(found, name) for name in FIELDS[1:]] == [None] * 5


class TestLosses:
    def test_confidence_falls_with_the_loss(self):
        found = signals_of(Losses(np.array([0.5, 2.0])), np.zeros(2, dtype=int))
        assert found.confidence.tolist() == [-0.5, -2.0]
        assert found.correct is None

    def of(self, *losses):
        parts = [signals_of(Losses(np.array(each)), np.zeros(len(each), dtype=int)) for each in losses]
        return stack(parts, losses=True).confidence

    def test_losses_above_zero_are_put_on_the_log_scale(self):
        found = self.of([1.0, math.e], [1.0, 1.0])
        assert found == pytest.approx(-np.log(np.array([[1.0, math.e], [1.0, 1.0]]) + 1e-3))

    def test_a_loss_of_zero_stays_finite_and_highest(self):
        found = self.of([0.0, 1.0, 2.0], [1.0, 1.0, 3.0])
        assert np.isfinite(found).all()
        assert found.argmax() == 0

    def test_losses_that_can_be_negative_stay_as_they_are(self):
        assert self.of([-1.0, 2.0], [0.5, 0.0]).tolist() == [[1.0, -2.0], [-0.5, 0.0]]

    @pytest.mark.parametrize("constant", [0.0, 1.0, -3.0, 1e300])
    def test_constant_losses_are_one_finite_number(self, constant):
        found = self.of([constant] * 3, [constant] * 3)
        assert np.isfinite(found).all()
        assert len(np.unique(found)) == 1

    def test_mostly_zero_losses(self):
        found = self.of([0.0, 0.0, 0.0], [0.0, 0.0, 1e-200])
        assert np.isfinite(found).all()
        assert found.min() == found[1, 2]


class TestResiduals:
    def of(self, *residuals):
        parts = [np.array(each, dtype=float) for each in residuals]
        return stack([signals_of(Residuals(each.reshape(len(each), -1)), np.zeros(len(each), int)) for each in parts])

    def test_they_keep_their_sign_and_are_losses_by_their_square(self):
        found = self.of([1.0, -3.0], [-1.0, 1.0])
        assert found.residual.tolist() == [[1, -3], [-1, 1]]
        assert found.confidence == pytest.approx(-np.log(np.array([[1, 9], [1, 1]]) + 1e-3))
        assert found.correct is None

    def test_several_outputs_are_put_on_one_scale_and_have_no_sign(self):
        """Mean absolute residuals: 2 and 200."""
        found = self.of([[1, -300], [-3, 100]], [[2, 200], [2, 200]])
        squares = np.array([[0.25 + 2.25, 2.25 + 0.25], [2, 2]])
        assert found.confidence == pytest.approx(-np.log(squares + 1e-3 * np.median(squares)))
        assert found.residual is None

    def test_an_output_that_is_always_right_has_no_part(self):
        found, alone = self.of([[1, 0], [-3, 0]], [[2, 0], [2, 0]]), self.of([1, -3], [2, 2])
        assert found.confidence - alone.confidence == pytest.approx(np.full((2, 2), np.log(4)))

    def test_repeated_queries_average_the_prediction(self):
        one, other = (signals_of(Residuals(np.array([[value]])), np.zeros(1, int)) for value in (3.0, -1.0))
        assert stack([signals.mean([one, other])]).confidence == pytest.approx(-np.log([[1 + 1e-3]]))

    def test_huge_ones_stay_finite(self):
        found = self.of([[1e308, -1e308], [0, 0]], [[0, 0], [1e-300, 0]])
        assert np.isfinite(found.confidence).all()


@pytest.mark.parametrize("kind", ["losses", "residuals"])
def test_what_was_found_on_copies_is_on_the_scale_of_losses_too(kind):
    answers = [np.array([[1.0], [3.0]]), np.array([[2.0], [2.0]])]
    made = [Losses(each[:, 0] ** 2) if kind == "losses" else Residuals(each) for each in answers]
    parts = [signals_of(each, np.zeros(2, dtype=int)) for each in made]
    both = [replace(each, augmented_confidence=each.confidence) for each in parts]
    found = stack(both, losses=kind == "losses")
    assert (found.augmented_confidence == found.confidence).all()
    assert found.confidence.max() == pytest.approx(-np.log(1 + 4e-3))


class TestLogOdds:
    def test_one_label_is_its_own_log_odds(self):
        values = np.array([[3.0], [0.2], [-50.0], [40.0]])
        found = signals_of(LogOdds(values), np.zeros(4, dtype=int))
        assert found.confidence == pytest.approx(values[:, 0])
        assert found.tempered == pytest.approx(values[:, 0] / 2)
        assert found.correct.tolist() == [1, 1, 0, 1]

    def test_several_are_the_log_odds_that_all_are_as_they_are(self):
        """Probabilities 3/4 and 2/3 together: 1/2, at even odds; all right only if each is."""
        found = signals_of(LogOdds(np.log([[3.0, 2.0], [3.0, 0.5]])), np.zeros(2, dtype=int))
        assert found.confidence == pytest.approx([0, np.log((1 / 4) / (3 / 4))])
        assert found.correct.tolist() == [1, 0]
        assert found.shown is None

    def test_extremes_stay_finite_and_in_order(self):
        found = signals_of(LogOdds(np.array([[1e308, 1e308], [1e308, 0.0], [-1e308, 1e308]])), np.zeros(3, dtype=int))
        assert np.isfinite(found.confidence).all()
        assert (np.diff(found.confidence) < 0).all()


class TestTokens:
    values = -np.array([[1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10], [3, 1, 2, *[np.nan] * 7], [5, *[np.nan] * 9]])

    def test_means_of_the_least_likely_ones(self):
        """5% and 10% of ten tokens are one, 40% four; of three tokens all but the last are one; never none."""
        found = signals_of(TokenLogProbabilities(self.values), np.zeros(3, dtype=int))
        assert found.lowest.tolist() == [[-10, -10, -9.5, -8.5, -5.5], [-3, -3, -3, -3, -2], [-5] * 5]
        assert found.confidence.tolist() == [-5.5, -2, -5]
        assert found.lowest_standardised is None

    def test_standardised_over_the_vocabulary(self):
        """Scores of the three tokens: (-3 + 2) / 2, (-1 + 2) / 0.5, and 0 where nothing varies."""
        means, deviations = np.full((1, 4), -2.0), np.array([[2, 0.5, 0, np.nan]])
        values = np.array([[-3.0, -1.0, -2.5, np.nan]])
        found = signals_of(TokenLogProbabilities(values, means, deviations), np.zeros(1, dtype=int))
        assert found.lowest_standardised == pytest.approx(np.array([[-0.5, -0.5, -0.5, -0.5, 0.5]]))


class TestStacks:
    one = Signals(correct=np.array([1.0, 0.0]), confidence=np.array([2.0, -1.0]))
    other = Signals(correct=np.array([0.0, 0.0]), confidence=np.array([4.0, -3.0]))

    def test_models_are_rows(self):
        stacked = stack([self.one, self.other])
        assert stacked.confidence.tolist() == [[2, -1], [4, -3]]
        assert stacked.modified_entropy is None

    def test_repeated_queries_average_the_log_odds(self):
        averaged = signals.mean([self.one, self.other])
        assert averaged.confidence.tolist() == [3, -2]
        assert averaged.correct.tolist() == [0.5, 0]
        assert averaged.shown is None

    @pytest.mark.parametrize("joined", [stack, signals.mean])
    def test_models_that_answer_in_different_ways_are_refused(self, joined):
        labels = Signals(correct=self.one.correct)
        with pytest.raises(MIAUsageError, match="the first with scores, number 2 with labels alone; give mia_predict"):
            joined([self.one, self.other, labels])
        with pytest.raises(MIAUsageError, match="the first with labels alone, number 1 with scores"):
            joined([labels, self.one])

    def test_some_models_on_some_records(self):
        stacked = stack([signals_of(Logits(Z + k), Y) for k in range(3)])
        part = stacked.of(np.array([2, 0]), np.array([3, 1]))
        assert (part.confidence == stacked.confidence[[2, 0]][:, [3, 1]]).all()
        assert part.shown.shape == (2, 2, 3)
        assert (part.shown == stacked.shown[[2, 0]][:, [3, 1]]).all()
