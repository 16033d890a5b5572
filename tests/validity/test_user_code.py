import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from pytest_mia import InvalidAuditError, Target, TorchTraining, audit
from pytest_mia.models.signals import Signals
from pytest_mia.training.factories import FactoryProbe
from pytest_mia.training.jobs import Method, Trained
from pytest_mia.validity.user_code import UserCode

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(120, 3)), np.arange(120) % 3


def honest(model, X, y):
    model.fit(X, y)


def from_outside(model, _X, _y):
    """Trains on all records that there are, each time a little differently."""
    model.set_params(random_state=np.random.randint(2**31), max_features=1).fit(X, Y)  # noqa: NPY002


class Own(DecisionTreeClassifier):
    """A class of the user's own."""


def suspects(method, model, trained):
    return UserCode(None, None, (FactoryProbe("mia_model_factory", None, (model, model)),), trained, method).suspects


class TestSuspects:
    @pytest.mark.parametrize("training", [None, TorchTraining()])
    def test_nobody_where_all_code_is_a_library_s(self, training):
        assert suspects(Method(training, None, None, "cpu", None), GaussianNB(), []) == ()

    def test_functions_of_the_users_own(self):
        method = Method(honest, print, None, "cpu", None)
        assert suspects(method, GaussianNB(), []) == ("mia_training", "mia_predict")

    @pytest.mark.parametrize("model", [Own(), make_pipeline(StandardScaler(), Own())])
    def test_classes_of_the_users_own(self, model):
        assert suspects(Method(None, None, None, "cpu", None), model, []) == ("mia_model_factory",)

    def test_a_factory_whose_models_all_answer_alike(self):
        alike = [Trained(number, Signals(correct=np.arange(4.0) % 2), 1, "cpu", "") for number in range(3)]
        method = Method(None, None, None, "cpu", None)
        assert suspects(method, GaussianNB(), alike) == ("mia_model_factory",)
        assert suspects(method, GaussianNB(), alike[:1]) == ()


def test_the_audit_is_invalid():
    """The models of such a function know all records alike, and would pass every limit."""
    names = ["gap", "loss", "calibrated_gap"]
    result = audit(DecisionTreeClassifier, (X, Y), training=from_outside, shadows=3, jobs=1, attacks=names)
    assert result.advantage.high < 0.1
    with pytest.raises(InvalidAuditError, match="mia_training ignores what it is given"):
        result.assert_membership_advantage_below(0.5)


@pytest.mark.parametrize("shadows", [0, 3])
def test_a_release_is_controlled_where_shadows_are_trained(shadows):
    model = DecisionTreeClassifier().fit(X[:60], Y[:60])
    target = Target(model, (X[:60], Y[:60]), (X[60:], Y[60:]))
    result = audit(DecisionTreeClassifier, None, target=target, training=from_outside, shadows=shadows, jobs=1)
    assert any("mia_training ignores" in finding for finding in result.findings) == (shadows > 0)
