"""The audits of one run: work shared by content, and every verdict brought to the process that reports it."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from pytest_mia.plugin import options
from pytest_mia.reports.github import Place

if TYPE_CHECKING:
    from pytest_mia.auditing.run import ShadowModel
    from pytest_mia.cache.store import Store
    from pytest_mia.core.request import AuditRequest
    from pytest_mia.core.settings import Settings
    from pytest_mia.plugin.progress import ProgressLine
    from pytest_mia.verdicts.audit_result import AuditResult
    from pytest_mia.verdicts.baseline import Baseline

T = TypeVar("T")

CACHED = "mia"
"""The name of our folder in pytest's cache."""


class Session:
    """What the tests of one process share.

    Parameters
    ----------
    config
        The run's configuration.

    Attributes
    ----------
    told
        What became of the baseline that this run saves, in words.

    Raises
    ------
    pytest.UsageError
        When options or ini keys are bad; all of them are named at once.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.options = options.read(config)
        here = not hasattr(config, "workerinput")
        self.verdicts = Verdicts(illustrated=here and bool(config.getoption("htmlpath", None)))
        self._shared: dict[object, Any] = {}
        self._config, self._begun = config, time.time()
        self._baseline: Baseline | None = None
        self.told = ""

    def audit(
        self,
        subject: AuditRequest,
        settings: Settings,
        *,
        progress: ProgressLine,
        replay: str,
        threshold: float | None,
        owner: object,
    ) -> AuditResult:
        """The audit of a subject, made once for all tests that ask for the same.

        Parameters
        ----------
        subject, settings, replay, threshold
            As `pytest_mia.auditing.run` takes them.
        progress
            Shows how far it is.
        owner
            The only one to share with when the subject can't be told by its content.
        """
        from pytest_mia.auditing import run

        def make() -> AuditResult:
            with progress:
                return run.run(
                    subject,
                    settings,
                    progress=progress,
                    announce=progress.announce,
                    replay=replay,
                    threshold=threshold,
                    store=self._store(settings),
                )

        # An audit that may stop early stops by its limit.
        limit = threshold if settings.early_stop else None
        return self._once(("audit", limit), subject, settings, owner, make)

    def shadow_models(
        self, subject: AuditRequest, settings: Settings, *, progress: ProgressLine, owner: object
    ) -> tuple[ShadowModel, ...]:
        """The trained shadows of a subject, shared likewise."""
        from pytest_mia.auditing import run

        def make() -> tuple[ShadowModel, ...]:
            with progress:
                return run.train(subject, settings, progress=progress, announce=progress.announce)

        return self._once(("shadow models",), subject, settings, owner, make)

    def write_reports(self) -> None:
        """Write what was asked for: the JSON report first, from which all others could be made again."""
        if self.options.json is not None:
            from pytest_mia.reports import json

            json.write(self.options.json, self.verdicts.audits)
        if self.options.html is not None:
            from pytest_mia.reports import html

            html.write(self.options.html, self.verdicts.audits, lost=self.verdicts.lost)
        self._save_baseline()

    @property
    def makes_baseline(self) -> bool:
        """Whether this run makes a baseline, and compares with no other."""
        return self.options.save is not None and self.options.compare in (None, self.options.save)

    def baseline(self) -> Baseline:
        """The baseline that was named, or else "main".

        Raises
        ------
        MIAUsageError
            When there is none of this name, or its file is something else.
        """
        if self._baseline is None:
            from pytest_mia.verdicts import baseline_file

            self._baseline = baseline_file.read(self._config.rootpath, self.options.compare or options.BASELINE)
        return self._baseline

    def _save_baseline(self) -> None:
        """Write what was measured, if that was asked for."""
        name, found = self.options.save, self.verdicts.measured
        if name is None:
            return
        if not found:
            self.told = f"mia: nothing was saved as the baseline {name}: no valid audit was made"
            return
        from pytest_mia.reports import atomic_write
        from pytest_mia.verdicts import baseline_file

        root = self._config.rootpath
        path, content = baseline_file.place(root, name), baseline_file.merged(root, name, found)
        path.parent.mkdir(exist_ok=True)
        atomic_write.write(path, content, mode=atomic_write.SHARED)
        self.told = (
            f"mia: {len(found)} audit{'s' * (len(found) > 1)} saved in {path.relative_to(root).as_posix()}: commit it"
        )

    def _store(self, settings: Settings) -> Store | None:
        """What is cached goes to pytest's cache, if there is one."""
        from pytest_mia.cache import store

        cache = getattr(self._config, "cache", None)
        try:
            folder = None if cache is None or settings.cache == "off" else cache.mkdir(CACHED)
            if folder is not None:
                folder.chmod(store.PRIVATE_FOLDER)
        except OSError:
            # The store finds out by itself, and says so among the audit's notes.
            folder = self._config.rootpath / self._config.getini("cache_dir") / "d" / CACHED
        return store.opened(folder, settings.cache, since=self._begun)

    def _once(self, what: object, subject: AuditRequest, settings: Settings, owner: object, make: Callable[[], T]) -> T:
        key = what, settings, _content(subject) or owner
        if key not in self._shared:
            self._shared[key] = make()
        result: T = self._shared[key]
        return result


