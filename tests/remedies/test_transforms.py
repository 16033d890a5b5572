"""Remedies: closed forms, and wrappers that answer exactly as what was measured."""

import inspect
import pickle

import numpy as np
import pytest
from scipy import special
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks
from torches import needs_torch, torch

from pytest_mia import remedies
from pytest_mia.core.errors import InvalidAuditError, MIAUsageError
from pytest_mia.models.answers import Labels, Logits, Losses, Probabilities, as_logits, interpret
from pytest_mia.remedies import (
    Label,
    LabelAnswers,
    Rounded,
    RoundedAnswers,
    Tempered,
    TopK,
    TopKAnswers,
)

X, Y = load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
P = np.random.default_rng(0).dirichlet(np.ones(5), 500)
ALL = [*(each() for each in remedies.ON_ANSWERS), Rounded(0.1), TopK(1)]


class TestRounded:
    @pytest.mark.parametrize(
        ("given", "rounded"),
        [
            ([0.9, 0.1], [1.0, 0.0]),
            ([0.6, 0.4], [0.5, 0.5]),
            ([0.62, 0.38], [0.5, 0.5]),
            ([0.63, 0.37], [0.75, 0.25]),
            ([0.4, 0.3, 0.3], [0.5, 0.25, 0.25]),
            ([0.2, 0.2, 0.2, 0.2, 0.2], [0.25, 0.25, 0.25, 0.25, 0.0]),
            ([0.75, 0.25], [0.75, 0.25]),
        ],
    )
    def test_by_hand(self, given, rounded):
        assert Rounded().apply(Probabilities(np.array([given]))).values.tolist() == [rounded]

    def test_two_classes_are_rounded_to_the_nearest_step(self):
        p = np.random.default_rng(1).random(1000)
        rounded = Rounded().apply(Probabilities(np.stack([1 - p, p], axis=1))).values
        np.testing.assert_array_equal(rounded[:, 1], np.round(4 * p) / 4)

    @pytest.mark.parametrize("step", [0.5, 0.25, 0.2, 0.1, 1 / 3, 0.01])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_rows_sum_to_one_and_whole_steps_stay(self, step, dtype):
        once = Rounded(step).apply(Probabilities(P.astype(dtype)))
        np.testing.assert_allclose(once.values.sum(axis=1), 1, atol=1e-6)
        np.testing.assert_array_equal(Rounded(step).apply(once).values, once.values)
        assert once.values.dtype == dtype
        assert len(np.unique(once.values)) <= round(1 / step) + 1

    def test_nobody_is_moved_by_a_step_or_more(self):
        assert np.abs(Rounded().apply(Probabilities(P)).values - P).max() < 0.25

    def test_the_guess_is_among_the_likeliest_still(self):
        rounded = Rounded().apply(Probabilities(P)).values
        assert (rounded[np.arange(len(P)), P.argmax(axis=1)] == rounded.max(axis=1)).all()

    @pytest.mark.parametrize("step", [0, -0.25, 0.3, 2, True, "0.25", np.nan])
    def test_steps_that_do_not_fill_one(self, step):
        with pytest.raises(MIAUsageError, match="step must be one over a whole number"):
            Rounded(step)


class TestTopK:
    def test_the_rest_is_levelled(self):
        answer = Probabilities(np.array([[0.1, 0.5, 0.3, 0.06, 0.04], [0.0, 0.0, 0.0, 0.0, 1.0]]))
        np.testing.assert_allclose(
            TopK(2).apply(answer).values, [[0.2 / 3, 0.5, 0.3, 0.2 / 3, 0.2 / 3], [0.0, 0.0, 0.0, 0.0, 1.0]]
        )

    def test_few_classes_stay(self):
        assert TopK(5).apply(Probabilities(P)).values is P

    def test_the_guess_stays(self):
        assert (TopK(1).apply(Probabilities(P)).values.argmax(axis=1) == P.argmax(axis=1)).all()

    @pytest.mark.parametrize("k", [0, -1, 1.0, True])
    def test_numbers_that_are_none(self, k):
        with pytest.raises(MIAUsageError, match="k must be a whole number of at least 1"):
            TopK(k)


class TestTempered:
    def test_by_hand(self):
        answer = Probabilities(np.array([[0.64, 0.36], [1.0, 0.0]]))
        np.testing.assert_allclose(Tempered(2).apply(answer).values, [[0.8 / 1.4, 0.6 / 1.4], [1.0, 0.0]])

    def test_logits_and_their_probabilities_agree(self):
        logits = np.log(P)
        np.testing.assert_allclose(
            Tempered(3).apply(Logits(logits)).values, Tempered(3).apply(Probabilities(P)).values, atol=1e-12
        )

    def test_logits_are_softened_where_their_probabilities_are_zero(self):
        softened = Tempered(1000).apply(Logits(np.array([[0.0, 1000.0]]))).values
        np.testing.assert_allclose(softened, special.softmax([[0.0, 1.0]], axis=1))

    def test_one_changes_nothing(self):
        np.testing.assert_allclose(Tempered(1).apply(Probabilities(P)).values, P)

    @pytest.mark.parametrize("temperature", [0, -1, np.inf, np.nan, True])
    def test_temperatures_that_are_none(self, temperature):
        with pytest.raises(MIAUsageError, match="temperature must be a number above 0"):
            Tempered(temperature)


