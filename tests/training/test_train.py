import contextlib
import itertools
import math
import os
import random
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import threadpoolctl
from elsewhere import train_telling
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from pytest_mia import InvalidAuditError, MIAUsageError, ModelTrainingError
from pytest_mia.data.records import Data
from pytest_mia.models.answers import Probabilities
from pytest_mia.models.signals import signals_of
from pytest_mia.training.backends import loky
from pytest_mia.training.backends.loky import Loky
from pytest_mia.training.factories import call_factory
from pytest_mia.training.fit import train_one
from pytest_mia.training.jobs import UNCACHED, Job, Method
from pytest_mia.training.query import query_released
from pytest_mia.training.train import train_all

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3))
Y = (X[:, 0] + rng.normal(size=40) > 0).astype(int)
MEMBERS = rng.random((5, 40)) < 0.5
METHOD = Method(None, None, None, "cpu", None)


def data(X=X):
    return Data(X, Y, np.array([0, 1]), Y)


def jobs(factory=GaussianNB, models=3):
    return [Job(number, 100 + number, factory, MEMBERS[number]) for number in range(models)]


def trained(factory=GaussianNB, models=3, *, X=X, workers=1, method=METHOD, **others):
    return train_telling(jobs(factory, models), data(X), method, backend=Loky(workers), **others)


def confidences(models):
    return np.stack([one.signals.confidence for one in models])


@pytest.fixture
def parallel(monkeypatch):
    """Training in worker processes, however quick it is."""
    monkeypatch.setattr(loky, "WORTH_A_PROCESS", 0.0)


class Broken(GaussianNB):
    """Fails on every half but the first model's, in a function of the user's own."""

    def fit(self, X, y):
        if len(X) != MEMBERS[0].sum():
            try:
                {}["weight"]
            except KeyError as error:
                raise ValueError("no such weight") from error
        return super().fit(X, y)


