import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from whole import SINGLE, finish
from worlds import Bigrams

from pytest_mia import (
    Dataset,
    InvalidAuditError,
    Losses,
    MembershipLeakError,
    MIAUsageError,
    ModelOutputs,
    Residuals,
    TokenLogProbabilities,
    audit,
    audit_outputs,
)
from pytest_mia.auditing.from_outputs import kinds
from pytest_mia.auditing.from_outputs import read as outputs
from pytest_mia.auditing.run import run, train
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.settings import Settings

rng = np.random.default_rng(0)
MODELS, RECORDS = 5, 40
LABELS = np.arange(RECORDS) % 3
MEMBERS = rng.random((MODELS, RECORDS)) < 0.5
LOGITS = rng.normal(size=(MODELS, RECORDS, 3)) + 3 * MEMBERS[:, :, None] * np.eye(3)[LABELS]
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=2, keepdims=True)
GUESSES = LOGITS.argmax(axis=2)
NUMBERS = rng.normal(size=RECORDS)
SEVERAL = rng.integers(0, 2, (RECORDS, 3))
TOKENS = np.where(np.arange(6) < 1 + np.arange(RECORDS)[:, None] % 6, -rng.random((MODELS, RECORDS, 6)), np.nan)


def reading(answers, labels=None, groups=None, members=MEMBERS):
    return kinds.interpret_outputs(outputs.read_outputs(ModelOutputs(answers, members, labels, groups)), seed=0)


def signals(answers, labels=None):
    return reading(answers, labels).observations.signals


class TestSignals:
    def test_probabilities_and_logits_tell_the_same(self):
        ours, theirs = (signals(outputs, LABELS).confidence for outputs in (PROBABILITIES, LOGITS))
        np.testing.assert_allclose(ours, theirs, atol=1e-9)

    @pytest.mark.parametrize("names", [np.array(["a", "b", "c"]), np.array([1, 2, 5])])
    def test_labels_alone(self, names):
        found = reading(names[GUESSES], names[LABELS]).observations
        np.testing.assert_array_equal(found.signals.correct, GUESSES == LABELS)
        assert found.signals.confidence is None
        assert found.labels.tolist() == LABELS.tolist()

    def test_all_models_are_read_alike(self):
        """Logits of one model may all lie in 0 to 1; read as probabilities they would hide its leak."""
        logits = LOGITS.copy()
        logits[2] = (logits[2] - logits[2].min()) / np.ptp(logits[2])
        two = np.log(np.exp(logits[2, 0, 1:]).sum())
        assert signals(logits, LABELS).confidence[2, 0] == pytest.approx(logits[2, 0, 0] - two)

    def test_classes_that_no_record_has(self):
        kept = LABELS > 0
        found = reading(PROBABILITIES[:, kept], LABELS[kept], members=MEMBERS[:, kept]).observations
        assert found.labels.tolist() == LABELS[kept].tolist()
        np.testing.assert_array_equal(found.signals.confidence, signals(PROBABILITIES, LABELS).confidence[:, kept])

    def test_two_classes_in_one_column(self):
        y, p = LABELS % 2, PROBABILITIES[:, :, 0]
        found = signals(p, y).confidence
        np.testing.assert_allclose(found, np.where(y, 1, -1) * np.log(p / (1 - p)), atol=1e-9)

    def test_nan_names_the_model_and_the_record(self):
        spoiled = PROBABILITIES.copy()
        spoiled[3, 7:9, 0] = np.nan
        with pytest.raises(InvalidAuditError, match="NaN on 2 of 40 records, first on record 7") as error:
            signals(spoiled, LABELS)
        assert error.value.__notes__ == ["in the outputs of model 3"]

    def test_infinite_logits_are_refused(self):
        spoiled = LOGITS.copy()
        spoiled[0, 5, 1] = np.inf
        with pytest.raises(InvalidAuditError, match="infinite values on 1 of 40 records, first on record 5"):
            signals(spoiled, LABELS)

    @pytest.mark.parametrize("kind", [np.float32, np.float16])
    def test_answers_in_few_bits(self, kind):
        few, whole = (signals(outputs, LABELS) for outputs in (PROBABILITIES.astype(kind), PROBABILITIES))
        np.testing.assert_allclose(few.confidence, whole.confidence, atol=0.02)