class TestLabel:
    def test_the_likeliest_and_the_first_of_equals(self):
        answer = Probabilities(np.array([[0.2, 0.5, 0.3], [0.25, 0.25, 0.5], [0.5, 0.5, 0.0]]))
        assert Label().apply(answer).codes.tolist() == [1, 2, 0]


@pytest.mark.parametrize("remedy", ALL, ids=repr)
class TestEach:
    def test_labels_stay(self, remedy):
        labels = Labels(np.array([0, 1]))
        assert remedy.apply(labels) is labels

    def test_nan_is_not_hidden(self, remedy):
        broken = P.copy()
        broken[3, 1] = np.nan
        with pytest.raises(InvalidAuditError, match="NaN on 1 of 500 records, first on record 3"):
            remedy.apply(Probabilities(broken))

    def test_answers_without_classes_are_refused(self, remedy):
        with pytest.raises(MIAUsageError, match="changes answers about classes, got Losses"):
            remedy.apply(Losses(np.ones(3)))

    def test_an_array_is_changed_likewise(self, remedy):
        after = remedy.apply(Probabilities(P))
        np.testing.assert_array_equal(remedy(P), after.codes if isinstance(after, Labels) else after.values)

    def test_what_was_given_stays_as_it_is(self, remedy):
        given = P.copy()
        remedy.apply(Probabilities(given))
        remedy(np.log(given))
        np.testing.assert_array_equal(given, P)

    def test_each_record_by_itself(self, remedy):
        np.testing.assert_array_equal(remedy(P[::-1]), remedy(P)[::-1])
        np.testing.assert_array_equal(remedy(P[7:8]), remedy(P)[7:8])


def test_lines_say_what_to_write():
    assert Rounded().line("estimator") == "RoundedAnswers(estimator, step=0.25)"
    assert TopK(2).line("module") == "TopKModule(module, k=2)"
    assert Label().line("estimator") == "LabelAnswers(estimator)"
    assert Tempered(2.5).line("answers") == "Tempered(temperature=2.5)(answers)"


def test_lines_can_be_run():
    estimator = LogisticRegression()
    for remedy in ALL:
        assert eval(remedy.line("estimator"), vars(remedies) | _wrappers(), {"estimator": estimator}).remedy == remedy
        np.testing.assert_array_equal(eval(remedy.line("answers"), _wrappers(), {"answers": P}), remedy(P))


@needs_torch
def test_lines_of_modules_can_be_run():
    module = torch.nn.Linear(2, 2)
    for remedy in ALL:
        assert eval(remedy.line("module"), _wrappers(), {"module": module}).remedy == remedy


def _wrappers():
    return {name: getattr(remedies, name) for name in remedies.__all__ if torch or not name.endswith("Module")}


def test_what_is_measured_by_default():
    assert remedies.by_default(0) == ()
    assert TopK() not in remedies.by_default(4)
    assert [type(each) for each in remedies.by_default(10)] == [Tempered, TopK, Rounded, Rounded, Label]


def test_a_name_that_is_none():
    with pytest.raises(AttributeError, match="no attribute 'NoAnswers'"):
        remedies.NoAnswers  # noqa: B018
    assert set(dir(remedies)) >= {"RoundedAnswers", "RoundedModule"}


def test_wrappers_are_like_classes_that_are_written_out():
    assert str(inspect.signature(RoundedAnswers)).replace("'", "") == "(estimator, step: float = 0.25)"
    assert [*inspect.signature(LabelAnswers).parameters] == ["estimator"]
    assert "step\n    A step, one over a whole number" in RoundedAnswers.__doc__
    assert repr(TopKAnswers(LogisticRegression(), 2)) == "TopKAnswers(estimator=LogisticRegression(), k=2)"
    assert {each.__module__ for each in WRAPPED} == {"pytest_mia.remedies.estimators"}
    with pytest.raises(TypeError, match="unexpected keyword argument 'k'"):
        RoundedAnswers(LogisticRegression(), k=3)


@needs_torch
def test_wrappers_of_modules_are_too():
    signature = inspect.signature(remedies.TopKModule)
    assert str(signature).replace("'", "") == "(module: torch.nn.Module, k: int = 3)"
    assert {getattr(remedies, name).__module__ for name in MODULES} == {"pytest_mia.remedies.modules"}