class Verdicts:
    """The verdicts of a run: attached to test reports where tests run, gathered where reports arrive.

    A plugin by itself, whose hooks hear of reports. pytest-xdist carries them from its workers; without it, both ends
    are the same process, which is the worker "".

    Parameters
    ----------
    illustrated
        Whether pytest-html writes a report in this process, which then shows the figures of every audit.

    Attributes
    ----------
    begun
        Tests of this process that use the plugin.
    measured
        Audits as a baseline keeps them, by the node IDs of their tests.
    unheeded
        Tests that passed though their audit did not, in words.
    """

    def __init__(self, *, illustrated: bool = False) -> None:
        self._illustrated = illustrated
        self.begun: set[str] = set()
        self.measured: dict[str, Mapping[str, Any]] = {}
        self._arrived: defaultdict[str, set[str]] = defaultdict(set)
        self._expected: dict[str, set[str]] = {}
        self._silent: set[str] = set()
        self._audits: list[tuple[int, Mapping[str, Any], Place]] = []
        self._failed: dict[str, tuple[Path, int] | None] = {}
        self._passed: set[str] = set()
        self.unheeded: list[str] = []

    def send(
        self,
        report: pytest.TestReport,
        test: str,
        position: int,
        audits: Sequence[Mapping[str, Any]],
        measured: Mapping[str, Any] | None,
    ) -> None:
        """Attach the audits of a test, as the JSON report shows them and as a baseline does, to its last report."""
        vars(report)["mia"] = {"test": test, "position": position, "audits": list(audits), "measured": measured}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather what is attached to a report, wherever it comes from."""
        attached = getattr(report, "mia", None)
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            self._failed[report.nodeid] = None if crash is None else (Path(crash.path), crash.lineno)
        if report.when == "call" and report.passed and not hasattr(report, "wasxfail"):
            self._passed.add(report.nodeid)
        if attached is not None:
            self._arrived[getattr(report, "worker_id", "")].add(attached["test"])
            self._audits += [(attached["position"], audit, self._place(report)) for audit in attached["audits"]]
            if report.nodeid in self._passed and report.nodeid not in self._failed:
                self._heed(attached["test"], attached["audits"])
            if attached["measured"] is not None:
                self.measured[attached["test"]] = attached["measured"]
            if self._illustrated:
                from pytest_mia.reports import pytest_html

                figures = pytest_html.extras(attached["audits"], attached["test"])
                vars(report)["extras"] = [*getattr(report, "extras", []), *figures]

    def _heed(self, test: str, audits: Sequence[Mapping[str, Any]]) -> None:
        """Note verdicts that fail a test, where the test passed: it caught the error, as by ``pytest.raises``."""
        verdicts = dict.fromkeys(audit["verdict"] for audit in audits if audit["verdict"] in ("leak", "invalid"))
        self.unheeded += [
            f"{test} passed, though its verdict is {each}: the test caught the error" for each in verdicts
        ]

    def _place(self, report: pytest.TestReport) -> Place:
        """Where a test stands: the line that failed if it is in the test's own file, otherwise its first one."""
        file, line, _ = report.location
        crash, parts = self._failed.get(report.nodeid), Path(file).parts
        number = crash[1] if crash is not None and crash[0].parts[-len(parts) :] == parts else (line or 0) + 1
        return Place(file, number, report.nodeid in self._failed)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(self, node: Any) -> None:
        """Wait for a worker."""
        self._silent.add(node.gateway.id)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear from a worker which tests it began; where it crashed, pytest-xdist fails the test."""
        self._silent.discard(node.gateway.id)
        self.expect(node.gateway.id, getattr(node, "workeroutput", {}).get("mia_begun", []))

    def expect(self, worker: str, tests: Iterable[str]) -> None:
        """Expect the reports of these tests from a worker."""
        self._expected[worker] = set(tests)

    @property
    def audits(self) -> list[Mapping[str, Any]]:
        """All audits, in the order of tests."""
        return [audit for audit, _ in self.placed]

    @property
    def placed(self) -> list[tuple[Mapping[str, Any], Place]]:
        """All audits in that order, each with the place of its test; files are relative to the root folder."""
        return [(audit, place) for _, audit, place in sorted(self._audits, key=lambda placed: placed[0])]

    @property
    def lost(self) -> list[str]:
        """What was begun and never heard of again, in words."""
        tests = {test for worker, begun in self._expected.items() for test in begun - self._arrived[worker]}
        return [f"the verdict of {test}" for test in sorted(tests)] + [
            f"all that worker {worker} had left to tell" for worker in sorted(self._silent)
        ]


def _content(subject: AuditRequest) -> str | None:
    """A name for all that an audit of `subject` depends on, or ``None`` where it can't be told."""
    from pytest_mia.cache import content_key

    if isinstance(subject.outputs, (str, os.PathLike)):
        # A file's name says nothing about what it holds.
        return None
    # User code may read the environment and the working folder, which tests change too.
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return content_key.try_hash_content((subject, os.getcwd(), sorted(surroundings.items())))
