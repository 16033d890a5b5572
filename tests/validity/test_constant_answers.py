import numpy as np
import pytest

from pytest_mia.attacks.observations import recipe
from pytest_mia.models.answers import Probabilities
from pytest_mia.models.signals import Signals, signals_of, stack
from pytest_mia.validity.constant_answers import check, count_at_an_end
from pytest_mia.validity.protocol import NOTHING, ObservedAudit

RNG = np.random.default_rng(0)
LABELS = np.zeros(100, dtype=int)


def said(zeros, values=None):
    """What is said of four models of which so many of a hundred answers have a probability of exactly one."""
    p = RNG.uniform(0.1, 0.9, (4, 100))
    p[:, :zeros] = 1.0
    answers = [Probabilities(np.stack([each, 1 - each], axis=1)) for each in p]
    signals = stack([signals_of(each, LABELS) for each in answers]) if values is None else values
    return check(ObservedAudit(recipe(signals, RNG.random((4, 100)) < 0.5, LABELS)))


def test_how_many_answers_are_certain_and_what_that_blinds():
    """Fault 1: what is left constant is said."""
    (note,) = said(60).notes
    assert note.startswith("240 of 400 answers (60%) are as sure as the numbers that the model gives can say")
    for family in ("LiRA", "RMIA", "BASE", "NIG-t", "difficulty calibration"):
        assert family in note
    assert "combined" not in note


@pytest.mark.parametrize("zeros", [0, 40])
def test_few_are_nothing_to_mention(zeros):
    assert said(zeros) == NOTHING


def test_answers_of_few_values_have_a_note_of_their_own():
    assert said(0, Signals(correct=np.ones((4, 100)), confidence=np.ones((4, 100)))) == NOTHING


def test_labels_have_no_log_odds():
    assert said(0, Signals(correct=np.ones((4, 100)))) == NOTHING


def test_the_fuller_end_is_counted():
    assert count_at_an_end(np.array([1.0, 1.0, 2.0, 3.0, 3.0, 3.0])) == 3
