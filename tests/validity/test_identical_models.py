import numpy as np
import pytest

from pytest_mia.models.answers import Probabilities
from pytest_mia.models.signals import Signals, signals_of, stack
from pytest_mia.validity.identical_models import find_identical

rng = np.random.default_rng(0)


class TestAllAlike:
    members = np.array([[True, False, True], [False, True, True]])
    labels = np.arange(30) % 3

    def found(self, *answers, members=members):
        """The finding for models that answer with these probabilities (records, 3)."""
        parts = [signals_of(Probabilities(np.asarray(answer, dtype=float)), self.labels) for answer in answers]
        return find_identical(stack(parts), self.labels, members)

    def test_models_that_answer_alike_to_the_last_bit(self):
        answer = rng.dirichlet(np.ones(3), 30)
        assert self.found(answer, answer).startswith(
            "2 models trained on different halves give exactly the same answers"
        )

    def test_one_answer_that_differs_is_enough(self):
        answer, other = rng.dirichlet(np.ones(3), (2, 30))
        other[:-1] = answer[:-1]
        assert self.found(answer, other) is None

    @pytest.mark.parametrize("answer", [[1 / 3, 1 / 3, 1 / 3], [0.2, 0.5, 0.3], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    def test_one_answer_whatever_the_record(self, answer):
        assert self.found([answer] * 30, [answer] * 30)

    def test_one_loss_whatever_the_record(self):
        assert find_identical(Signals(confidence=np.zeros((2, 30))), self.labels, self.members)

    @pytest.mark.parametrize("wrong", [0, 1, 10])
    def test_trees_that_have_all_found_the_same_cut(self, wrong):
        """They are sure of every record, and right about nearly all: what there was to learn was learnt."""
        answer = np.eye(3)[np.where(np.arange(30) < wrong, (self.labels + 1) % 3, self.labels)]
        assert self.found(answer, answer) is None

    def test_coarse_answers_may_agree(self):
        answer = np.array([[0.75, 0.25, 0], [0.5, 0.25, 0.25], [0, 0, 1], [0.25, 0.75, 0]])[np.arange(30) % 4]
        assert self.found(answer, answer) is None

    @pytest.mark.parametrize("right", [0.0, 1.0])
    def test_labels_may_agree(self, right):
        """Models that are always right are no sign of a training that was left out."""
        assert find_identical(Signals(correct=np.full((2, 30), right)), self.labels, self.members) is None

    @pytest.mark.parametrize("members", [members[:1], members[[0, 0]]])
    def test_models_on_one_half_must_answer_alike(self, members):
        answers = np.tile(rng.dirichlet(np.ones(3), 30), (len(members), 1, 1))
        assert self.found(*answers, members=members) is None