class TestTraining:
    def test_each_model_learns_its_half_and_is_asked_for_all(self):
        for number, one in enumerate(trained()):
            model = GaussianNB().fit(X[MEMBERS[number]], Y[MEMBERS[number]])
            expected = signals_of(Probabilities(model.predict_proba(X)), Y)
            assert one.number == number
            assert one.model is None
            np.testing.assert_array_equal(one.signals.confidence, expected.confidence)

    def test_each_model_has_its_own_factory_call_under_its_own_seed(self):
        drawn = []
        trained(lambda: drawn.append((np.random.random(), random.random())) or GaussianNB())  # noqa: NPY002
        assert len(set(drawn)) == 3
        for job, numbers in zip(jobs(), drawn, strict=True):
            np.random.seed(job.seed)  # noqa: NPY002
            assert numbers[0] == np.random.random()  # noqa: NPY002

    def test_the_users_generators_go_on_where_they_were(self):
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        expected = [random.random(), np.random.random()]  # noqa: NPY002
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        trained(lambda: DecisionTreeClassifier(max_features=1))
        assert [random.random(), np.random.random()] == expected  # noqa: NPY002

    def test_one_thread_while_training_and_the_users_again_afterwards(self):
        seen = []

        class Watching(GaussianNB):
            def fit(self, X, y):
                seen.extend(pool["num_threads"] for pool in threadpoolctl.threadpool_info())
                return super().fit(X, y)

        with threadpoolctl.threadpool_limits(2):
            trained(Watching)
            after = {pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
        assert set(seen) == {1}
        assert after <= {1, 2}
        assert 2 in after or os.cpu_count() == 1

    def test_models_are_kept_where_they_are_asked_for(self, parallel):
        kept = trained(workers=2, keep_models=True)
        for one in kept:
            np.testing.assert_array_equal(
                one.model.theta_, GaussianNB().fit(X[MEMBERS[one.number]], Y[MEMBERS[one.number]]).theta_
            )

    def test_progress_counts_from_none_to_all(self):
        told = []
        trained(progress=lambda *numbers: told.append(numbers))
        assert [numbers[:2] for numbers in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]
        assert all(later[2] >= earlier[2] for earlier, later in itertools.pairwise(told))

    def test_after_the_deadline_no_more_models_are_trained(self):
        fits = []

        class Counted(GaussianNB):
            def fit(self, X, y):
                fits.append(len(X))
                return super().fit(X, y)

        assert [one.number for one in trained(Counted, deadline=0.0)] == [0]
        assert len(fits) == 1


class TestCopies:
    @pytest.mark.parametrize("workers", [1, 2])
    @pytest.mark.parametrize("columns", [3, 4000], ids=["small", "shared by the workers"])
    def test_what_the_users_code_writes_stays_with_its_model(self, parallel, workers, columns):
        """A scaler that works in place would shift what every later model is asked."""
        X = rng.normal(size=(40, columns))
        before = X.copy()
        ours = trained(lambda: make_pipeline(StandardScaler(copy=False), GaussianNB()), X=X, workers=workers)
        np.testing.assert_array_equal(X, before)
        expected = trained(lambda: make_pipeline(StandardScaler(), GaussianNB()), X=X)
        np.testing.assert_array_equal(confidences(ours), confidences(expected))

    def test_labels_too(self):
        def loss(model, X, y):
            y -= model.predict(X)
            return np.abs(y)

        y = Y.astype(float)
        method = replace(METHOD, loss=loss, queries=1)
        first, second = train_all(jobs(models=2), Data(X, y, np.array([]), Y), method)
        assert y.tolist() == Y.tolist()
        assert (
            second.signals.confidence.tolist()
            == (-np.abs(Y - GaussianNB().fit(X[MEMBERS[1]], Y[MEMBERS[1]]).predict(X))).tolist()
        )
        assert first.number == 0


class TestQueries:
    def asked(self, predict, queries=None, models=2):
        return trained(models=models, method=replace(METHOD, predict=predict, queries=queries))

    def test_answers_that_vary_are_averaged_over_sixteen_queries(self):
        noisy, once = self.asked(self.noise), self.asked(self.noise, queries=1)
        exact = confidences(self.asked(lambda model, X: model.predict_log_proba(X)))
        errors = [np.abs(confidences(each) - exact).mean() for each in (noisy, once)]
        assert [one.queries for one in noisy] == [16, 16]
        assert errors[0] < 0.4 * errors[1]

    @staticmethod
    def noise(model, X):
        return model.predict_log_proba(X) + np.random.normal(size=(len(X), 2))  # noqa: NPY002

    def test_labels_that_vary_are_averaged_too(self):
        noisy = self.asked(lambda model, X: (np.random.random(len(X)) < 0.8).astype(int))  # noqa: NPY002
        assert noisy[0].queries == 16
        assert set(np.unique(noisy[0].signals.correct)) - {0.0, 1.0}

    def test_steady_answers_are_asked_for_once_more_by_the_first_model_alone(self):
        """Besides the two questions that show whether answers come in their order."""
        calls = []
        steady = self.asked(lambda model, X: calls.append(0) or model.predict_proba(X), models=3)
        assert [one.queries for one in steady] == [1, 1, 1]
        assert len(calls) == 2 + 4

    def test_as_many_as_the_user_says(self):
        calls = []
        self.asked(lambda model, X: calls.append(0) or model.predict_proba(X), queries=5)
        assert len(calls) == 2 + 10

    def test_rounding_is_no_variation(self):
        turn = []
        steady = self.asked(lambda model, X: model.predict_log_proba(X) * (1 + 1e-9 * (turn.append(0) or len(turn))))
        assert steady[0].queries == 1


class TestProcesses:
    def test_any_number_of_workers_gives_the_same_bits(self, parallel):
        factory = lambda: DecisionTreeClassifier(max_features=1, min_samples_leaf=3)  # noqa: E731
        one, two = trained(factory, 5), trained(factory, 5, workers=2)
        assert [each.number for each in two] == list(range(5))
        np.testing.assert_array_equal(confidences(one), confidences(two))

    def test_the_first_model_trains_here_and_the_others_elsewhere(self, parallel):
        method = replace(METHOD, loss=lambda model, X, y: np.full(len(X), os.getpid()))
        first, *others = trained(workers=2, method=method)
        assert (first.signals.confidence == -os.getpid()).all()
        assert not any((one.signals.confidence == -os.getpid()).any() for one in others)

    def test_the_users_code_may_be_of_any_kind(self, parallel):
        strength = 0.5

        class Local(LogisticRegression):
            pass

        ours = trained(lambda: Local(C=strength), workers=2)
        np.testing.assert_array_equal(confidences(ours), confidences(trained(lambda: LogisticRegression(C=0.5))))

    def test_code_that_cannot_leave_this_process_is_run_here(self, parallel):
        """Whether models go to other processes depends on the time that they take; whether they train must not."""
        lock = threading.Lock()

        def factory():
            with lock:
                return GaussianNB()

        np.testing.assert_array_equal(confidences(trained(factory, workers=2)), confidences(trained()))

    def test_an_interrupt_between_two_models_ends_the_workers_though_it_is_still_held(self):
        """As pytest holds it until it has reported; a generator that it holds too would keep its workers at work."""
        ended = []

        class Workers(Loky):
            def suits(self, units, method, first):
                return True

            def train(self, units, data, method, first):
                try:
                    for [(job, _)] in units:
                        yield train_one(job, data, method)
                finally:
                    ended.append(True)

        def tell(done, total, seconds):
            if done == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt) as held:
            train_telling(jobs(), data(), METHOD, backend=Workers(2), progress=tell)
        assert ended
        assert held.traceback


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.usefixtures("parallel")
class TestFailures:
    def test_the_users_traceback_with_the_model_s_number_and_seed(self, workers):
        with pytest.raises(ModelTrainingError) as error:
            trained(Broken, 2, workers=workers)
        lines = str(error.value).splitlines()
        assert lines[0] == "model 1 (seed 101) could not be trained: ValueError: no such weight"
        assert lines[-1] == "ValueError: no such weight"
        assert "KeyError: 'weight'" in lines
        assert any("test_train.py" in line and line.endswith("in fit") for line in lines)
        assert not any("pytest_mia" in line for line in lines if line.startswith("  File"))

    def test_an_answer_of_the_wrong_shape_says_which_model(self, workers):
        method = replace(METHOD, predict=lambda model, X: model.predict_proba(X)[:9])
        with pytest.raises(InvalidAuditError, match="gave 9 answers on 40 records") as error:
            trained(method=method, workers=workers)
        assert error.value.__notes__ == ["while training model 0 (seed 100)"]

    def test_nan_names_the_count_the_first_record_and_the_model(self, workers):
        def predict(model, X):
            answer = model.predict_proba(X)
            if model.class_count_.sum() != MEMBERS[0].sum():
                answer[[7, 9]] = np.nan
            return answer

        with pytest.raises(InvalidAuditError, match="NaN on 2 of 40 records, first on record 7") as error:
            trained(models=2, method=replace(METHOD, predict=predict), workers=workers)
        assert error.value.__notes__ == ["while training model 1 (seed 101)"]

    def test_several_problems_come_back_together(self, workers):
        def train(model, X, y):
            if len(X) != MEMBERS[0].sum():
                raise MIAUsageError(["one thing", "another"])
            model.fit(X, y)

        with pytest.raises(MIAUsageError) as error:
            trained(models=2, method=replace(METHOD, training=train), workers=workers)
        assert error.value.problems == ("one thing", "another")
        assert error.value.__notes__ == ["while training model 1 (seed 101)"]


