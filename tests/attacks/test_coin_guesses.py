"""Guesses of the coins that decide who is a member: what is counted, and that a true claim of privacy stands."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from scipy import stats
from worlds import few_trees, trained

import pytest_mia
from pytest_mia import gates
from pytest_mia.attacks import coin_guesses, evaluation, registry
from pytest_mia.attacks.observations import recipe
from pytest_mia.data.memberships import draw_coins
from pytest_mia.models.signals import Signals
from pytest_mia.statistics.counts import CoinGuesses

ALL = (0.5, 0.5)


def observed(members, *, shadows=0, labels=None, groups=None, drawn=True):
    """Models whose records are all judged; the last ones are shadows, if any, and then nobody else is."""
    members = np.atleast_2d(np.asarray(members, dtype=bool))
    labels = np.zeros(members.shape[1], dtype=int) if labels is None else np.asarray(labels)
    given = dataclasses.replace(recipe(Signals(), members, labels, groups=groups), drawn=drawn)
    if not shadows:
        return given
    is_shadow = np.arange(len(members)) >= len(members) - shadows
    return dataclasses.replace(
        given,
        references=is_shadow,
        known=given.known & is_shadow[:, None],
        judged=given.judged & ~is_shadow[:, None],
    )


def guessed(scores, members, *, shares=ALL, records=None, **world):
    scores = np.atleast_2d(np.asarray(scores, dtype=float))
    given, names = observed(members, **world), ["loss"] * len(scores)
    return coin_guesses.guesses(names, scores, [shares] * len(scores), given, records)


class TestGuesses:
    MEMBERS = (1, 0, 1, 0, 0, 1)

    def test_those_of_which_the_attack_is_surest(self):
        (found,) = guessed([9, 8, 5, 4, 2, 1], self.MEMBERS, shares=(2 / 6, 1 / 6))
        assert found == CoinGuesses("loss", coins=6, guessed=3, right=1)

    def test_what_ties_is_taken_in_order(self):
        (found,) = guessed([1, 1, 1, 1, 1, 1], self.MEMBERS, shares=(1 / 6, 1 / 6))
        assert (found.guessed, found.right) == (2, 1)

    def test_infinite_scores(self):
        for drawn in (True, False):
            (found,) = guessed([np.inf, -np.inf, np.inf, -np.inf, -np.inf, np.inf], self.MEMBERS, drawn=drawn)
            assert found.right == found.guessed > 0

    def test_records_of_which_all_else_is_left_out(self):
        (found,) = guessed([9, 8, 5, 4, 2, 1], self.MEMBERS, records=np.array([1, 1, 0, 0, 0, 1], dtype=bool))
        assert (found.coins, found.guessed, found.right) == (3, 2, 1)

    def test_a_person_is_one_coin_and_is_judged_whole(self):
        groups = np.array([7, 7, 3, 3, 5, 5])
        world = {"members": (1, 1, 0, 0, 1, 1), "groups": groups}
        (found,) = guessed([5, 5, 1, 1, 3, 3], **world)
        assert (found.coins, found.guessed, found.right) == (3, 2, 2)
        (found,) = guessed([5, 5, 1, 1, 3, 3], **world, records=np.arange(6) > 0)
        assert found.coins == 2

    def test_targets_that_attack_each_other_stand_by_themselves(self):
        scores, members = np.zeros((4, 6)), [self.MEMBERS] * 4
        assert [each.coins for each in guessed(scores, members)] == [6] * 4

    def test_targets_with_shadows_of_their_own_are_counted_together(self):
        (found,) = guessed(np.tile([9, 1, 9, 1, 1, 9], (3, 1)), [self.MEMBERS] * 5, shadows=2)
        assert found == CoinGuesses("loss", coins=18, guessed=18, right=18)

    def test_no_targets(self):
        assert coin_guesses.guesses([], np.zeros((0, 6)), [], observed(np.zeros((0, 6)))) == ()


class TestPairs:
    def matched(self, members, strata, seed=0):
        members = np.asarray(members, dtype=bool)
        return coin_guesses.pairs(members, np.asarray(strata, dtype=int), np.random.default_rng(seed))

    def test_a_member_and_another_of_one_stratum_as_many_as_go(self):
        rng = np.random.default_rng(1)
        members, strata = rng.random(500) < 0.3, rng.integers(0, 5, 500)
        one, other = self.matched(members, strata)
        assert (members[one] != members[other]).all()
        assert (strata[one] == strata[other]).all()
        assert (one < other).all()
        assert len(np.unique([one, other])) == 2 * len(one)
        sides = [np.bincount(strata[side], minlength=5) for side in (members, ~members)]
        assert len(one) == np.minimum(*sides).sum()

    def test_nobody_on_one_side(self):
        for members in ([0, 0, 0], [1, 1, 1], []):
            one, other = self.matched(members, [0] * len(members))
            assert len(one) == len(other) == 0

    def test_which_is_the_member_is_a_fair_coin_whatever_the_other_pairs_are(self):
        """Over all halves of six records: each way of falling of a matching's three coins is as frequent."""
        falls = {}
        for half in itertools.combinations(range(6), 3):
            members = np.isin(np.arange(6), half)
            for seed in range(100):
                one, other = self.matched(members, np.zeros(6, dtype=int), seed)
                matching = tuple(zip(one.tolist(), other.tolist(), strict=True))
                falls.setdefault(matching, np.zeros(8))[int(members[one] @ [1, 2, 4])] += 1
        counted = np.array([*falls.values()])
        assert len(counted) == 15
        expected = counted.sum(axis=1, keepdims=True) / 8
        assert stats.chi2.sf(((counted - expected) ** 2 / expected).sum(), 15 * 7) > 0.001


