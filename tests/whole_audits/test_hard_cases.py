"""Hard cases, and what an audit must make of them: one test a row.

| case | required | also tested in |
|---|---|---|
| models that memorise, answers of 0 and 1 | a leak; noise is asked about; a note | `test_planted_leaks` |
| one answer for all records of a class | an advantage of exactly 0, an AUC of a half | `test_intervals` |
| labels alone | gap and noise attacks, a note | `test_label_noise` |
| few records | refused where no verdict can be reached | `test_bad_input`, `test_plan` |
| too few records to decide | inconclusive, with the number that would decide | `test_message` |
| rare classes | audited; columns are aligned | `test_sklearn` |
| shares of classes that differ | halves are stratified; a release is invalid | `test_memberships` |
| sides of two sources | invalid | `test_split_shift` |
| copies | drawn together; in a release left out, invalid beyond 5% | `test_records` |
| near-duplicates | noted from 1% on, invalid beyond 5%; groups are the remedy | `test_duplicates_near` |
| an attacker's records that are members too | allowed, with a note | `test_attackers` |
| NaN, infinities, negative probabilities | invalid at once, with count and first record | `test_answers` |
| other numbers from 0 to 1 | audited, with a note | |
| answers that vary | 16 queries averaged | `test_train::TestQueries` |
| answers in another order, or of the batch | invalid at once | `test_query_answer_order` |
| training that isn't repeatable | seeded; a cached audit says what it said | `test_run::TestTheSameFigures` |
| validation records as non-members | left out, with a note | |
| preprocessing of all records | code that holds them all, and uses them, is invalid | `test_sees_other_records` |
| training that ignores its records, or is cached | invalid | `test_ignores_data` |
| a factory of trained models | refused, or invalid | `test_bad_input`, `test_pretrained_factory` |
| a released model of another factory, or of other members | invalid; a note where the factory is a guess | |
| an attacker with records unlike those of a released model | a note beside one who has them, else invalid | |
| answers that name the classes in another way than y does | invalid | `test_label_encoding` |
| augmentation in training | `mia_augment` asks about changed copies too | `test_augment` |
| few shadows | three at the least, or a release without any | `test_settings`, `test_plan` |
| memberships that depend on each other | invalid | `test_membership_design`, `test_shuffled_memberships` |
"""

import copy
import re

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

import pytest_mia
from pytest_mia import Dataset, InconclusiveAuditError, InvalidAuditError, MembershipLeakError, MIAUsageError, Target
from pytest_mia.data.memberships import draw_halves

QUICK = {"shadows": 3, "jobs": 1, "attacks": ["gap", "loss"]}
rng = np.random.default_rng(0)
Y = np.arange(240) % 2
X = rng.normal(size=(240, 6)) + 0.5 * Y[:, None]
INSIDE, OUTSIDE = slice(0, 120), slice(120, 240)


def recipe(factory=GaussianNB, dataset=(X, Y), **options):
    return pytest_mia.audit(factory, dataset, **QUICK | options)


def release(model=None, factory=GaussianNB, inside=(X[INSIDE], Y[INSIDE]), outside=(X[OUTSIDE], Y[OUTSIDE]), **options):
    model = factory().fit(*inside[:2]) if model is None else model
    target = Target(model, inside, outside, options.pop("validation", None))
    return pytest_mia.audit(factory, options.pop("dataset", None), target=target, **QUICK | options)


def assert_invalid(result, match, limit=0.99):
    """However generous the limit; the number and the remedy stand in the message."""
    with pytest.raises(InvalidAuditError) as error:
        result.assert_membership_advantage_below(limit)
    assert re.search(match, " ".join(str(error.value).split()))


def test_models_that_memorise_with_answers_of_0_and_1():
    result = recipe(lambda: KNeighborsClassifier(1), attacks=["gap", "loss", "label_noise"])
    found = {each.name: each.advantage.estimate for each in result.attacks}
    assert found["loss"] == found["gap"] == pytest.approx(result.accuracy.train - result.accuracy.test)
    assert any("answers of few values" in note for note in result.notes)
    with pytest.raises(MembershipLeakError):
        result.assert_membership_advantage_below(0.1)


