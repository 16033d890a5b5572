"""Hooks and fixtures. What they do stands in `options`, `collection`, `session`, `audit_test` and `reports`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.plugin import collection, options
from pytest_mia.plugin.collection import FIXTURES, OVERRIDDEN, PROVIDED
from pytest_mia.plugin.session import Session
from pytest_mia.verdicts.gates import EpsilonBelow, Gate, MembershipAdvantageBelow, NoAdvantageRegression, TprBelow
from pytest_mia.verdicts.judging import shown_call

if TYPE_CHECKING:
    from pytest_mia.auditing.run import ShadowModel
    from pytest_mia.plugin.audit_test import AuditTest
    from pytest_mia.verdicts.audit_result import AuditResult

__all__ = ["FIXTURES", "OVERRIDDEN", "PROVIDED"]

SESSION = pytest.StashKey[Session]()
AUDIT_TEST = pytest.StashKey["AuditTest"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add options and ini keys."""
    options.add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Do what was asked for instead of running tests."""
    listing, kind = config.getoption("mia_list_attacks"), config.getoption("mia_init")
    if not listing and kind is None:
        return None
    from pytest_mia.plugin import commands

    try:
        return commands.list_attacks() if listing else commands.init(config.invocation_params.dir, kind)
    except MIAUsageError as error:
        raise pytest.UsageError(*error.problems) from None


def pytest_configure(config: pytest.Config) -> None:
    """Read the options, and register the marker."""
    config.addinivalue_line("markers", options.marker_line())
    config.stash[SESSION] = session = Session(config)
    config.pluginmanager.register(session.verdicts, "mia-verdicts")


def pytest_report_header(config: pytest.Config) -> str:
    """One line with the settings of the run."""
    return options.header(config.stash[SESSION].options)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark, check, skip and choose audits, before ``-m`` looks at the marks."""
    collection.mark_audits(config, items, config.stash[SESSION].options)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Number the tests, for reports in their order, and load the engine where an audit is to come."""
    collection.number_tests(session.items)
    if not session.config.option.collectonly and any(map(collection.needs_engine, session.items)):
        session.config.stash[SESSION].load_engine()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that requested a gate and never called it: nothing was checked."""
    result = yield
    audit_test = item.stash.get(AUDIT_TEST, None)
    if audit_test is not None and audit_test.unasked:
        names = ", ".join(sorted(audit_test.unasked))
        pytest.fail(f"{names}: requested and never called, so nothing was checked; call it or remove it", pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send the audits of a test with its last report."""
    audit_test = item.stash.get(AUDIT_TEST, None)
    if audit_test is None or call.when != "teardown":
        return (yield)
    from pytest_mia.reports import junit

    measured, audits = audit_test.measured(), audit_test.take()
    item.user_properties += [each for audit in audits for each in junit.properties(audit)]
    report = yield
    position = item.stash.get(collection.POSITION, 0)
    item.config.stash[SESSION].verdicts.send(report, audit_test.test, position, audits, measured)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that lost verdicts, and write the reports."""
    session.config.stash[SESSION].finish(session)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show all audits, one row each, and what became of the baseline, and tell GitHub where it asks."""
    session = config.stash[SESSION]
    outcome = session.verdicts.outcome
    if session.remark:
        terminalreporter.write_line(session.remark)
    if hasattr(config, "workerinput") or not (outcome.placed or outcome.lost):
        return
    from pytest_mia.reports import registry

    registry.show(outcome, terminalreporter)


@pytest.fixture(scope="session")
def mia_dataset() -> Any:
    """The records to audit: override it to return ``(X, y)`` or a `pytest_mia.Dataset` with groups and slices.

    Arrays, DataFrames, sparse matrices, tensors, lists of texts, or a map-style torch data set in the place of both:

        @pytest.fixture(scope="session")
        def mia_dataset():
            return load_breast_cancer(return_X_y=True)
    """
    from pytest_mia.plugin.audit_test import Missing

    return Missing("mia_dataset", "    def mia_dataset():\n        return X, y  # the records and their labels")


@pytest.fixture(scope="session")
def mia_model_factory() -> Any:
    """How a model is made: override it to return a callable that returns a fresh, untrained model.

    It is called once for every model that is trained, and must not return the same object twice:

        @pytest.fixture(scope="session")
        def mia_model_factory():
            return lambda: RandomForestClassifier(min_samples_leaf=10)
    """
    from pytest_mia.plugin.audit_test import Missing

    lines = "    def mia_model_factory():\n        return lambda: RandomForestClassifier()  # a fresh, untrained model"
    return Missing("mia_model_factory", lines)


@pytest.fixture(scope="session")
def mia_training() -> Any:
    """How a torch module is trained: override it to return ``TorchTraining(...)`` or any ``train(model, X, y)``.

    The training that you ship, for what it leaks is what is measured:

        @pytest.fixture(scope="session")
        def mia_training():
            return pytest_mia.TorchTraining(epochs=20, lr=0.01)
    """


@pytest.fixture(scope="session")
def mia_predict() -> Any:
    """How a model answers: override it to return ``predict(model, X)`` -> probabilities, logits, labels, numbers...

    Audit what an attacker can see. A service that gives labels away, and nothing else, leaks less:

        @pytest.fixture(scope="session")
        def mia_predict():
            return lambda model, X: model.predict(X)
    """


@pytest.fixture(scope="session")
def mia_loss() -> Any:
    """For models without classes: override it to return ``loss(model, X, y)`` -> one value per record.

    The lower it is, the better the model knows the record:

        @pytest.fixture(scope="session")
        def mia_loss():
            return lambda model, X, y: (y - model.predict(X)) ** 2
    """


@pytest.fixture(scope="session")
def mia_augment() -> Any:
    """Changed copies to ask about: override it to return ``augment(X, rng)`` -> a copy of each record, in its order.

    An attacker asks about mirrored or shifted images, or records with a little noise, as well as about the records
    themselves. Change what leaves the label true, best as training does; draw from `rng`, a numpy Generator.
    """


@pytest.fixture(scope="session")
def mia_target() -> Any:
    """A trained model to audit: override it to return ``pytest_mia.Target(model, members=..., nonmembers=...)``.

    Members are records that it was trained on, non-members are records like them that it never saw:

        @pytest.fixture(scope="session")
        def mia_target():
            model = joblib.load("model.joblib")
            return pytest_mia.Target(model, members=(X_train, y_train), nonmembers=(X_test, y_test))
    """


@pytest.fixture(scope="session")
def mia_shadow_factory() -> Any:
    """The attacker's guess of the factory, or a list of guesses; `mia_model_factory` unless overridden.

    A mapping of names to these compares attackers.
    """


@pytest.fixture(scope="session")
def mia_shadow_dataset() -> Any:
    """Records that the attacker holds; drawn from `mia_dataset` unless overridden.

    A mapping of names to records compares attackers; `pytest_mia.knowledge` makes such records.
    """


@pytest.fixture(scope="session")
def mia_outputs() -> Any:
    """Outputs, memberships and labels of shadows trained elsewhere: override it to train none here.

    Outputs (models, records, classes), memberships (models, records) and labels (records,), or an npz file that holds
    them under the names ``outputs``, ``members`` and ``labels``, and ids of people as ``groups``. Numbers and several
    labels are outputs too; a file may hold ``residuals``, ``losses`` or ``token_log_probabilities`` in their place:

        @pytest.fixture(scope="session")
        def mia_outputs():
            return "shadows.npz"
    """


@pytest.fixture
def _mia_test(
    request: pytest.FixtureRequest,
    mia_dataset: Any,
    mia_model_factory: Any,
    mia_training: Any,
    mia_predict: Any,
    mia_loss: Any,
    mia_augment: Any,
    mia_target: Any,
    mia_shadow_factory: Any,
    mia_shadow_dataset: Any,
    mia_outputs: Any,
) -> AuditTest:
    __tracebackhide__ = True
    from pytest_mia.core.request import AuditRequest
    from pytest_mia.plugin.audit_test import AuditTest

    audited = AuditRequest(
        model_factory=mia_model_factory,
        dataset=mia_dataset,
        training=mia_training,
        predict=mia_predict,
        loss=mia_loss,
        target=mia_target,
        shadow_factory=mia_shadow_factory,
        shadow_dataset=mia_shadow_dataset,
        outputs=mia_outputs,
        augment=mia_augment,
    )
    item = request.node
    test = item.stash.get(collection.TEST, item.nodeid)
    item.stash[AUDIT_TEST] = audit_test = AuditTest(test, item, request.config.stash[SESSION], audited)
    return audit_test


@pytest.fixture
def mia_audit(_mia_test: AuditTest) -> AuditResult:
    """The audit's `AuditResult`; its gates are methods.

    It judges nothing by itself:

        def test_model(mia_audit):
            assert mia_audit.advantage.estimate < 0.1
    """
    __tracebackhide__ = True
    return _mia_test.audit()


@pytest.fixture
def shadow_models(_mia_test: AuditTest) -> tuple[ShadowModel, ...]:
    """The trained shadows, each with its ``model`` and its ``members`` (records,).

    For attacks of your own: ``members`` says which records the model was trained on.
    """
    __tracebackhide__ = True
    return _mia_test.shadow_models()


def _gate_fixture(gate: type[Gate]) -> Any:
    """The fixture of a gate."""

    def fixture(_mia_test: AuditTest) -> Callable[..., AuditResult]:
        return _mia_test.gate(gate, gate.fixture)

    prose = inspect.cleandoc(gate.__doc__ or "").partition("\n\nParameters\n")[0]
    fixture.__doc__ = f"``{shown_call(gate)}``: {prose[0].lower()}{prose[1:]}"
    return pytest.fixture(name=gate.fixture)(fixture)


assert_membership_advantage_below = _gate_fixture(MembershipAdvantageBelow)
assert_tpr_below = _gate_fixture(TprBelow)
assert_epsilon_below = _gate_fixture(EpsilonBelow)
assert_no_advantage_regression = _gate_fixture(NoAdvantageRegression)
