"""Remedies that train: which lines to change, and what they are measured to do."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from torches import needs_torch, torch

import pytest_mia
from pytest_mia import TorchTraining, gates, remedies
from pytest_mia.auditing import retraining
from pytest_mia.auditing.retraining import NEEDS_OPACUS, PRIVATE, STOPPED, Calibrated, WithParameters
from pytest_mia.core.request import AuditRequest
from pytest_mia.remedies import EarlyStoppedTraining, PrivateTraining
from pytest_mia.training.factories import FactoryProbe

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(200, 5)), RNG.integers(0, 2, 200)


class Plan:
    """As much of a plan as is looked at."""

    def __init__(self, factory, kind="recipe"):
        self.kind, self.tried = kind, (FactoryProbe("mia_model_factory", factory, (factory(), factory())),)


def lines(factory, training=None):
    return retraining.describe_retrainings(Plan(factory), AuditRequest(factory, (X, Y), training))


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        (LogisticRegression, ("set_params(C=0.1) (now 1.0)",)),
        (
            lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.03)),
            ("set_params(logisticregression__C=0.003) (now 0.03)",),
        ),
        (RandomForestClassifier, ("set_params(min_samples_leaf=10) (now 1)", "set_params(max_depth=3) (now None)")),
        (
            lambda: SGDClassifier(early_stopping=True),
            ("set_params(alpha=0.001) (now 0.0001)",),
        ),
        (GaussianNB, ()),
        (dict, ()),
    ],
)
def test_lines_of_factories(factory, expected):
    assert lines(factory) == expected


@pytest.fixture(params=[True, False], ids=["opacus", "no opacus"])
def opacus(request, monkeypatch):
    """Whether Opacus is installed."""
    monkeypatch.setattr(retraining, "private_available", lambda: request.param)
    return request.param


@needs_torch
def test_lines_of_a_torch_training(opacus):
    expected = (
        "TorchTraining(epochs=10) (now 20)",
        "TorchTraining(weight_decay=0.01) (now 0.0)",
        STOPPED,
        PRIVATE if opacus else PRIVATE + NEEDS_OPACUS,
    )
    assert lines(lambda: torch.nn.Linear(5, 2)) == expected
    assert lines(lambda: torch.nn.Linear(5, 2), TorchTraining(epochs=1)) == expected[1:]
    assert lines(lambda: torch.nn.Linear(5, 2), lambda model, X, y: None) == ()


def test_lines_of_boosting_stop_it_early():
    assert "set_params(n_iter_no_change=5) (now None)" in lines(GradientBoostingClassifier)


def test_what_can_be_measured():
    factory = DecisionTreeClassifier
    found = retraining.propose_retrainings(Plan(factory), AuditRequest(factory, (X, Y)))
    assert [each.line.split(" ")[0] for each in found] == [
        "set_params(min_samples_leaf=10)",
        "set_params(max_depth=3)",
        "CalibratedClassifierCV(estimator,",
    ]
    assert found[0].request.model_factory == WithParameters(factory, (("min_samples_leaf", 10),))
    assert found[0].request.model_factory().min_samples_leaf == 10
    assert found[2].request.model_factory == Calibrated(factory)


@needs_torch
def test_a_torch_training_is_changed_and_its_factory_is_not(opacus):
    factory = lambda: torch.nn.Linear(5, 2)  # noqa: E731
    first, second, stopped, *private = retraining.propose_retrainings(
        Plan(factory), AuditRequest(factory, (X, Y), TorchTraining(lr=0.1))
    )
    assert first.request.training == TorchTraining(lr=0.1, epochs=10)
    assert second.request.training == TorchTraining(lr=0.1, weight_decay=0.01)
    assert first.request.model_factory is factory
    assert stopped.request.training == EarlyStoppedTraining(TorchTraining(lr=0.1))
    assert [each.request.training for each in private] == [PrivateTraining(TorchTraining(lr=0.1))] * opacus
    for each in (stopped, *private):
        assert eval(
            each.line, {n: getattr(remedies, n) for n in remedies.__all__} | {"training": TorchTraining(lr=0.1)}
        ) == (each.request.training)


def test_a_release_is_trained_already():
    assert (
        retraining.propose_retrainings(Plan(LogisticRegression, "release"), AuditRequest(LogisticRegression, None))
        == ()
    )


def test_what_models_of_a_factory_share_stays_as_it_is():
    shared = LogisticRegression()
    assert WithParameters(lambda: shared, (("C", 0.1),))().C == 0.1
    assert shared.C == 1.0


def audit(factory, what_if, **keywords):
    return pytest_mia.audit(factory, (X, Y), shadows=3, attacks=["gap", "loss"], jobs=1, what_if=what_if, **keywords)


def test_each_is_the_audit_of_the_changed_recipe(tmp_path, no_patches):
    result = audit(DecisionTreeClassifier, "train", cache_dir=tmp_path)
    trained = [each for each in result.what_if if each.trains]
    assert [each.idea for each in trained] == [
        "regularised by min_samples_leaf",
        "regularised by max_depth",
        "calibrated",
    ]
    assert len(result.what_if) == len(remedies.by_default(2)) + 3
    confidence = 1 - 0.05 / 4
    assert {each.audit.advantage.confidence for each in result.what_if} == {confidence}
    assert result.advantage.confidence == 0.95
    leaves = audit(lambda: DecisionTreeClassifier(min_samples_leaf=10), "off", confidence=confidence)
    assert trained[0].audit.attacks == leaves.attacks
    again = audit(DecisionTreeClassifier, "train", cache_dir=tmp_path)
    assert [each.audit.cache.misses for each in again.what_if if each.trains] == [0, 0, 0]


def test_the_message_holds_the_lines():
    leak = gates.membership_advantage(audit(DecisionTreeClassifier, "off"), 0.05)
    assert leak.verdict == "leak"
    assert "set_params(min_samples_leaf=10) (now 1)" in " ".join(leak.message.split())
    assert leak.to_dict()["lines"] == list(leak.lines)


def test_what_cannot_be_trained_is_noted():
    class Stubborn(LogisticRegression):
        def fit(self, X, y):
            if self.C < 1:
                raise RuntimeError("too strong")
            return super().fit(X, y)

    result = audit(Stubborn, "train")
    assert not any("C=0.1" in each.remedy for each in result.what_if)
    assert any("C=0.1) (now 1.0) can't be measured: model 0" in note for note in result.notes)


class TestTimeLimit:
    """Remedies train within the audit's own time limit; what it doesn't leave time for costs no finished audit."""

    def audit(self, deadline_passes, training, done, **others):
        """The audit whose deadline passes after so many models of a training; the first one is the audit's own."""
        begun = []

        def tell(models, _total, _seconds):
            begun.extend([0] * (models == 0))
            if len(begun) == training and models == done:
                deadline_passes()

        names = ["loss", "gap"]
        return pytest_mia.audit(
            RandomForestClassifier, (X, Y), shadows=3, jobs=1, attacks=names, time_limit=1e6, progress=tell, **others
        )

    def test_the_remedy_that_is_being_trained_and_those_after_it_are_notes(self, deadline_passes):
        result = self.audit(deadline_passes, 3, 2, what_if="train")
        assert result.models == 4
        trained = [each for each in result.what_if if each.trains]
        assert [each.remedy.partition("=")[0] for each in trained] == ["set_params(min_samples_leaf"]
        notes = [note for note in result.notes if "measured" in note and "what if" in note]
        assert len(notes) == 2
        assert notes[0].startswith("what if: set_params(max_depth=3) (now None) can't be measured: the time limit of ")
        assert "after 2 of 4 models" in notes[0]
        assert notes[1].startswith("what if: CalibratedClassifierCV(estimator, cv=3) was not measured: the time limit ")

    def test_where_the_audit_took_all_of_it_no_remedy_is_trained(self, deadline_passes):
        result = self.audit(deadline_passes, 1, 4, what_if="train")
        assert result.models == 4
        assert not any(each.trains for each in result.what_if)
        assert sum("was not measured: the time limit" in note for note in result.notes) == 3

    def test_nor_are_canaries(self, deadline_passes):
        result = self.audit(deadline_passes, 1, 4, controls=True)
        assert "controls: no canaries were planted: there was no time left to train their models" in result.notes


def test_where_nothing_can_be_trained_otherwise_it_is_said():
    def train(model, X, y):
        model["rate"] = np.mean(y)

    result = audit(dict, "train", training=train, predict=lambda model, X: np.full(len(X), model["rate"]))
    assert any("no other training is proposed" in note for note in result.notes)


@needs_torch
def test_early_stopping_of_a_module_is_measured_as_it_is_shipped(monkeypatch):
    """Features that are noise: the sooner it stops, the less it knows of its members."""
    monkeypatch.setattr(retraining, "private_available", lambda: False)
    training = TorchTraining(epochs=12, lr=0.05)

    def factory():
        return torch.nn.Sequential(torch.nn.Linear(5, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))

    result = audit(factory, "train", training=training)
    stopped = next(each for each in result.what_if if each.remedy == STOPPED)
    shipped = audit(factory, "off", training=EarlyStoppedTraining(training), confidence=1 - 0.05 / 4)
    assert shipped.attacks == stopped.audit.attacks
    assert shipped.advantage.estimate < result.advantage.estimate