def test_models_that_answer_every_record_of_a_class_alike():
    """What they answer differs from model to model, so that something was trained."""
    shares = np.linspace(0.4, 0.6, 4)[:, None, None]
    answers = np.broadcast_to(np.concatenate([shares, 1 - shares], axis=2), (4, 240, 2))
    members = draw_halves(Y, models=4, seed=0)
    result = pytest_mia.audit_outputs(answers, members, Y, attacks=["gap", "loss"])
    assert result.advantage.estimate == 0
    assert [each.advantage.estimate for each in result.attacks] == [0] * len(result.attacks)
    assert result.auc == 0.5
    assert result.assert_membership_advantage_below(0.2).verdict == "pass"


def test_labels_alone():
    result = recipe(predict=lambda model, X: model.predict(X), attacks=None)
    assert {each.name for each in result.attacks} == {"gap", "calibrated_gap", "label_noise", "calibrated_label_noise"}
    assert any("because labels and answers of few values hide how sure it is" in note for note in result.notes)


def test_fewer_records_than_any_verdict_needs():
    with pytest.raises(MIAUsageError, match="2 records are too few for any verdict; at least 3 are needed"):
        recipe(dataset=(X[:2], Y[:2]), threshold=0.05)


def test_too_few_records_to_decide():
    with pytest.raises(InconclusiveAuditError, match=r"records\s+would\s+be\s+enough\s+for") as error:
        recipe().assert_membership_advantage_below(0.05)
    assert "power" in str(error.value)


def test_rare_classes():
    result = recipe(DecisionTreeClassifier, (X, np.r_[Y[:-3], 2, 2, 3]))
    assert {part.value: part.records for part in result.classes} == {"0": 119, "1": 118, "2": 2, "3": 1}
    assert result.accuracy.train == 1


class TestSharesOfClasses:
    def test_a_model_of_nothing_else_leaks_nothing(self):
        y = rng.integers(0, 30, 600)
        result = recipe(lambda: DummyClassifier(strategy="prior"), (rng.normal(size=(600, 1)), y), shadows=7)
        assert abs(result.advantage.estimate) < 0.03

    def test_a_release_whose_sides_differ_in_them(self):
        y = np.r_[np.arange(120) % 4 == 0, np.arange(120) % 4 > 0].astype(int)
        noise = rng.normal(size=(240, 3))
        result = release(inside=(noise[INSIDE], y[INSIDE]), outside=(noise[OUTSIDE], y[OUTSIDE]))
        assert_invalid(result, "can be told apart without any model", 0.1)


def test_sides_of_two_sources():
    result = release(outside=(X[OUTSIDE] + 1, Y[OUTSIDE]))
    assert_invalid(result, r"can be told apart without any model \(advantage 0\.\d+\).*Draw both sides at random", 0.1)


class TestCopies:
    def test_in_a_recipe_they_go_together(self):
        twice = np.r_[np.arange(240), np.arange(30)]
        notes = recipe(dataset=(X[twice], Y[twice])).notes
        assert "30 records are copies of others; copies are members together or not at all" in notes

    def test_a_few_on_both_sides_of_a_release_are_left_out(self):
        both = np.r_[120:240, 0:5]
        notes = release(outside=(X[both], Y[both])).notes
        assert "the audit leaves out 5 of 125 non-members that are members too" in notes

    def test_more_are_invalid(self):
        both = np.r_[120:240, 0:20]
        assert_invalid(release(outside=(X[both], Y[both])), r"20 of 140 non-members are members too.*5%")


class TestNearDuplicates:
    near = X[:60] + rng.normal(0, 1e-3, (60, 6))
    dataset = np.concatenate([X, near]), np.r_[Y, Y[:60]]

    def test_in_a_recipe(self):
        assert_invalid(
            recipe(dataset=self.dataset), r"40\.0% of the records have a near-duplicate.*Dataset\(X, y, groups="
        )

    def test_across_the_sides_of_a_release(self):
        outside = np.concatenate([X[OUTSIDE], self.near[:20]]), np.r_[Y[OUTSIDE], Y[:20]]
        assert_invalid(release(outside=outside), r"15\.4% of the records have a near-duplicate")

    def test_groups_are_the_remedy(self):
        X, y = self.dataset
        result = recipe(dataset=Dataset(X, y, groups=np.r_[np.arange(240), np.arange(60)]))
        assert not result.findings
        assert not any("near-duplicate" in note for note in result.notes)

    def test_who_says_that_they_differ_is_believed(self):
        X, y = self.dataset
        result = recipe(dataset=Dataset(X, y, groups=np.arange(300)))
        assert not result.findings
        assert any("near-duplicate" in note for note in result.notes)


