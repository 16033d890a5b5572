"""Hooks and fixtures. What they do stands in `options`, `session`, `trial` and `reports`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.plugin import options
from pytest_mia.plugin.session import Session
from pytest_mia.verdicts.gate_functions import shown_call
from pytest_mia.verdicts.gates import EpsilonBelow, Gate, MembershipAdvantageBelow, NoAdvantageRegression, TprBelow

if TYPE_CHECKING:
    from pytest_mia.auditing.run import ShadowModel
    from pytest_mia.plugin.audit_test import AuditTest
    from pytest_mia.verdicts.audit_result import AuditResult

SESSION = pytest.StashKey[Session]()
TRIAL = pytest.StashKey["AuditTest"]()
TEST = pytest.StashKey[str]()
POSITION = pytest.StashKey[int]()

PROVIDED = (
    "mia_audit",
    "shadow_models",
    "assert_membership_advantage_below",
    "assert_tpr_below",
    "assert_epsilon_below",
    "assert_no_advantage_regression",
)
OVERRIDDEN = (
    "mia_dataset",
    "mia_model_factory",
    "mia_training",
    "mia_predict",
    "mia_loss",
    "mia_augment",
    "mia_target",
    "mia_shadow_factory",
    "mia_shadow_dataset",
    "mia_outputs",
)
FIXTURES = frozenset(PROVIDED + OVERRIDDEN)
NEEDING = frozenset(PROVIDED)
"""Fixtures that audit or train."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add options and ini keys."""
    options.add(parser)


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
    asked = config.stash[SESSION].options
    others = []
    for item in items:
        item.stash[TEST] = item.nodeid
        if item.get_closest_marker("mia") is None and not FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("mia")
        if item.get_closest_marker("mia") is None:
            others.append(item)
            continue
        _check_marker(item, asked)
        if asked.skip:
            item.add_marker(pytest.mark.skip(reason="--mia-skip"))
    if asked.only and others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item.get_closest_marker("mia") is not None]


def _check_marker(item: pytest.Item, asked: options.Options) -> None:
    """Report a bad marker as an error of collection: an exception here would crash a worker of pytest-xdist."""
    try:
        options.marked(item, asked.settings)
    except MIAUsageError as error:
        report = pytest.CollectReport(nodeid=item.nodeid, outcome="failed", longrepr=str(error), result=[])
        item.config.hook.pytest_collectreport(report=report)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Number the tests, for reports in their order, and load the engine where an audit is to come."""
    for position, item in enumerate(session.items):
        item.stash[POSITION] = position
    if not session.config.option.collectonly and any(map(_audits, session.items)):
        session.config.stash[SESSION].load_engine()


def _audits(item: pytest.Item) -> bool:
    """Whether a test needs the engine; one with a condition for its skipping may."""
    return item.get_closest_marker("skip") is None and not NEEDING.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that requested a gate and never called it: nothing was checked."""
    result = yield
    trial = item.stash.get(TRIAL, None)
    if trial is not None and trial.unasked:
        names = ", ".join(sorted(trial.unasked))
        pytest.fail(f"{names}: requested and never called, so nothing was checked; call it or drop it", pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send the audits of a test with its last report."""
    trial = item.stash.get(TRIAL, None)
    if trial is None or call.when != "teardown":
        return (yield)
    from pytest_mia.reports import junit

    measured, audits = trial.measured(), trial.take()
    item.user_properties += [each for audit in audits for each in junit.properties(audit)]
    report = yield
    item.config.stash[SESSION].verdicts.send(report, trial.test, item.stash.get(POSITION, 0), audits, measured)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that lost verdicts, and write the reports."""
    mia = session.config.stash[SESSION]
    if hasattr(session.config, "workerinput"):
        session.config.workeroutput["mia_begun"] = sorted(mia.verdicts.begun)  # type: ignore[attr-defined]
        return
    mia.verdicts.expect("", mia.verdicts.begun)
    if mia.verdicts.lost:
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
    if session.config.option.collectonly:
        return
    try:
        mia.write_reports()
    except OSError as error:
        # The verdicts are still to be shown.
        mia.told = f"mia: a report can't be written: {error}"
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show all audits, one row each, and what became of the baseline, and tell GitHub where it asks."""
    outcome, told = config.stash[SESSION].verdicts.outcome, config.stash[SESSION].told
    if told:
        terminalreporter.write_line(told)
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
def _mia_trial(
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

    subject = AuditRequest(
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
    trial = AuditTest(item.stash.get(TEST, item.nodeid), item, request.config.stash[SESSION], subject)
    item.stash[TRIAL] = trial
    return trial


@pytest.fixture
def mia_audit(_mia_trial: AuditTest) -> AuditResult:
    """The audit's `AuditResult`; its gates are methods.

    It judges nothing by itself:

        def test_model(mia_audit):
            assert mia_audit.advantage.estimate < 0.1
    """
    __tracebackhide__ = True
    return _mia_trial.audit()


@pytest.fixture
def shadow_models(_mia_trial: AuditTest) -> tuple[ShadowModel, ...]:
    """The trained shadows, each with its ``model`` and its ``members`` (records,).

    For attacks of your own: ``members`` says which records the model was trained on.
    """
    __tracebackhide__ = True
    return _mia_trial.shadow_models()


def _gate_fixture(gate: type[Gate]) -> Any:
    """The fixture of a gate."""

    def fixture(_mia_trial: AuditTest) -> Callable[..., AuditResult]:
        return _mia_trial.gate(gate, gate.fixture)

    prose = inspect.cleandoc(gate.__doc__ or "").partition("\n\nParameters\n")[0]
    fixture.__doc__ = f"``{shown_call(gate)}``: {prose[0].lower()}{prose[1:]}"
    return pytest.fixture(name=gate.fixture)(fixture)


assert_membership_advantage_below = _gate_fixture(MembershipAdvantageBelow)
assert_tpr_below = _gate_fixture(TprBelow)
assert_epsilon_below = _gate_fixture(EpsilonBelow)
assert_no_advantage_regression = _gate_fixture(NoAdvantageRegression)