def test_a_factory_that_fails_is_shown_as_the_users_own():
    def broken():
        return 1 / 0

    with pytest.raises(ModelTrainingError) as error:
        call_factory(broken, 0)
    assert str(error.value).startswith("the model factory failed: ZeroDivisionError: division by zero\n")
    assert "return 1 / 0" in str(error.value)


class TestReleased:
    def test_its_answers_are_read_as_its_shadows(self):
        job = jobs()[0]
        model = GaussianNB().fit(X[job.members], Y[job.members])
        ours, theirs = query_released(model, data(), METHOD, 0).signals, train_one(job, data(), METHOD).signals
        np.testing.assert_array_equal(ours.confidence, theirs.confidence)

    def test_a_failure_is_the_users_own(self):
        with pytest.raises(ModelTrainingError, match=r"^the released model could not be queried: NotFittedError: "):
            query_released(GaussianNB(), data(), METHOD, 0)

    def test_nan_is_refused(self):
        method = replace(METHOD, predict=lambda model, X: np.full((len(X), 2), np.nan))
        with pytest.raises(InvalidAuditError, match="NaN on 40 of 40 records"):
            query_released(None, data(), method, 0)


def test_who_waited_for_another_process_until_the_deadline_trains_no_more(deadline_passes):
    """The others are free by then, but there is no time left for them."""

    class Busy(type(UNCACHED)):
        def claim(self, *, wait):
            if wait == math.inf or tried:
                return contextlib.nullcontext(True)
            if wait > 0.0:
                deadline_passes()
                tried.append(wait)
            return contextlib.nullcontext(False)

    tried = []
    found = train_all(jobs(models=4), data(), METHOD, deadline=time.perf_counter() + 1e6, cache=Busy())
    assert [one.number for one in found] == [0]