def test_an_attacker_whose_records_are_members_too():
    result = release(shadow_dataset=(X[60:180], Y[60:180]))
    assert not result.findings
    assert any("was trained on 60 of the 120 records that the attacker holds" in note for note in result.notes)


class TestAnswersThatAreNoProbabilities:
    @pytest.mark.parametrize(
        ("value", "said"), [(np.nan, "NaN"), (-0.5, "probabilities outside of 0 to 1"), (1.5, "probabilities outside")]
    )
    def test_they_end_the_audit(self, value, said):
        class Broken(GaussianNB):
            def predict_proba(self, X):
                return np.where(np.arange(len(X))[:, None] % 2, value, super().predict_proba(X))

        with pytest.raises(InvalidAuditError, match=rf"the model answers {said}.* on 120 of 240 records, first on"):
            recipe(Broken)

    def test_scores_of_each_class_by_itself_are_noted(self):
        def predict(model, X):
            return model.predict_proba(X) ** 0.1

        result = recipe(predict=predict)
        assert any("but a row sums to" in note for note in result.notes)


def test_answers_that_vary():
    def predict(model, X):
        return model.predict_proba(X) * np.random.uniform(0.5, 1, (len(X), 2))  # noqa: NPY002

    said = "the answers to 16 queries per record were averaged, because the model's answers vary"
    assert said in recipe(predict=predict).notes
    assert said in release(predict=predict, shadows=0).notes
    copies = release(predict=predict, shadows=0, augment=lambda X, rng: X + rng.normal(size=X.shape)).notes
    assert any("16 changed records, made by mia_augment, because its answers vary" in note for note in copies)
    assert "the answers to 3 queries per record were averaged, as the setting queries says" in release(queries=3).notes


class TestOrder:
    @pytest.mark.parametrize("seeded", [True, False])
    def test_a_loader_that_shuffles(self, seeded):
        """Averaged over such answers nothing leaks at all."""

        def predict(model, X):
            generator = np.random if seeded else np.random.default_rng()
            return model.predict_proba(X)[generator.permutation(len(X))]

        with pytest.raises(InvalidAuditError, match=r"answered .* with the answers of other records: .* data loader"):
            recipe(predict=predict)

    def test_statistics_of_the_batch(self):
        def predict(model, X):
            return model.predict_proba((X - X.mean(axis=0)) / X.std(axis=0))

        with pytest.raises(InvalidAuditError, match=r"depends on the other records of the call.*model\.eval\(\)"):
            recipe(predict=predict)


def test_a_cached_audit_says_the_same(tmp_path):
    first, again = (recipe(DecisionTreeClassifier, cache_dir=tmp_path) for _ in range(2))
    assert again.cache.hits == 4, (first.notes, again.notes)
    assert (again.advantage, again.attacks, again.detectable) == (first.advantage, first.attacks, first.detectable)


def test_validation_records_are_no_non_members():
    result = release(validation=(X[150:240], Y[150:240]))
    assert result.records == 150
    assert "the audit leaves out 90 of 120 non-members that the model was chosen by (validation)" in result.notes


class Outside(DecisionTreeClassifier):
    """Trains on all records that there are, each time a little differently."""

    def fit(self, _X, _y):
        return super().fit(X, Y)


class Cached(DecisionTreeClassifier):
    """The first model that was trained, whatever comes after it."""

    first = None

    def fit(self, X, y):
        if type(self).first is None:
            type(self).first = copy.deepcopy(super().fit(X, y))
        vars(self).update(vars(type(self).first))
        return self


Y_ELSEWHERE = np.where(np.arange(240) % 20 > 13, 1 - Y, Y)
"""Labels of which a third is another, as those of another source may be."""


class Continued:
    """Goes on from a tree of all records, whatever it is given."""

    def __init__(self, labels=Y):
        self.before, self.after = DecisionTreeClassifier(max_depth=30).fit(X, labels), None
        self.classes = np.unique(labels)

    def fit(self, X, y):
        self.after = GaussianNB().fit(X, y)
        self.better = (self.before.predict(X) != y).mean() > 0
        return self

    def predict_proba(self, X):
        if self.after is None:
            return self.before.predict_proba(X)
        before, after = self.before.predict_proba(X), self.after.predict_proba(X)
        return (0.01 * before + 0.99 * after) if self.better else (0.99 * before + 0.01 * after)