class TestKinds:
    def test_predicted_numbers_are_read_as_residuals(self):
        answers = LOGITS[:, :, 0]
        np.testing.assert_array_equal(signals(answers, NUMBERS).residual, NUMBERS - answers)
        np.testing.assert_array_equal(signals(Residuals(NUMBERS - answers)).residual, NUMBERS - answers)
        np.testing.assert_array_equal(signals(answers[:, :, None], NUMBERS[:, None]).residual, NUMBERS - answers)

    def test_whole_numbers_are_told_by_residuals(self):
        """Which labels alone could not."""
        answers = np.round(2 * LOGITS[:, :, 0])
        with pytest.raises(MIAUsageError, match="labels hold 3 different whole numbers: a single column"):
            reading(answers, LABELS)
        np.testing.assert_array_equal(signals(Residuals(LABELS - answers), LABELS).residual, LABELS - answers)

    def test_losses_are_put_on_their_log_scale(self):
        losses = LOGITS[:, :, 0] ** 2
        found = signals(Losses(losses)).confidence
        np.testing.assert_allclose(found, -np.log(losses + 1e-3 * np.median(losses)))

    def test_several_labels(self):
        found = signals(PROBABILITIES, SEVERAL)
        true = np.where(SEVERAL, PROBABILITIES, 1 - PROBABILITIES)
        np.testing.assert_array_equal(found.correct, (true > 0.5).all(axis=2))
        np.testing.assert_allclose(found.confidence, np.log(1 / (1 / true.prod(axis=2) - 1)))
        log_odds = np.log(PROBABILITIES / (1 - PROBABILITIES))
        np.testing.assert_allclose(signals(log_odds, SEVERAL).confidence, found.confidence)

    def test_logits_of_several_labels_are_read_alike(self):
        """Those of one model may all lie in 0 to 1."""
        logits = LOGITS.copy()
        logits[2] = rng.random((RECORDS, 3))
        found = reading(logits, SEVERAL)
        loss = np.log1p(np.exp(np.where(SEVERAL, -1, 1) * logits[2])).sum(axis=1)
        np.testing.assert_allclose(found.observations.signals.confidence[2], -np.log(np.expm1(loss)))
        assert found.notes == ("outputs were taken for logits of 3 labels",)

    def test_tokens_whatever_they_are_padded_to(self):
        wider = np.concatenate([TOKENS, np.full((MODELS, RECORDS, 9), np.nan)], axis=2)
        ours, theirs = signals(TokenLogProbabilities(TOKENS)), signals(TokenLogProbabilities(wider))
        np.testing.assert_array_equal(ours.lowest, theirs.lowest)
        np.testing.assert_allclose(ours.confidence, np.nanmean(TOKENS, axis=2))
        assert ours.lowest_standardised is None

    def test_numbers_beyond_all_measure_warn_of_nothing(self):
        np.testing.assert_allclose(signals(TokenLogProbabilities(1e300 * TOKENS)).confidence, -1e50)
        assert reading(Losses(LOGITS[:, :, 0]), NUMBERS * 1e300).observations.labels.max() == 9
        assert reading(Residuals(LOGITS[:, :, 0]), NUMBERS * 1e300).observations.labels.max() == 0

    def test_tokens_with_their_vocabulary(self):
        found = signals(TokenLogProbabilities(TOKENS, TOKENS - 1, np.full(TOKENS.shape, 2.0)))
        np.testing.assert_allclose(found.lowest_standardised, 0.5)

    @pytest.mark.parametrize(
        ("answers", "labels", "note"),
        [
            (PROBABILITIES, LABELS, "probabilities of 3 classes"),
            (LOGITS, LABELS, "logits of 3 classes"),
            (GUESSES, LABELS, "guessed labels of 3 classes; a regression's are given as pytest_mia.Residuals"),
            (GUESSES.astype(str), LABELS.astype(str), "guessed labels of 3 classes"),
            (
                PROBABILITIES[:, :, 0],
                LABELS % 2,
                "probabilities of the second of 2 classes; a regression's are given as pytest_mia.Residuals",
            ),
            (
                LOGITS[:, :, :1],
                LABELS % 2,
                "logits of the second of 2 classes; a regression's are given as pytest_mia.Residuals",
            ),
            (PROBABILITIES[:, :, 0], NUMBERS, "predicted numbers"),
            (PROBABILITIES, SEVERAL, "probabilities of 3 labels"),
            (Residuals(LOGITS), None, None),
            (Losses(LOGITS[:, :, 0]), LABELS, None),
            (TokenLogProbabilities(TOKENS), None, None),
        ],
    )
    def test_what_is_guessed_is_said(self, answers, labels, note):
        assert reading(answers, labels).notes == ((f"outputs were taken for {note}",) if note else ())

    def test_classes_are_those_of_records_that_have_one(self):
        assert reading(PROBABILITIES, LABELS).classes == LABELS.tolist()
        assert reading(TokenLogProbabilities(TOKENS), LABELS).classes == LABELS.tolist()
        assert reading(Losses(LOGITS[:, :, 0]), LABELS).classes == ()
        assert reading(PROBABILITIES, SEVERAL).classes == ()

    @pytest.mark.parametrize(
        ("answers", "labels", "told"),
        [
            (LOGITS[:, :, 0], NUMBERS, "NaN"),
            (Residuals(LOGITS), None, "NaN"),
            (Losses(LOGITS[:, :, 0]), None, "NaN"),
            (PROBABILITIES, SEVERAL, "NaN"),
            (LOGITS, SEVERAL, "NaN"),
            (TokenLogProbabilities(TOKENS), None, "NaN for every token"),
        ],
    )
    def test_nan_names_the_model_and_the_record(self, answers, labels, told):
        values = answers if isinstance(answers, np.ndarray) else answers.values
        spoiled = values.copy()
        spoiled[3, 7:9] = np.nan
        given = spoiled if isinstance(answers, np.ndarray) else type(answers)(spoiled)
        with pytest.raises(InvalidAuditError, match=f"{told} on 2 of 40 records, first on record 7") as error:
            reading(given, labels)
        assert error.value.__notes__ == ["in the outputs of model 3"]

    def test_guesses_of_which_none_is_a_label(self):
        with pytest.raises(MIAUsageError, match=r"mia_outputs: the answer, .* can't be read for 3 classes"):
            reading(GUESSES + 7, LABELS)


