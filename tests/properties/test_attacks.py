import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import special
from worlds import complete, only

from pytest_mia.attacks.mast_watson import Mast
from pytest_mia.attacks.observations import Moments, Observations, recipe, shadows_of_sides
from pytest_mia.attacks.probability_ratios import RmiaOnline, logarithm
from pytest_mia.attacks.registry import ATTACKS
from pytest_mia.models.answers import Logits
from pytest_mia.models.signals import Signals, signals_of, stack

FITTED = {"shokri", "combined"}
"""Attacks that fit classifiers, which the order of rows changes in the last digits."""
CHECKED = [attack for attack in ATTACKS if attack.name not in FITTED and not attack.name.endswith("_centred")]
CHECKED += [attack for attack in ATTACKS if attack.name == "nig_t_centred"]
CLASSES = 3
some = settings(max_examples=15, deadline=None)
"""Each example is a world that all attacks look at."""


@st.composite
def worlds(draw, elements=st.floats(-9, 9)):  # noqa: B008
    """Logits of some models on some records, each a target in turn."""
    models, records = draw(st.integers(3, 6)), draw(st.integers(4, 12))
    logits = draw(arrays.arrays(np.float64, (models, records, CLASSES), elements=elements))
    members = draw(arrays.arrays(np.bool_, (models, records)))
    return logits, members, draw(arrays.arrays(np.intp, records, elements=st.integers(0, CLASSES - 1)))


def observed(logits, members, labels):
    signals = stack([signals_of(Logits(each), labels) for each in logits])
    return recipe(complete(signals, logits, labels), members, labels)


def scores(attack, observations):
    return np.stack(list(attack.scores(observations)))


def agree(one, other):
    """The same within rounding, seen at the scale of the scores."""
    return one == pytest.approx(other, rel=1e-6, abs=1e-6 * max(1.0, np.abs(other).max(initial=0)))


def unlike(before, after, changed=lambda scores: scores):
    """Names of attacks whose scores on the second world aren't those on the first, changed as the world was."""
    return [attack.name for attack in CHECKED if not agree(scores(attack, after), changed(scores(attack, before)))]


@given(given_world=worlds(st.integers(-9, 9).map(float)), random=st.randoms())
@some
def test_the_order_of_the_records_does_not_matter(given_world, random):
    logits, members, labels = given_world
    order = np.array(random.sample(range(len(labels)), len(labels)))
    before, after = observed(*given_world), observed(logits[:, order], members[:, order], labels[order])
    assert unlike(before, after, lambda scores: scores[:, :, order]) == []


@given(given_world=worlds(st.integers(-9, 9).map(float)), random=st.randoms())
@some
def test_the_order_of_the_models_does_not_matter(given_world, random):
    logits, members, labels = given_world
    order = np.array(random.sample(range(len(logits)), len(logits)))
    before, after = observed(*given_world), observed(logits[order], members[order], labels)
    assert unlike(before, after, lambda scores: scores[:, order]) == []


@given(given_world=worlds(st.integers(-9, 9).map(float)), random=st.randoms(), apart=st.booleans())
@some
def test_the_names_of_the_classes_do_not_matter(given_world, random, apart):
    logits, members, labels = given_world
    order = np.array(random.sample(range(CLASSES), CLASSES))
    if apart:
        logits = logits + np.array([0.1, 0.2, 0.3])
    before = observed(logits, members, labels)
    after = observed(logits[:, :, order], members, np.argsort(order)[labels])
    # Of equal logits the first is the guess.
    by_the_guess = (
        [] if apart else [attack.name for attack in CHECKED if attack.signals in (("correct",), ("answered",))]
    )
    assert [name for name in unlike(before, after) if name not in by_the_guess] == []


@given(given_world=worlds())
@some
def test_scores_are_finite(given_world):
    given = observed(*given_world)
    assert [attack.name for attack in CHECKED if not np.isfinite(scores(attack, given)).all()] == []


@given(worlds())
def test_the_ratio_ranks_as_the_share_of_a_population_that_it_exceeds(given_world):
    """Wherever the published score puts one record above another, so does the ratio."""
    logits, members, labels = given_world
    given = observed(logits, members, labels)
    log = next(RmiaOnline().scores(given))[0]
    published = (log[:, None] > log[None, :]).mean(axis=1)
    above = published[:, None] > published[None, :]
    assert (log[:, None] > log[None, :])[above].all()


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_logarithm_is_finite_and_never_falls(p, other):
    assert np.isfinite(logarithm(np.array(p)))
    assert (logarithm(np.array(p)) >= logarithm(np.array(other))) >= (p >= other)


@given(worlds(), st.floats(-5, 5))
def test_mast_moves_with_the_target_and_against_the_shadows(given_world, by):
    logits, members, labels = given_world
    phi = logits[:, :, 0]
    target = np.arange(len(phi)) == len(phi) - 1
    pairs = np.ones(members.shape, dtype=bool)
    given = Observations(
        Signals(confidence=phi), members, labels, ~target, ~target[:, None] & pairs, target[:, None] & pairs
    )
    if (phi == phi[0]).all():
        return
    moved = dataclasses.replace(given, signals=Signals(confidence=phi + by * target[:, None]))
    shifted = dataclasses.replace(given, signals=Signals(confidence=phi + by))
    before = only(Mast(), given)[-1]
    if not (moved.signals.confidence == moved.signals.confidence[0]).all():
        assert only(Mast(), moved)[-1] == pytest.approx(before + by, abs=1e-9)
    seen = members[:-1].any(axis=0) & ~members[:-1].all(axis=0)
    assert only(Mast(), shifted)[-1][seen] == pytest.approx(before[seen], abs=1e-9)


@given(
    arrays.arrays(np.float64, st.tuples(st.integers(2, 6), st.integers(1, 8)), elements=st.floats(-1e6, 1e6)),
    st.data(),
)
def test_moments_equal_those_from_scratch(values, data):
    members = data.draw(arrays.arrays(np.bool_, values.shape))
    references = np.ones(len(values), dtype=bool)
    moments = Moments(values, members, references, shadows_of_sides(members, references))
    for model in range(len(values)):
        others = np.arange(len(values)) != model
        for side, mask in zip(moments.without(model), (members[others], ~members[others]), strict=True):
            for record in range(values.shape[1]):
                chosen = values[others][mask[:, record], record]
                assert side.count[record] == len(chosen)
                assert side.mean[record] == pytest.approx(chosen.mean() if len(chosen) else 0, rel=1e-9, abs=1e-8)
                assert side.squares[record] == pytest.approx(
                    ((chosen - chosen.mean()) ** 2).sum() if len(chosen) else 0, rel=1e-9, abs=1e-2
                )


@given(st.floats(-30, 30))
def test_probabilities_of_log_odds_are_exact_enough(phi):
    assert special.logit(special.expit(min(phi, 15.0))) == pytest.approx(min(phi, 15.0), abs=1e-6)
