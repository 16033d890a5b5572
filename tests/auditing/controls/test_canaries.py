import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from whole import finish

import pytest_mia
from pytest_mia import Dataset, Target, gates
from pytest_mia.auditing.controls import canaries
from pytest_mia.core.events import Announcement
from pytest_mia.data.containers import as_array, as_texts
from pytest_mia.data.records import Data

rng = np.random.default_rng(0)
Y = np.arange(200) % 4
X = rng.normal(size=(200, 5)) + 4 * Y[:, None]
EVERY = np.ones(200, dtype=bool)


def data(X=X, y=Y, labels=Y):
    return Data(X, y, np.unique(labels), labels)


def audit(factory=DecisionTreeClassifier, dataset=(X, Y), **options):
    return pytest_mia.audit(
        factory, dataset, controls=True, **{"shadows": 3, "jobs": 1, "attacks": ["gap", "loss", "mast"]} | options
    )


class TestPlant:
    def test_ten_of_two_hundred_with_the_label_of_another_class(self):
        planted = canaries.plant(data(), EVERY, seed=0)
        assert len(planted.canaries) == len(np.unique(planted.canaries)) == 10
        changed = np.flatnonzero(planted.data.y != Y)
        assert changed.tolist() == planted.canaries.tolist()
        assert planted.data.labels.tolist() == planted.data.y.tolist()
        assert planted.data.X is X

    @pytest.mark.parametrize(
        "y",
        [
            np.array(["a", "b", "c", "d"])[Y],
            [f"class {code}" for code in Y],
            pd.Series(Y, index=range(200, 400)),
            pd.Series(np.array(["a", "b", "c", "d"])[Y], dtype="category"),
            np.eye(4)[Y],
        ],
    )
    def test_labels_of_any_type_keep_it(self, y):
        before = as_texts(y)
        planted = canaries.plant(data(y=y), EVERY, seed=0)
        assert type(planted.data.y) is type(y)
        after = as_texts(planted.data.y)
        assert [place for place in range(200) if before[place] != after[place]] == planted.canaries.tolist()
        assert as_texts(y) == before, "the user's own labels stay as they were"

    def test_the_seed_decides(self):
        first, again, other = (canaries.plant(data(), EVERY, seed=seed).canaries.tolist() for seed in (0, 0, 1))
        assert first == again != other

    def test_only_among_those_that_may_be_trained_on(self):
        assert canaries.plant(data(), np.arange(200) >= 150, seed=0).canaries.min() >= 150

    def test_no_two_of_one_group(self):
        groups = np.arange(200) // 20
        planted = canaries.plant(data(), EVERY, seed=0, groups=groups)
        assert len(np.unique(groups[planted.canaries])) == len(planted.canaries) == 10

    @pytest.mark.parametrize(("records", "count"), [(16, 4), (31, 7), (100, 8), (400, 20), (10_000, 50)])
    def test_how_many(self, records, count):
        assert canaries.count_canaries(records) == count

    @pytest.mark.parametrize(
        ("given", "reason"),
        [
            (data(y=None), "the records have no labels"),
            (data(labels=np.zeros(200, dtype=int)), "the labels can't be divided into classes"),
        ],
    )
    def test_where_none_can_be_planted(self, given, reason):
        assert canaries.find_problem(given, records=200).startswith(reason)

    def test_too_few_records(self):
        assert canaries.find_problem(data(), records=15) == "15 records are too few for 4 canaries"


class TestCoins:
    def test_each_canary_has_its_own_in_each_model(self):
        planted = canaries.plant(data(), EVERY, seed=0)
        members = rng.random((400, 200)) < 0.5
        drawn = canaries.draw_coins(planted, members, seed=0)
        others = np.setdiff1d(np.arange(200), planted.canaries)
        assert (drawn[:, others] == members[:, others]).all()
        own = drawn[:, planted.canaries]
        correlation = np.corrcoef(own.T)[~np.eye(10, dtype=bool)]
        assert abs(own.mean() - 0.5) < 0.03
        assert np.abs(correlation).max() < 0.25

    def test_the_rest_of_a_canary_s_group_is_left_out(self):
        groups = np.arange(200) // 2
        planted = canaries.plant(data(), EVERY, seed=0, groups=groups)
        drawn = canaries.draw_coins(planted, np.ones((3, 200), dtype=bool), seed=0, groups=groups)
        assert not drawn[:, planted.canaries ^ 1].any()
        assert drawn.sum() == 3 * 180 + drawn[:, planted.canaries].sum()