def test_every_remedy_of_the_registry_has_its_wrappers():
    for remedy in remedies.ON_ANSWERS:
        for ending in ("", "Answers", *(["Module"] if torch else [])):
            assert getattr(remedies, remedy.__name__ + ending).__name__ == remedy.__name__ + ending


WRAPPED = [getattr(remedies, f"{each.__name__}Answers") for each in remedies.ON_ANSWERS]


class TestEstimators:
    """Wrappers in scikit-learn's protocol."""

    @pytest.mark.parametrize("wrapper", WRAPPED)
    def test_they_answer_as_the_remedy_does(self, wrapper):
        inside = LogisticRegression(C=0.1).fit(X, Y)
        wrapped = wrapper(LogisticRegression(C=0.1)).fit(X, Y)
        after = wrapped.remedy.apply(Probabilities(inside.predict_proba(X)))
        if isinstance(after, Labels):
            assert not hasattr(wrapped, "predict_proba")
            codes = after.codes
        else:
            np.testing.assert_array_equal(wrapped.predict_proba(X), after.values)
            codes = after.values.argmax(axis=1)
        np.testing.assert_array_equal(wrapped.predict(X), codes)

    def test_labels_say_no_more_than_the_answers(self):
        tied = RoundedAnswers(LogisticRegression(C=0.001), step=0.5).fit(X, Y)
        p = tied.predict_proba(X)
        assert (p[:, 1] == 0.5).any()
        np.testing.assert_array_equal(tied.predict(X), p.argmax(axis=1))

    def test_classes_keep_their_names(self):
        names = np.array(["a", "b", "c"])[Y]
        assert set(LabelAnswers(DecisionTreeClassifier()).fit(X, names).predict(X)) == {"a", "b", "c"}

    def test_scores_become_probabilities(self):
        p = RoundedAnswers(LinearSVC()).fit(X, Y).predict_proba(X)
        np.testing.assert_allclose(p.sum(axis=1), 1)

    def test_the_given_estimator_is_left_alone(self):
        inside = LogisticRegression()
        RoundedAnswers(inside).fit(X, Y)
        assert not hasattr(inside, "coef_")

    def test_parameters_of_fit_go_inside(self):
        weights = np.where(Y == 0, 1e-6, 1.0)
        assert (LabelAnswers(LogisticRegression()).fit(X, Y, sample_weight=weights).predict(X) != 0).sum() > 100

    @pytest.mark.parametrize("wrapper", WRAPPED)
    def test_copies(self, wrapper):
        wrapped = wrapper(LogisticRegression()).fit(X, Y)
        assert type(clone(wrapped)) is wrapper
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(wrapped)).predict(X), wrapped.predict(X))

    def test_bad_parameters_are_refused_before_anything_is_fitted(self):
        with pytest.raises(MIAUsageError, match="step must be"):
            RoundedAnswers(None, step=0.3).fit(X, Y)


@pytest.mark.slow
@parametrize_with_checks([wrapper(LogisticRegression()) for wrapper in WRAPPED])
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


MODULES = [f"{each.__name__}Module" for each in remedies.ON_ANSWERS]


@needs_torch
class TestModules:
    """Wrappers for torch."""

    @pytest.mark.parametrize("wrapper", MODULES)
    @pytest.mark.parametrize("outputs", [1, 2, 6])
    @pytest.mark.parametrize("read", [as_logits, interpret])
    def test_the_audit_reads_what_was_measured(self, wrapper, outputs, read):
        torch.manual_seed(0)
        module, inputs, classes = torch.nn.Linear(4, outputs), torch.randn(40, 4), np.arange(max(2, outputs))
        wrapped = getattr(remedies, wrapper)(module).eval()
        with torch.no_grad():
            after = wrapped.remedy.apply(as_logits(module(inputs), classes))
            found = read(wrapped(inputs), classes)
        assert type(found) is type(after)
        values = [each.codes if isinstance(each, Labels) else each.values for each in (found, after)]
        np.testing.assert_array_equal(*values)

    @pytest.mark.parametrize("wrapper", MODULES)
    def test_training_passes_logits_through(self, wrapper):
        module, inputs = torch.nn.Linear(4, 3), torch.randn(5, 4)
        outputs = getattr(remedies, wrapper)(module).train()(inputs)
        torch.testing.assert_close(outputs, module(inputs), rtol=0, atol=0)
        assert outputs.requires_grad

    @pytest.mark.parametrize("wrapper", MODULES)
    def test_copies(self, wrapper):
        wrapped, inputs = getattr(remedies, wrapper)(torch.nn.Linear(4, 3)).eval(), torch.randn(5, 4)
        torch.testing.assert_close(pickle.loads(pickle.dumps(wrapped))(inputs), wrapped(inputs), rtol=0, atol=0)
