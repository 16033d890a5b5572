import math

import numpy as np
import pytest

from pytest_mia.models.answers import Logits, LogOdds, Probabilities
from pytest_mia.models.log_odds import LEAST_CERTAIN, Odds, of_labels, of_logits, of_probabilities, settle
from pytest_mia.models.reading import log_odds
from pytest_mia.models.signals import mean, signals_of, stack

FIRST = np.zeros(4, dtype=int)


class TestProbabilities:
    def test_the_small_ones_themselves_are_summed(self):
        """1 - p would be 0 in each row; the other classes hold 3e-200 and 3e-30."""
        found = of_probabilities(np.array([[1.0, 1e-200, 2e-200], [1.0, 1e-30, 2e-30]]), FIRST[:2], 1.0)
        assert found.values == pytest.approx([-math.log(3e-200), -math.log(3e-30)])
        assert not found.certain.any()

    def test_zero_is_counted_and_what_is_left_is_kept(self):
        """Answers of the top class alone still tell 0.75 from 0.5."""
        found = of_probabilities(np.array([[0.75, 0], [0.5, 0], [0, 0.5], [0, 0]]), FIRST, 1.0)
        assert found.values == pytest.approx([math.log(0.75), math.log(0.5), -math.log(0.5), 0])
        assert found.certain.tolist() == [1, 1, -1, 0]


class TestLogits:
    def test_minus_infinity_is_an_answer(self):
        """Fault 36: what a tree's predict_log_proba gives."""
        with np.errstate(divide="ignore"):
            logs = np.log([[1.0, 0, 0], [0, 0.5, 0.5], [0.5, 0.5, 0], [0.25, 0.25, 0.5]])
        answers = [Logits(logs), Probabilities(np.exp(logs))]
        found, expected = (stack([signals_of(answer, FIRST)]) for answer in answers)
        assert found.confidence[0] == pytest.approx([LEAST_CERTAIN, -LEAST_CERTAIN, 0, -math.log(3)])
        for name in ("correct", "confidence", "tempered", "modified_entropy", "shown", "entropy"):
            assert getattr(found, name) == pytest.approx(getattr(expected, name)), name

    def test_only_what_is_impossible_is_certain(self):
        logits = np.array([[1e50, -1e50], [3.0, -1e50]])
        found = of_logits(logits, np.array([[False, False], [False, True]]), FIRST[:2], 1.0)
        assert found.values == pytest.approx([2e50, 0])
        assert found.certain.tolist() == [0, 1]


class TestLabels:
    def test_log_odds_of_labels_that_are_all_but_certain_are_exact(self):
        """Two labels that are wrong with a probability of e^-2000 each: log 2 more together."""
        found = of_labels(np.array([[2000.0, 2000.0], [2000.0, 2100.0], [-2000.0, 0.0]]), 1.0)
        assert found.values == pytest.approx([2000 - math.log(2), 2000, -2000 - math.log(2)])

    def test_what_is_certain_is_counted(self):
        infinite = np.inf
        values = np.array([[infinite, infinite], [infinite, 1.0], [-infinite, infinite], [-infinite, -infinite]])
        found = of_labels(values, 1.0)
        assert found.certain.tolist() == [1, 0, -1, -2]
        assert found.values == pytest.approx([-math.log(2), 1, 0, 0])

    def test_read_from_the_probabilities_themselves(self):
        """Fault 1, of several labels: a probability of 1e-200 that a label doesn't hold is no 1e-12."""
        found = log_odds(np.array([[1e-200, 0.25, 0.0]]), np.array([[0, 1, 1]]))
        assert found.values[0] == pytest.approx([-math.log(1e-200), -math.log(3), -np.inf])

    def test_certain_labels_stand_as_they_did(self):
        found = stack([signals_of(LogOdds(np.array([[np.inf, np.inf], [-np.inf, 1.0]])), FIRST[:2])])
        assert found.confidence[0, 0] == pytest.approx(LEAST_CERTAIN - math.log(2))
        assert found.confidence[0, 1] == pytest.approx(-LEAST_CERTAIN - math.log1p(math.exp(-1)))


class TestSettle:
    def test_nothing_is_further_off_than_what_is_certain(self):
        found = settle(Odds(np.array([[3.0, 0.0], [-300.0, 0.0]]), np.array([[0, 1], [0, -1]])))
        assert found == pytest.approx(np.array([[3, 300 + math.log(2)], [-300, -300 - math.log(2)]]))

    def test_without_certain_answers_nothing_changes(self):
        values = np.array([1.0, 2.0])
        assert settle(Odds(values, np.zeros(2))) is values

    def test_repeated_queries_that_are_certain_half_of_the_time_stand_half_way(self):
        answers = [np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])]
        parts = [signals_of(Probabilities(each), FIRST[:1]) for each in answers]
        assert stack([mean(parts)]).confidence == pytest.approx(LEAST_CERTAIN / 2)