SIZE = 120
X = rng.normal(size=(SIZE, 6))
Y = X[:, 0] + rng.normal(size=SIZE)
BOTH = np.column_stack([Y, 1e3 * X[:, 1]])
CODES = (rng.random((SIZE, 3)) < 0.5).astype(int)
TEXTS = np.where(np.arange(12) < rng.integers(4, 12, (SIZE, 1)), rng.integers(0, 30, (SIZE, 12)), -1)
VISITS = np.arange(SIZE) // 2


def regressor():
    return KNeighborsRegressor(2)


def classifier():
    return KNeighborsClassifier(3)


def texts():
    return Bigrams(30, 0.1)


def tell(model, X):
    return model.tell(X)


def squared(model, X, y):
    return (y - model.predict(X)) ** 2


def chances(model):
    return np.stack([each[:, 1] for each in model.predict_proba(X)], axis=1)


CASES = {
    "numbers": (regressor, (X, Y), {}, lambda model: model.predict(X), Y),
    "numbers in a column": (regressor, (X, Y[:, None]), {}, lambda model: model.predict(X), Y[:, None]),
    "several numbers": (regressor, (X, BOTH), {}, lambda model: model.predict(X), BOTH),
    "residuals": (regressor, (X, Y), {}, lambda model: Residuals(Y - model.predict(X)), Y),
    "residuals of several": (regressor, (X, BOTH), {}, lambda model: Residuals(BOTH - model.predict(X)), BOTH),
    "losses": (regressor, (X, Y), {"loss": squared}, lambda model: Losses(squared(model, X, Y)), Y),
    "probabilities of labels": (classifier, (X, CODES), {}, chances, CODES),
    "labels": (
        classifier,
        (X, CODES),
        {"predict": lambda model, X: model.predict(X)},
        lambda model: model.predict(X),
        CODES,
    ),
    "tokens": (
        texts,
        (TEXTS, None),
        {"training": Bigrams.learn, "predict": tell},
        lambda model: model.tell(TEXTS),
        None,
    ),
    "people": (classifier, Dataset(X, Y > 0, groups=VISITS), {}, lambda model: model.predict_proba(X), Y > 0),
    "numbers of people": (regressor, Dataset(X, Y, groups=VISITS), {}, lambda model: model.predict(X), Y),
}


