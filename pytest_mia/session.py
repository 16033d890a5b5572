"""The audits of one run: work shared by content, and every verdict brought to the process that reports it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from pytest_mia import options
from pytest_mia.reports.progress import ProgressLine

if TYPE_CHECKING:
    from pytest_mia.auditing import ShadowModel
    from pytest_mia.results import AuditResult
    from pytest_mia.settings import Settings
    from pytest_mia.subject import Subject

T = TypeVar("T")


class Session:
    """What the tests of one process share.

    Parameters
    ----------
    config
        The run's configuration.

    Raises
    ------
    pytest.UsageError
        When options or ini keys are bad; all of them are named at once.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.options = options.read(config)
        self.verdicts = Verdicts()
        self._config = config
        self._shared: dict[object, Any] = {}

    def audit(
        self, subject: Subject, settings: Settings, *, replay: str, threshold: float | None, owner: object
    ) -> AuditResult:
        """The audit of a subject, made once for all tests that ask for the same.

        Parameters
        ----------
        subject, settings, replay, threshold
            As `pytest_mia.auditing.run` takes them.
        owner
            The only one to share with when the subject can't be told by its content.
        """
        from pytest_mia import auditing

        def make() -> AuditResult:
            with ProgressLine.of(self._config) as progress:
                return auditing.run(subject, settings, progress=progress, replay=replay, threshold=threshold)

        return self._once("audit", subject, settings, owner, make)

    def shadow_models(self, subject: Subject, settings: Settings, *, owner: object) -> tuple[ShadowModel, ...]:
        """The trained shadows of a subject, shared likewise."""
        from pytest_mia import auditing

        def make() -> tuple[ShadowModel, ...]:
            with ProgressLine.of(self._config) as progress:
                return auditing.train(subject, settings, progress=progress)

        return self._once("shadow models", subject, settings, owner, make)

    def _once(self, what: str, subject: Subject, settings: Settings, owner: object, make: Callable[[], T]) -> T:
        key = what, settings, _content(subject) or owner
        if key not in self._shared:
            self._shared[key] = make()
        result: T = self._shared[key]
        return result


class Verdicts:
    """The verdicts of a run: attached to test reports where tests run, gathered where reports arrive.

    A plugin by itself, whose hooks hear of reports. pytest-xdist carries them from its workers; without it, both ends
    are the same process.
    """

    def __init__(self) -> None:
        self.sent = 0
        self._arrived: Counter[str] = Counter()
        self._expected: Counter[str] = Counter()
        self._audits: list[tuple[int, Mapping[str, Any]]] = []

    def send(self, report: pytest.TestReport, position: int, audits: Sequence[Mapping[str, Any]]) -> None:
        """Attach a test's audits, as the JSON report shows them, to its report."""
        self.sent += len(audits)
        vars(report)["mia"] = {"position": position, "audits": list(audits)}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather what is attached to a report, wherever it comes from."""
        attached = getattr(report, "mia", {"position": 0, "audits": []})
        self._arrived[getattr(report, "worker_id", "")] += len(attached["audits"])
        self._audits += [(attached["position"], audit) for audit in attached["audits"]]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear from a worker how many audits it sent; one that crashed fails its test by itself."""
        sent = getattr(node, "workeroutput", {}).get("mia_audits", 0)
        self.expect(node.gateway.id, sent)

    def expect(self, worker: str, audits: int) -> None:
        """Expect so many audits from a worker; "" is this process."""
        self._expected[worker] += audits

    @property
    def audits(self) -> list[Mapping[str, Any]]:
        """All audits, in the order of tests."""
        return [audit for _, audit in sorted(self._audits, key=lambda placed: placed[0])]

    @property
    def missing(self) -> int:
        """How many audits were sent and never arrived."""
        return (self._expected - self._arrived).total()


def _content(subject: Subject) -> str | None:
    """A name for all that an audit of `subject` depends on, or ``None`` where it can't be told."""
    from pytest_mia import fingerprint

    # User code may read the environment and the working folder, which tests change too.
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return fingerprint.of((subject, os.getcwd(), sorted(surroundings.items())))
