"""Hooks and fixtures. What they do stands in `options`, `session`, `trial` and `reports`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mia import options
from pytest_mia.errors import MIAUsageError
from pytest_mia.session import Session

if TYPE_CHECKING:
    from pytest_mia.auditing import ShadowModel
    from pytest_mia.results import AuditResult
    from pytest_mia.trial import Trial

SESSION = pytest.StashKey[Session]()
TRIAL = pytest.StashKey["Trial"]()
TEST = pytest.StashKey[str]()
POSITION = pytest.StashKey[int]()

PROVIDED = (
    "mia_audit",
    "shadow_models",
    "assert_membership_advantage_below",
    "assert_tpr_below",
    "assert_epsilon_below",
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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add options and ini keys."""
    options.add(parser)


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
    """Number the tests, for reports in their order."""
    for position, item in enumerate(session.items):
        item.stash[POSITION] = position


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

    audits = trial.take()
    item.user_properties += [each for audit in audits for each in junit.properties(audit)]
    report = yield
    item.config.stash[SESSION].verdicts.send(report, trial.test, item.stash.get(POSITION, 0), audits)
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
    if not session.config.option.collectonly:
        mia.write_reports()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show all audits, one row each, and tell GitHub where it asks."""
    verdicts = config.stash[SESSION].verdicts
    if hasattr(config, "workerinput") or not (verdicts.audits or verdicts.lost):
        return
    from pytest_mia.reports import github, terminal

    terminal.show(terminalreporter, verdicts.audits, lost=verdicts.lost)
    github.publish(verdicts.placed, lost=verdicts.lost, root=config.rootpath, write_line=terminalreporter.write_line)


@pytest.fixture(scope="session")
def mia_dataset() -> Any:
    """The records to audit: override it to return ``(X, y)`` or a `pytest_mia.Dataset` with groups and slices."""
    from pytest_mia.trial import Missing

    return Missing("mia_dataset", "    def mia_dataset():\n        return X, y  # the records and their labels")


@pytest.fixture(scope="session")
def mia_model_factory() -> Any:
    """How a model is made: override it to return a callable that returns a fresh, untrained model."""
    from pytest_mia.trial import Missing

    lines = "    def mia_model_factory():\n        return lambda: RandomForestClassifier()  # a fresh, untrained model"
    return Missing("mia_model_factory", lines)


@pytest.fixture(scope="session")
def mia_training() -> Any:
    """How a torch module is trained: override it to return ``TorchTraining(...)`` or any ``train(model, X, y)``."""


@pytest.fixture(scope="session")
def mia_predict() -> Any:
    """How a model answers: override it to return ``predict(model, X)`` -> probabilities, logits, labels, numbers..."""


@pytest.fixture(scope="session")
def mia_loss() -> Any:
    """For models without classes: override it to return ``loss(model, X, y)`` -> one value per record."""


@pytest.fixture(scope="session")
def mia_augment() -> Any:
    """Changed copies to ask about: override it to return ``augment(X, rng)`` -> a copy of each record, in its order.

    An attacker asks about mirrored or shifted images, or records with a little noise, as well as about the records
    themselves. Change what leaves the label true, best as training does; draw from `rng`, a numpy Generator.
    """


@pytest.fixture(scope="session")
def mia_target() -> Any:
    """A trained model to audit: override it to return ``pytest_mia.Target(model, members=..., nonmembers=...)``."""


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
    """Outputs, memberships and labels of shadows trained elsewhere: override it to train none here."""


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
) -> Trial:
    __tracebackhide__ = True
    from pytest_mia.subject import Subject
    from pytest_mia.trial import Trial

    subject = Subject(
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
    trial = Trial(item.stash.get(TEST, item.nodeid), item, request.config.stash[SESSION], subject)
    item.stash[TRIAL] = trial
    return trial


@pytest.fixture
def mia_audit(_mia_trial: Trial) -> AuditResult:
    """The audit's `AuditResult`; its gates are methods."""
    __tracebackhide__ = True
    return _mia_trial.audit()


@pytest.fixture
def shadow_models(_mia_trial: Trial) -> tuple[ShadowModel, ...]:
    """The trained shadows, each with its ``model`` and its ``members`` (records,)."""
    __tracebackhide__ = True
    return _mia_trial.shadow_models()


@pytest.fixture
def assert_membership_advantage_below(_mia_trial: Trial) -> Callable[..., AuditResult]:
    """``assert_membership_advantage_below(0.05, *, by=None, confidence=None)``: the gate on TPR - FPR."""
    return _mia_trial.gate("assert_membership_advantage_below")


@pytest.fixture
def assert_tpr_below(_mia_trial: Trial) -> Callable[..., AuditResult]:
    """``assert_tpr_below(0.01, *, at_fpr=0.001, confidence=None)``: the gate on the few most exposed records."""
    return _mia_trial.gate("assert_tpr_below")


@pytest.fixture
def assert_epsilon_below(_mia_trial: Trial) -> Callable[..., AuditResult]:
    """``assert_epsilon_below(8.0, *, delta=1e-5, confidence=None)``: fails when a claimed epsilon is refuted."""
    return _mia_trial.gate("assert_epsilon_below")