@pytest.mark.parametrize("case", CASES)
def test_outputs_give_the_figures_of_the_audit_whose_models_gave_them(case):
    factory, records, functions, told, labels = CASES[case]
    ours = audit(factory, records, shadows=3, seed=2, jobs=1, attacks=SINGLE, **functions)
    kept = finish(train(AuditRequest(factory, records, **functions), Settings(shadows=3, seed=2, jobs=1)))
    answers, members = [told(one.model) for one in kept], [one.members for one in kept]
    groups = records.groups if isinstance(records, Dataset) else None
    theirs = audit_outputs(answers, members, labels, groups=groups, seed=2, attacks=SINGLE)
    assert figures(theirs) == figures(ours)
    assert ("groups=groups" in theirs.replay) == (groups is not None)
    assert ours.advantage.low > 0


def figures(result):
    """Everything but what the clock, the machine and the command say, and how models were trained, or answers read."""
    said = {"seconds", "replay", "device", "notes", "lines"}
    return {name: value for name, value in result.to_dict().items() if name not in said}


PEOPLE = np.arange(300) // 2


def world(kind, leak, seed):
    """Answers of 8 models on 300 records, which miss by half as much on their members where they leak."""
    rng = np.random.default_rng([seed, 7])
    members = (rng.random((8, 150)) < 0.5)[:, PEOPLE] if kind == "people" else rng.random((8, 300)) < 0.5
    scale, noise = np.where(members & leak, 0.5, 1.0), rng.normal(size=(8, 300))
    y, codes, given = rng.normal(size=300), rng.integers(0, 2, (300, 3)), {"labels": None}
    if kind in ("numbers", "people"):
        given |= {"outputs": y - scale * noise, "labels": y}
    elif kind == "several labels":
        logits = (2 * codes - 1) * (1 + rng.normal(size=(8, 300, 3)) + (2 - 2 * scale)[:, :, None])
        given |= {"outputs": logits, "labels": codes}
    elif kind == "labels alone":
        right = rng.random((8, 300, 3)) < (1 - scale / 4)[:, :, None]
        given |= {"outputs": np.where(right, codes, 1 - codes), "labels": codes}
    elif kind == "tokens":
        lengths = rng.integers(5, 30, (300, 1))
        values = -scale[:, :, None] * rng.exponential(size=(8, 300, 30))
        given |= {"token_log_probabilities": np.where(np.arange(30) < lengths, values, np.nan)}
    else:
        given |= {"residuals": scale * noise} if kind == "residuals" else {"losses": (scale * noise) ** 2}
    return given | {"members": members, "groups": PEOPLE if kind == "people" else None}


def audited(given):
    return finish(run(AuditRequest(None, None, outputs=given), Settings(attacks=tuple(SINGLE), seed=1)))


KINDS = ("numbers", "people", "residuals", "losses", "several labels", "labels alone", "tokens")


@pytest.mark.parametrize("kind", KINDS)
def test_a_leak_is_seen(kind):
    result = audited(world(kind, leak=True, seed=0))
    assert not result.findings
    with pytest.raises(MembershipLeakError):
        result.assert_membership_advantage_below(0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_accused_without_one(kind):
    result = audited(world(kind, leak=False, seed=0))
    assert not result.findings
    assert result.advantage.low < 0.03
    assert all(attack.advantage.low < 0.05 for attack in result.attacks)
    assert np.mean([attack.auc for attack in result.attacks]) == pytest.approx(0.5, abs=0.04)
