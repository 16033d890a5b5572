"""What a reader must know of answers that hide how sure a model is."""

import numpy as np
import pytest

from pytest_mia.models.signals import Signals
from pytest_mia.validity.coarse_answers import describe_answers

RIGHT = np.tile([0.0, 1.0], (3, 50))
FINE = np.linspace(0, 1, 300).reshape(3, 100)


@pytest.mark.parametrize(
    ("signals", "words"),
    [
        (Signals(correct=RIGHT), "answers with labels alone"),
        (Signals(correct=RIGHT, confidence=np.round(FINE * 2)), "or with few values"),
        (Signals(correct=RIGHT, noise_robustness=FINE), "40 noisy copies of each record too"),
        (Signals(correct=RIGHT, shown=np.full((3, 100, 3), 0.9)), "but a row sums to 2.70"),
        (Signals(correct=RIGHT, confidence=FINE), None),
        (Signals(correct=RIGHT, boundary_distance=FINE), None),
        (Signals(confidence=FINE), None),
    ],
)
def test_the_note(signals, words):
    note = describe_answers(signals)
    assert note is None if words is None else words in note
