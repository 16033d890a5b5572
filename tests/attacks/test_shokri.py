import numpy as np
import pytest
from worlds import LIKELIHOOD, drawn_answers, only

from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.shokri import Shokri
from pytest_mia.statistics import auc


def test_scores_are_the_probability_of_membership_given_the_answer():
    given, drawn = drawn_answers()
    posterior = LIKELIHOOD[1] / LIKELIHOOD.sum(axis=0)
    found = only(Shokri(), given)
    for answer in range(4):
        assert found[drawn == answer].mean() == pytest.approx(posterior[answer], abs=0.05)
    assert found.shape == drawn.shape


def test_a_class_with_a_pattern_of_its_own_is_told_apart():
    """In class 1 members get the answers that non-members get in class 0."""
    given, drawn = drawn_answers(records=4000)
    swapped = given.members ^ (given.labels == 1)
    given, drawn = drawn_answers(records=4000, members=swapped)
    flipped = Observations(
        given.signals,
        given.members ^ (given.labels == 1),
        given.labels,
        given.references,
        given.known,
        given.judged,
        given.seed,
    )
    found = only(Shokri(), flipped)
    posterior = LIKELIHOOD[1] / LIKELIHOOD.sum(axis=0)
    for label, expected in ((0, posterior), (1, 1 - posterior)):
        for answer in range(4):
            mask = (drawn == answer) & (given.labels == label)
            assert found[mask].mean() == pytest.approx(expected[answer], abs=0.07)


def test_no_leak():
    given, _ = drawn_answers(np.tile(LIKELIHOOD.mean(axis=0), (2, 1)), models=8, records=1000)
    areas = [auc(row, mask) for row, mask in zip(only(Shokri(), given), given.members, strict=True)]
    assert np.mean(areas) == pytest.approx(0.5, abs=4 * np.sqrt(1 / 3 / 8000))


def test_a_shadow_is_scored_by_classifiers_that_never_saw_it():
    """Memberships of models 0, 2 and 4 are flipped: their own scores, by the other part's classifier, stay."""
    given, _ = drawn_answers()
    even = np.arange(5) % 2 == 0
    flipped = Observations(
        given.signals,
        given.members ^ even[:, None],
        given.labels,
        given.references,
        given.known,
        given.judged,
        given.seed,
    )
    before, after = only(Shokri(), given), only(Shokri(), flipped)
    assert (before[even] == after[even]).all()
    assert (before[~even] != after[~even]).any()


def test_a_target_that_is_no_shadow_is_scored_by_both_parts():
    given, drawn = drawn_answers()
    is_target = np.arange(5) == 4
    pairs = np.ones(given.members.shape, dtype=bool)
    released = Observations(
        given.signals,
        given.members,
        given.labels,
        ~is_target,
        ~is_target[:, None] & pairs,
        is_target[:, None] & pairs,
        given.seed,
    )
    found = only(Shokri(), released)
    posterior = LIKELIHOOD[1] / LIKELIHOOD.sum(axis=0)
    for answer in range(4):
        assert found[4][drawn[4] == answer].mean() == pytest.approx(posterior[answer], abs=0.05)
    unknown = Observations(
        given.signals,
        given.members ^ is_target[:, None],
        given.labels,
        ~is_target,
        released.known,
        released.judged,
        given.seed,
    )
    assert (only(Shokri(), unknown) == found).all()


def test_pairs_that_the_attacker_does_not_know_teach_nothing():
    given, _ = drawn_answers()
    known = np.tile(np.arange(2000) < 1500, (5, 1))
    given = Observations(given.signals, given.members, given.labels, given.references, known, given.judged, given.seed)
    changed = Observations(
        given.signals, given.members ^ ~known, given.labels, given.references, known, given.judged, given.seed
    )
    assert (only(Shokri(), given) == only(Shokri(), changed)).all()


def test_the_seed_decides():
    one, again = (only(Shokri(), drawn_answers()[0]) for _ in range(2))
    assert (one == again).all()


@pytest.mark.parametrize("classes", [1, 300])
def test_one_class_and_more_classes_than_a_category_can_hold(classes):
    given, _ = drawn_answers(records=600, classes=classes, models=3)
    assert np.isfinite(only(Shokri(), given)).all()