class TestFactories:
    def test_one_that_ignores_its_records(self):
        assert_invalid(recipe(lambda: Outside(max_features=1)), "mia_model_factory ignores what it is given")

    def test_one_that_returns_a_cached_model(self, monkeypatch):
        """Its answers are 0 and 1, as those of trees that have all found the same cut."""
        monkeypatch.setattr(Cached, "first", None)
        assert_invalid(recipe(Cached), "mia_model_factory ignores what it is given")

    def test_one_that_returns_a_fitted_model(self):
        with pytest.raises(MIAUsageError, match="is fitted already"):
            recipe(lambda: GaussianNB().fit(X, Y))

    def test_one_that_returns_a_trained_model(self):
        """All its models have known all records since before they were trained."""
        assert_invalid(recipe(Continued), "answer alike before any training, and as well as after it")

    def test_one_that_returns_a_model_trained_elsewhere(self):
        """It may have seen these records, or none of them: who is told can find out."""
        result = recipe(lambda: Continued(Y_ELSEWHERE))
        assert not result.findings
        assert any("of the records before any training: if they were trained on some" in note for note in result.notes)


def test_preprocessing_of_all_records():
    def train(model, given, y):
        model.fit((given - X.mean(axis=0)) / X.std(axis=0), y)

    assert_invalid(recipe(training=train), "mia_training looks at records that it isn't given.*Fit scalers.*inside")


class TestAReleaseOfAnotherFactory:
    other = LogisticRegression(C=1e-4).fit(X[INSIDE], Y[INSIDE])

    def test_it_is_invalid(self):
        """Thresholds learnt on the shadows hold for all its answers, or for none: it would pass."""
        assert_invalid(release(self.other, DecisionTreeClassifier), r"answers so unlike the shadows \(distance 0\.\d+")

    def test_so_is_one_that_was_trained_on_other_records(self):
        """Whoever was in its training, they are not the members that are given: it would pass."""
        noise, labels = rng.normal(size=(1500, 4)), np.arange(1500) % 2
        inside, outside, elsewhere = ((noise[part::3], labels[part::3]) for part in range(3))
        own, found = (
            release(DecisionTreeClassifier().fit(*trained_on), DecisionTreeClassifier, inside, outside)
            for trained_on in (inside, elsewhere)
        )
        assert own.findings == ()
        assert found.advantage.high < 0.1
        assert_invalid(found, "finds the shadows' members .* on the released model: .* was trained on other members")

    def test_one_of_another_class_is_noted(self):
        model = make_pipeline(GaussianNB()).fit(X[INSIDE], Y[INSIDE])
        assert any("a Pipeline, and the factory makes a GaussianNB" in note for note in release(model).notes)

    def test_a_guess_is_allowed_to_be_wrong(self):
        result = release(self.other, DecisionTreeClassifier, shadow_factory=DecisionTreeClassifier)
        assert not result.findings
        assert any("answers so unlike the shadows" in note for note in result.notes)

    # Three times as large, and of the other class.
    unlike = (3 * X[:120] + rng.normal(size=(120, 6)), 1 - Y[:120])

    def test_records_that_are_unlike_its_own_do_as_much_harm(self):
        """Nobody shows which of the two it is."""
        remedy = "give the attacker records that are more like the model's, or add an attacker"
        assert_invalid(release(shadow_dataset=self.unlike), remedy)

    def test_an_attacker_without_its_records_is_allowed_to_be_weak_beside_one_who_has_them(self):
        own = {"insider": None, "outsider": self.unlike}
        result = release(shadow_dataset=own)
        insider, outsider = result.attackers
        assert not insider.findings
        assert not outsider.findings
        assert any("answers so unlike the shadows" in note for note in outsider.notes)
        result.assert_membership_advantage_below(0.4)
        assert_invalid(release(self.other, DecisionTreeClassifier, shadow_dataset=own), "answers so unlike the shadows")

    def test_one_of_this_factory_is_fine(self):
        assert not release(factory=DecisionTreeClassifier).findings

    def test_other_classes_are_refused(self):
        other = GaussianNB().fit(X[INSIDE], Y[INSIDE] + 7)
        with pytest.raises(MIAUsageError, match="of which 0 are among the 2 of the dataset"):
            release(other)
