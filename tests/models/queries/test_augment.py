import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from torches import needs_torch, torch
from whole import finish

import pytest_mia
from pytest_mia import InvalidAuditError, MIAUsageError, ModelTrainingError
from pytest_mia.data.records import Data
from pytest_mia.models.answers import Probabilities
from pytest_mia.models.queries.augment import augment_records, find_problems
from pytest_mia.models.signals import signals_of
from pytest_mia.training.fit import train_one
from pytest_mia.training.jobs import Job, Method
from pytest_mia.training.query import measure_signals

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] + RNG.normal(size=60) > 0).astype(int)
MEMBERS = np.arange(60) % 2 == 0
JOB = Job(0, 100, GaussianNB, MEMBERS)
DATA = Data(X, Y, np.array([0, 1]), Y)
MODEL = GaussianNB().fit(X[MEMBERS], Y[MEMBERS])


def jitter(X, rng):
    return X + rng.normal(0, 0.3, X.shape)


def method(augment=jitter, queries=None, predict=None, loss=None, seed=0):
    return Method(None, predict, loss, "cpu", queries, augment, (), seed)


def asked(number, seed=0):
    return signals_of(
        Probabilities(
            MODEL.predict_proba(augment_records(jitter, X.copy(), seed=seed, number=number) if number else X)
        ),
        Y,
    )


class TestQueries:
    def test_the_plain_query_and_four_changed_ones_are_averaged(self):
        one = train_one(JOB, DATA, method())
        parts = [asked(number) for number in range(5)]
        assert one.queries == 4
        assert one.signals.augmented_confidence == pytest.approx(np.mean([part.confidence for part in parts], axis=0))

    def test_the_plain_answer_stands_beside_them(self):
        """Copies that a model knows nothing of, averaged with the record, would hide what it knows of that."""
        one = train_one(JOB, DATA, method(lambda X, rng: np.zeros_like(X)))
        assert (one.signals.confidence == asked(0).confidence).all()
        assert (one.signals.tempered == asked(0).tempered).all()
        plain, asking = (
            pytest_mia.audit(GaussianNB, (X, Y), augment=each, shadows=3, attacks=["loss", "mast", "nig_t"], jobs=1)
            for each in (None, lambda X, rng: X * 0)
        )
        assert asking.attacks == plain.attacks
        assert asking.selected == plain.selected

    def test_right_answers_are_counted_beside_the_plain_one(self):
        one, parts = train_one(JOB, DATA, method()), [asked(number) for number in range(5)]
        assert one.signals.correct.tolist() == parts[0].correct.tolist()
        assert one.signals.augmented_correct == pytest.approx(np.mean([part.correct for part in parts], axis=0))

    def test_as_many_as_the_user_says(self):
        one = train_one(JOB, DATA, method(queries=2))
        assert one.queries == 2
        expected = np.mean([asked(number).confidence for number in range(3)], axis=0)
        assert one.signals.augmented_confidence == pytest.approx(expected)

    def test_answers_that_vary_ask_for_more(self):
        def predict(model, X):
            return model.predict_log_proba(X) + np.random.normal(size=(len(X), 2))  # noqa: NPY002

        one = train_one(JOB, DATA, method(predict=predict))
        once = train_one(JOB, DATA, method(predict=predict, queries=1))
        assert one.queries == 16
        errors = [np.abs(each.signals.confidence - asked(0).confidence).mean() for each in (one, once)]
        assert errors[0] < 0.4 * errors[1], "the plain answer is averaged too"

    def test_labels_alone(self):
        one = train_one(JOB, DATA, method(predict=lambda model, X: model.predict(X)))
        assert one.signals.confidence is None
        assert set(np.unique(np.round(5 * one.signals.augmented_correct, 9))) <= set(range(6))

    def test_losses_are_averaged(self):
        def loss(model, X, y):
            return 1 - model.predict_proba(X)[np.arange(len(X)), y]

        data = Data(X, Y, np.array([]), Y)
        one = train_one(JOB, data, method(loss=loss))
        copies = [X, *(augment_records(jitter, X.copy(), seed=0, number=number) for number in range(1, 5))]
        expected = -np.mean([loss(MODEL, each, Y) for each in copies], axis=0)
        assert one.signals.confidence == pytest.approx(-loss(MODEL, X, Y))
        assert one.signals.augmented_confidence == pytest.approx(expected)
        assert one.signals.augmented_correct is None

    def test_all_models_are_asked_about_the_same_copies(self):
        seen = []

        def predict(model, X):
            seen.append(X.copy())
            return model.predict_proba(X)

        for number in (1, 2):
            train_one(Job(number, 100 + number, GaussianNB, MEMBERS), DATA, method(predict=predict, queries=3))
        # The last of each is the record as it is, once more: does its answer vary?
        assert len(seen) == 10
        assert all((one == other).all() for one, other in zip(seen[:5], seen[5:], strict=True))
        assert not any((seen[1] == other).all() for other in (seen[0], seen[2], seen[3]))

    def test_the_audit_s_seed_decides(self):
        first, again, other = (augment_records(jitter, X.copy(), seed=seed, number=1) for seed in (0, 0, 1))
        assert (first == again).all()
        assert (first != other).any()

    def test_without_it_nothing_changes(self):
        signals, settled = measure_signals(method().adapter(MODEL, DATA), MODEL, DATA, method(augment=None), 0)
        assert (signals.confidence == asked(0).confidence).all()
        assert (settled.queries, settled.probes, signals.augmented_correct) == (1, (), None)