class TestCoinsAreDrawn:
    def test_fairly_and_independently(self):
        drawn = draw_coins(400, models=200, seed=3)
        assert abs(stats.norm.ppf(stats.binom.cdf(drawn.sum(), drawn.size, 0.5))) < 3.5
        for axis in (0, 1):
            counted = drawn.sum(axis=axis)
            spread = ((counted - drawn.shape[axis] / 2) ** 2).sum() / (drawn.shape[axis] / 4)
            assert 0.001 < stats.chi2.sf(spread, len(counted)) < 0.999

    def test_people_together(self):
        groups = np.array([2, 0, 1, 0, 2])
        drawn = draw_coins(5, models=50, seed=0, groups=groups)
        assert (drawn[:, 0] == drawn[:, 4]).all()
        assert (drawn[:, 1] == drawn[:, 3]).all()
        assert len(np.unique(drawn, axis=0)) == 8

    def test_more_models_leave_the_first_as_they_were(self):
        assert (draw_coins(30, models=9, seed=1)[:4] == draw_coins(30, models=4, seed=1)).all()
        assert (draw_coins(30, models=4, seed=1) != draw_coins(30, models=4, seed=2)).any()


SLOW = {name for name in registry.known() if name.startswith("shokri")}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in registry.known()]
)
def test_no_attack_on_one_target_looks_at_another(name):
    """Guesses are counted together on this ground."""
    given = trained(1.0, models=6, records=40)
    (attack,) = (few_trees(each) for each in (*registry.ATTACKS, *registry.ON_REQUEST) if each.name == name)
    is_shadow = np.arange(6) >= 2
    given = dataclasses.replace(
        given,
        references=is_shadow,
        known=given.known & is_shadow[:, None],
        judged=given.judged & ~is_shadow[:, None],
    )
    scores = []
    for changed in (False, True):
        values = {
            row.name: value if not changed else np.concatenate([value[:1] * 0 + 0.5, value[1:]])
            for row in dataclasses.fields(given.signals)
            if (value := getattr(given.signals, row.name)) is not None
        }
        members = np.concatenate([given.members[:1] ^ changed, given.members[1:]])
        world = dataclasses.replace(given, signals=Signals(**values), members=members)
        learned = evaluation.run_attack(attack, world, evaluation.split_targets(world)).learned
        scores.append(evaluation.target_scores(attack, world, learned, np.arange(2))[1:])
    assert np.array_equal(*scores)