class TestAudit:
    def test_a_model_that_memorises_gives_them_away(self):
        result = audit()
        found = result.controls.canaries
        assert (found.planted, found.models) == (10, 4)
        assert found.advantage.low > 0.5
        assert sum(found.counts.members) + sum(found.counts.nonmembers) == 40
        message = " ".join(gates.membership_advantage(result, 0.05).message.split())
        assert f"10 records with wrong labels, planted in 4 models: {found.attack} reaches {found.advantage}" in message

    def test_one_that_does_not_hides_them_and_passes_as_before(self):
        result = audit(GaussianNB)
        assert result.controls.canaries.advantage.low < 0
        message = result.assert_membership_advantage_below(0.5).message
        assert "the attacks would have found more if the models had memorised them" in " ".join(message.split())

    def test_they_change_nothing_else(self):
        plain, controlled = (
            pytest_mia.audit(
                DecisionTreeClassifier, (X, Y), shadows=3, jobs=1, attacks=["gap", "loss"], controls=controls
            )
            for controls in (False, True)
        )
        assert plain.controls is None
        own = {"seconds", "replay", "controls", "coins"}
        assert {k: v for k, v in plain.to_dict().items() if k not in own} == {
            k: v for k, v in controlled.to_dict().items() if k not in own
        }

    @pytest.mark.parametrize("records", [pd.DataFrame(X), sparse.csr_array(X), [*map(list, X)]], ids=lambda x: type(x))
    def test_records_of_other_types(self, records):
        before = [*map(list, records)] if isinstance(records, list) else as_array(records).copy()
        result = audit(dataset=(records, Y), attacks=["gap", "loss"])
        assert result.controls.canaries.advantage.low > 0.5
        assert np.array_equal(as_array(records), as_array(before))

    def test_a_regression(self):
        result = audit(DecisionTreeRegressor, (X, X[:, 0] + rng.normal(size=200)), attacks=["loss", "mast"])
        assert result.controls.canaries.advantage.low > 0.5

    def test_models_of_a_release_are_those_of_its_factory(self):
        model = DecisionTreeClassifier().fit(X[:100], Y[:100])
        target = Target(model, (X[:100], Y[:100]), (X[100:], Y[100:]))
        assert audit(dataset=None, target=target, shadows=4).controls.canaries.advantage.low > 0.5
        few = audit(dataset=None, target=target)
        assert few.controls.canaries is None
        assert "controls: no canaries were planted: they need 4 models, and this audit trains 3" in few.notes

    def test_without_labels_there_are_none(self):
        result = audit(
            dict,
            (X, None),
            training=lambda model, X, y: model.update(centre=X.mean(axis=0)),
            loss=lambda model, X, y: ((X - model["centre"]) ** 2).sum(axis=1),
            attacks=["loss"],
        )
        assert result.controls.canaries is None
        assert any("the records have no labels" in note for note in result.notes)

    def test_training_that_refuses_them_is_a_note(self):
        class Picky(DecisionTreeClassifier):
            def fit(self, X, y):
                if len(set(map(tuple, X)) & PLANTED) and (y != np.array([LABELS[tuple(x)] for x in X])).any():
                    raise ValueError("these labels are wrong")
                return super().fit(X, y)

        PLANTED, LABELS = set(map(tuple, X)), {tuple(x): y for x, y in zip(X, Y, strict=True)}
        assert any("ValueError: these labels are wrong" in note for note in audit(Picky).notes)

    def test_their_coins_count_where_an_epsilon_is_judged(self):
        """Labels are right for all but canaries, whose wrong ones a nearest neighbour knows by heart."""
        y = np.arange(1000) % 4
        records = np.random.default_rng(0).normal(size=(1000, 5)) + 9 * y[:, None]
        result = audit(lambda: KNeighborsClassifier(1), (records, y), attacks=["gap"])
        own, planted = ([each for each in result.coins if each.planted is part] for part in (False, True))
        assert len(own) == len(planted) == 4
        assert {each.coins for each in planted} == {50}
        assert not any(each.swapped for each in planted)
        judged = gates.epsilon(result, 0.5)
        assert judged.verdict == "leak"
        assert "guesses which planted records were members were right" in " ".join(judged.message.split())
        assert gates.epsilon(dataclasses.replace(result, coins=tuple(own)), 0.5).verdict == "pass"

    def test_those_of_a_release_do_not_since_it_may_have_been_trained_otherwise(self):
        model = DecisionTreeClassifier().fit(X[:100], Y[:100])
        target = Target(model, (X[:100], Y[:100]), (X[100:], Y[100:]))
        result = audit(dataset=None, target=target, shadows=4)
        assert result.controls.canaries.coins
        assert not any(each.planted for each in result.coins)

    def test_several_attackers_share_them(self):
        result = audit(shadow_dataset={"insider": None, "part": pytest_mia.knowledge.part((X, Y), 0.5)})
        assert result.controls.canaries is not None
        assert {each.controls.canaries for each in result.attackers} == {result.controls.canaries}

    def test_the_plan_says_what_they_cost(self):
        from pytest_mia.auditing.run import run
        from pytest_mia.core.request import AuditRequest
        from pytest_mia.core.settings import Settings

        settings = Settings(shadows=3, jobs=1, attacks=("gap",), controls=True)
        seen = []
        finish(run(AuditRequest(GaussianNB, Dataset(X, Y)), settings), seen)
        assert seen[0] == Announcement(
            "4 models to train, recipe of 200 records; 4 more models with 10 canaries, as a control"
        )
        assert [type(each) for each in seen].count(Announcement) == 1
        assert [(each.done, each.total) for each in seen[1:]] == [(done, 4) for done in range(5)] * 2

    def test_they_are_cached(self, tmp_path, no_patches):
        first, again = (audit(cache_dir=tmp_path) for _ in range(2))
        assert again.controls == first.controls