class TestTraces:
    def test_what_it_writes_stays_its_own(self):
        before = X.copy()

        def augment(X, rng):
            X[:] = 0
            return X

        train_one(JOB, DATA, method(augment))
        assert (before == X).all()

    def test_the_user_s_generators_go_on_where_they_were(self):
        def augment(X, rng):
            return X + np.random.normal(size=X.shape)  # noqa: NPY002

        np.random.seed(1)  # noqa: NPY002
        expected = np.random.random(2)  # noqa: NPY002
        np.random.seed(1)  # noqa: NPY002
        first = augment_records(augment, X, seed=0, number=1)
        assert (np.random.random(2) == expected).all()  # noqa: NPY002
        assert (first == augment_records(augment, X, seed=0, number=1)).all()


class TestProblems:
    def test_a_good_one_has_none(self):
        assert find_problems(jitter, X) == []
        assert find_problems(lambda X, rng: X, ["a text"] * 20) == []
        assert find_problems(lambda X, rng: X, X[:1]) == []

    @needs_torch
    def test_a_good_one_for_tensors_has_none(self):
        assert find_problems(lambda X, rng: X.flip(-1), torch.zeros(5, 2, 2)) == []

    @pytest.mark.parametrize(
        ("augment", "problem"),
        [
            ("mirror", "mia_augment must be a function augment(X, rng), got str"),
            (lambda X, rng: X[:9], "mia_augment gave 9 copies of 10 records; it must give one of each"),
            (lambda X, rng: None, "mia_augment returned None; it must return the changed records"),
            (lambda X, rng: 1 / 0, "mia_augment fails on the first 10 records of X: ZeroDivisionError: division by"),
            (lambda X: X, "mia_augment fails on the first 10 records of X: TypeError: "),
            (lambda X, rng: RNG_FREE, "mia_augment ignores the records that it is given"),
        ],
    )
    def test_a_bad_one_is_told_before_any_training(self, augment, problem):
        def train(model, X, y):
            raise AssertionError

        with pytest.raises(MIAUsageError) as error:
            pytest_mia.audit(GaussianNB, (X, Y), training=train, augment=augment, shadows=3)
        assert any(each.startswith(problem) for each in error.value.problems)

    def test_the_attack_needs_it(self):
        with pytest.raises(MIAUsageError, match="augmentation asks about changed copies of records; give mia_augment"):
            pytest_mia.audit(GaussianNB, (X, Y), attacks=["calibrated_augmentation"], shadows=3)

    def test_outputs_have_no_records_to_change(self):
        from pytest_mia.auditing.run import run
        from pytest_mia.core.request import AuditRequest
        from pytest_mia.core.settings import Settings

        subject = AuditRequest(None, None, outputs=(np.zeros((4, 60), dtype=int), np.ones((4, 60)), Y), augment=jitter)
        with pytest.raises(MIAUsageError, match="mia_augment changes records, and mia_outputs holds no records"):
            finish(run(subject, Settings()))

    def test_copies_that_are_lost_later_are_an_error(self):
        with pytest.raises(MIAUsageError, match="mia_augment gave 50 copies of 60 records") as error:
            train_one(JOB, DATA, method(lambda X, rng: X[:50]))
        assert error.value.__notes__ == ["while training model 0 (seed 100)"]

    def test_its_own_error_is_the_user_s(self):
        with pytest.raises(ModelTrainingError, match=r"model 0 .* ValueError: no mirror"):
            train_one(JOB, DATA, method(fail))

    def test_copies_that_spoil_the_answer_are_no_answer(self):
        with pytest.raises(InvalidAuditError, match="NaN"):
            train_one(JOB, DATA, method(lambda X, rng: X * np.nan, predict=lambda model, X: X[:, :2]))


def fail(X, rng):
    raise ValueError("no mirror")


RNG_FREE = np.arange(30.0).reshape(10, 3)


class TestAudits:
    def audit(self, data, **others):
        return pytest_mia.audit(lambda: KNeighborsClassifier(1), data, augment=jitter, jobs=1, **others)

    def test_right_answers_around_a_record_leak(self):
        """Copies of a member stay nearest to it; those of another record have several neighbours."""
        rng = np.random.default_rng(0)
        data = rng.normal(size=(300, 10)), rng.integers(0, 2, 300)
        result = self.audit(data, attacks=["gap", "augmentation", "calibrated_augmentation"])
        found = {attack.name: attack.auc for attack in result.attacks}
        assert found["gap"] == pytest.approx(0.75, abs=0.04)
        assert found["augmentation"] > found["gap"] + 0.1
        assert any("4 changed records, made by mia_augment" in note for note in result.notes)
        assert result.accuracy.train == 1

    def test_a_trained_model_and_its_shadows_are_asked_alike(self):
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(400, 10)), rng.integers(0, 2, 400)
        target = pytest_mia.Target(
            KNeighborsClassifier(1).fit(X[:200], y[:200]), (X[:200], y[:200]), (X[200:], y[200:])
        )
        result = self.audit(None, target=target, attacks=["augmentation"], shadows=3)
        assert result.attacks[0].auc > 0.8
        alone = self.audit(None, target=target, attacks=["augmentation"], shadows=0)
        assert alone.attacks[0].auc > 0.8
