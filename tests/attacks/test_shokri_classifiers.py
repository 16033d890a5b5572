import dataclasses

import numpy as np
import pytest
from worlds import LIKELIHOOD, drawn_answers

from pytest_mia.attacks.evaluation import run_attack, split_targets
from pytest_mia.attacks.shokri_classifiers import LEAST_ROWS, SHOKRI_BY, ShokriBy, decision_tree
from pytest_mia.statistics import auc

SLOW = ("shokri_random_forest", "shokri_gradient_boosting")
every_kind = pytest.mark.parametrize(
    "attack",
    [
        pytest.param(attack, id=attack.name, marks=[pytest.mark.slow] if attack.name in SLOW else [])
        for attack in SHOKRI_BY
    ],
)
TREE = ShokriBy("shokri_decision_tree", decision_tree)
BEST = sum(
    LIKELIHOOD[1, answer] * (LIKELIHOOD[0, answer + 1 :].sum() + LIKELIHOOD[0, answer] / 2) for answer in range(4)
)
"""Area under the ROC curve of the four answers in the order in which they speak for membership."""


def areas(scores, members):
    return np.mean([auc(row, mask) for row, mask in zip(scores, members, strict=True)])


@every_kind
def test_pooled_and_per_class_reach_the_best_test_there_is(attack):
    given, _ = drawn_answers(models=4, records=1500)
    found = list(attack.scores(given))
    assert len(found) == 2
    for scores in found:
        assert areas(scores, given.members) == pytest.approx(BEST, abs=0.02)


@every_kind
def test_one_per_class_tells_opposite_classes_apart(attack):
    """In class 1 members get the answers that non-members get in class 0: pooled, answers tell nothing."""
    given, _ = drawn_answers(models=4, records=1500)
    given = dataclasses.replace(given, members=given.members ^ (given.labels == 1))
    pooled, per_class = attack.scores(given)
    assert abs(areas(pooled, given.members) - 0.5) < 0.06
    assert areas(per_class, given.members) == pytest.approx(BEST, abs=0.02)


@every_kind
def test_no_leak(attack):
    given, _ = drawn_answers(np.tile(LIKELIHOOD.mean(axis=0), (2, 1)), models=6, records=1000)
    for scores in attack.scores(given):
        assert areas(scores, given.members) == pytest.approx(0.5, abs=4 * np.sqrt(1 / 3 / 6000))


def test_trees_give_the_probability_of_membership_given_the_answer():
    given, drawn = drawn_answers()
    posterior = LIKELIHOOD[1] / LIKELIHOOD.sum(axis=0)
    for scores in TREE.scores(given):
        for answer in range(4):
            assert scores[drawn == answer].mean() == pytest.approx(posterior[answer], abs=0.05)


def test_the_other_models_decide_between_pooled_and_per_class():
    opposite, _ = drawn_answers(models=4, records=1000)
    opposite = dataclasses.replace(opposite, members=opposite.members ^ (opposite.labels == 1))
    alike, _ = drawn_answers(models=4, records=1000, classes=20)
    chosen = [
        {each.setting for each in run_attack(TREE, given, split_targets(given)).learned} for given in (opposite, alike)
    ]
    assert chosen == [{1}, {0}]


def test_a_class_with_few_rows_is_left_to_the_pooled_classifier():
    """The rare class has one member too few in the first part of the shadows, and enough in the second."""
    given, _ = drawn_answers(models=4, records=600)
    members, labels = given.members.copy(), np.zeros(600, dtype=int)
    labels[:40] = 1
    members[:, :40] = np.arange(40) % 2
    members[::2, :40] = np.arange(40) < LEAST_ROWS // 2
    members[0, LEAST_ROWS // 2 - 1] = False
    pooled, per_class = TREE.scores(dataclasses.replace(given, members=members, labels=labels))
    assert members[::2, :40].sum() == LEAST_ROWS - 1
    assert (pooled[1::2, :40] == per_class[1::2, :40]).all()
    assert (pooled[::2, :40] != per_class[::2, :40]).any()


def test_too_few_rows_for_any_classifier_tell_nothing():
    given, _ = drawn_answers(models=4, records=15)
    for scores in TREE.scores(given):
        assert (np.ptp(scores, axis=1) == 0).all()


def test_answers_that_are_all_alike_tell_nothing():
    given, _ = drawn_answers(np.tile([0.0, 1, 0, 0], (2, 1)), models=4, records=200)
    for attack in SHOKRI_BY:
        for scores in attack.scores(given):
            assert (np.ptp(scores, axis=1) == 0).all()


def test_a_shadow_is_scored_by_classifiers_that_never_saw_it():
    given, _ = drawn_answers(records=500)
    even = np.arange(5) % 2 == 0
    flipped = dataclasses.replace(given, members=given.members ^ even[:, None])
    for before, after in zip(TREE.scores(given), TREE.scores(flipped), strict=True):
        assert (before[even] == after[even]).all()
        assert (before[~even] != after[~even]).any()


def test_kinds_have_seeds_of_their_own_and_the_same_ones_each_time():
    given, _ = drawn_answers(records=500)
    perceptron = next(attack for attack in SHOKRI_BY if attack.name == "shokri_perceptron")
    one, again = (list(perceptron.scores(given)) for _ in range(2))
    renamed = list(dataclasses.replace(perceptron, name="another").scores(given))
    assert all((first == second).all() for first, second in zip(one, again, strict=True))
    assert any((first != second).any() for first, second in zip(one, renamed, strict=True))


def test_the_global_generator_stays_as_it_was():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    given, _ = drawn_answers(models=3, records=100)
    for attack in SHOKRI_BY:
        list(attack.scores(given))
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