class Noted:
    """A model that keeps a note of each record, with randomised response: epsilon-private, whatever is asked of it.

    Its answers tell who is noted; `twins` also takes off what is noted of the record's twin, its neighbour.
    """

    def __init__(self, epsilon, twins=False, random_state=None):
        self.epsilon, self.twins, self.random_state = epsilon, twins, random_state

    def get_params(self, deep=True):
        return {"epsilon": self.epsilon, "twins": self.twins, "random_state": self.random_state}

    def set_params(self, **values):
        self.__dict__.update(values)
        return self

    def fit(self, X, y):
        self.classes_ = np.arange(RECORDS // 2 if self.twins else 2)
        noted = np.isin(np.arange(RECORDS), X[:, 0].astype(int))
        truth = np.random.default_rng(self.random_state).random(RECORDS) < 1 / (1 + math.exp(-self.epsilon))
        self.noted_ = (noted == truth).astype(float)
        return self

    def predict_proba(self, X):
        rows = X[:, 0].astype(int)
        sure = 0.5 + 0.2 * self.noted_[rows] - 0.2 * self.twins * self.noted_[rows ^ 1]
        labels = rows // 2 if self.twins else np.zeros(len(rows), dtype=int)
        answers = np.repeat((1 - sure)[:, None] / (len(self.classes_) - 1), len(self.classes_), axis=1)
        answers[np.arange(len(rows)), labels] = sure
        return answers


RECORDS = 300


def audited(epsilon, X=None, *, shadows=4, twins=False, groups=None, **settings):
    X = np.arange(RECORDS, dtype=float)[:, None] if X is None else X
    y = np.arange(len(X)) // (2 if twins else len(X) - 1)
    records = pytest_mia.Dataset(X, y, groups=groups)
    return pytest_mia.audit(lambda: Noted(epsilon, twins), records, shadows=shadows, attacks=("loss",), **settings)


class TestAudits:
    def test_of_coins_count_all_targets_together_and_find_what_there_is(self):
        result = audited(2.0, coins=True)
        (found,) = result.coins
        assert (found.coins, found.swapped, result.models) == (5 * RECORDS, False, 9)
        assert 1.5 < gates.epsilon(result, 1.5, delta=0).judged.low < 2.0

    def test_of_halves_judge_pairs_of_each_target(self):
        result = audited(2.0)
        assert all(each.swapped for each in result.coins)
        assert [each.coins for each in result.coins] == [RECORDS // 2 - 1] * 5
        assert len(result.coins) == result.models == 5
        assert gates.epsilon(result, 2.0, delta=0).verdict == "pass"

    def test_where_one_of_two_is_a_member_each_tells_of_the_other(self):
        """Why halves of a fixed size count for half: here guesses are as right as twice the epsilon allows."""
        result = audited(1.0, twins=True)
        as_if_coins = [dataclasses.replace(each, swapped=False) for each in result.coins]
        assert gates.epsilon(result, 1.0, delta=0).verdict == "pass"
        naive = dataclasses.replace(result, coins=tuple(as_if_coins))
        assert gates.epsilon(naive, 1.2, delta=0).verdict == "leak"

    def test_copies_are_left_out(self):
        X = np.arange(40.0)[:, None]
        X[1] = X[0]
        for groups, left in ((None, 38), (np.arange(40) // 2, 20), (np.arange(40) // 4, 10), (-np.arange(40), 38)):
            result = audited(1.0, X, shadows=3, coins=True, groups=groups)
            assert result.coins[0].coins == 4 * left
