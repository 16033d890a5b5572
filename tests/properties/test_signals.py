import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import special

from pytest_mia.models.answers import Logits, Probabilities
from pytest_mia.models.signals import signals_of, stack

FIELDS = ("correct", "confidence", "tempered", "modified_entropy", "shown")


@st.composite
def labelled(draw, elements):
    """Values (records, classes) and labels (records,)."""
    shape = draw(st.tuples(st.integers(1, 8), st.integers(2, 6)))
    values = draw(arrays.arrays(np.float64, shape, elements=elements))
    return values, draw(arrays.arrays(np.intp, shape[0], elements=st.integers(0, shape[1] - 1)))


moderate = labelled(st.floats(-12, 12))
any_logits = labelled(st.floats(allow_nan=False, allow_infinity=False))
any_probabilities = labelled(st.floats(0, 1))


@given(moderate)
def test_log_odds_are_those_of_the_softmax(pair):
    z, labels = pair
    p = special.softmax(z, axis=1)
    own = p[np.arange(len(z)), labels]
    others = np.where(np.arange(z.shape[1]) == labels[:, None], 0, p).sum(axis=1)
    found = signals_of(Logits(z), labels)
    assert found.confidence == pytest.approx(np.log(own) - np.log(others), abs=1e-9)
    assert special.expit(found.confidence) == pytest.approx(own, abs=1e-12)


@given(moderate, st.floats(-1000, 1000))
def test_what_is_added_to_all_logits_of_a_record_does_not_matter(pair, shift):
    z, labels = pair
    before, after = (signals_of(Logits(values), labels) for values in (z, z + shift))
    for name in FIELDS[1:]:
        assert getattr(after, name) == pytest.approx(getattr(before, name), abs=1e-6), name


@given(moderate)
def test_probabilities_give_what_their_logits_give(pair):
    z, labels = pair
    one, other = signals_of(Logits(z), labels), signals_of(Probabilities(special.softmax(z, axis=1)), labels)
    for name in FIELDS[1:]:
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-5), name


@given(st.one_of(any_logits.map(lambda pair: (Logits(pair[0]), pair[1])),
                 any_probabilities.map(lambda pair: (Probabilities(pair[0]), pair[1]))))  # fmt: skip
def test_signals_are_finite_whatever_is_answered(pair):
    found = signals_of(*pair)
    for name in FIELDS:
        assert np.isfinite(getattr(found, name)).all(), name
    assert set(np.unique(found.correct)) <= {0, 1}


@given(moderate, st.randoms())
def test_the_names_of_the_classes_do_not_matter(pair, random):
    z, labels = pair
    order = np.array(random.sample(range(z.shape[1]), z.shape[1]))
    before, after = signals_of(Logits(z), labels), signals_of(Logits(z[:, order]), np.argsort(order)[labels])
    for name in FIELDS[1:]:
        assert getattr(after, name) == pytest.approx(getattr(before, name), abs=1e-6), name


@given(moderate, st.randoms())
def test_records_are_reduced_one_by_one(pair, random):
    z, labels = pair
    order = np.array(random.sample(range(len(z)), len(z)))
    before, after = signals_of(Logits(z), labels), signals_of(Logits(z[order]), labels[order])
    for name in FIELDS:
        assert (getattr(after, name) == getattr(before, name)[order]).all(), name


@given(moderate, st.floats(0.01, 10))
def test_more_on_the_true_class_is_never_less_of_any_signal(pair, more):
    z, labels = pair
    surer = z.copy()
    surer[np.arange(len(z)), labels] += more
    before, after = signals_of(Logits(z), labels), signals_of(Logits(surer), labels)
    for name in ("correct", "confidence", "tempered", "modified_entropy"):
        assert (getattr(after, name) >= getattr(before, name) - 1e-9).all(), name
    assert (after.confidence > before.confidence).all()


@st.composite
def sure(draw):
    """Logarithms (records, classes) of probabilities that sum to one, however small, and labels (records,)."""
    logits, labels = draw(labelled(st.floats(-700, 0)))
    return logits - special.logsumexp(logits, axis=1, keepdims=True), labels


def confidence(answer, labels):
    return stack([signals_of(answer, labels)]).confidence[0]


@given(sure())
def test_probabilities_and_their_logarithms_are_one_answer_wherever_float64_can_tell(pair):
    """Faults 1 and 36: however sure the model is, and also where a logarithm is minus infinity."""
    logs, labels = pair
    p = np.exp(logs)
    p[p < np.finfo(np.float64).tiny] = 0
    with np.errstate(divide="ignore"):
        answers = Probabilities(p), Logits(np.log(p))
    one, other = (stack([signals_of(answer, labels)]) for answer in answers)
    # The published modified entropy has 1 - p in it, which is rounded.
    for name in ("correct", "confidence", "tempered", "shown", "entropy"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-6, abs=1e-9), name


@given(sure())
def test_the_type_of_an_answer_does_not_matter(pair):
    """Fault 52: what float32 holds has the same log-odds in float64."""
    logs, labels = pair
    p = np.exp(logs).astype(np.float32)
    one, other = (confidence(Probabilities(values), labels) for values in (p, p.astype(np.float64)))
    assert (one == other).all()


@given(sure(), st.integers(-20, 3))
def test_a_transformation_that_loses_no_bit_keeps_the_order(pair, power):
    """Fault 1: a power of two as temperature, and a shift, change the order of no two records of two classes."""
    logs, labels = pair
    logs, labels = logs[:, :2], labels % 2
    plain = confidence(Logits(logs), labels)
    for changed in (Logits(logs * 2.0**power), Logits(logs + 4.0)):
        found = confidence(changed, labels)
        apart = plain[:, None] - plain[None, :] > 1e-9 * np.abs(plain).max(initial=1)
        assert (found[:, None] > found[None, :])[apart].all()


@given(sure())
def test_more_probability_of_the_truth_is_never_less(pair):
    """Down to the smallest normal number, and zero itself."""
    logs, labels = pair
    p = np.exp(logs)
    rows = np.arange(len(p))
    less = p.copy()
    less[rows, labels] /= 2
    together = stack([signals_of(Probabilities(np.concatenate([p, less])), np.tile(labels, 2))]).confidence[0]
    assert (together[: len(p)] >= together[len(p) :]).all()
