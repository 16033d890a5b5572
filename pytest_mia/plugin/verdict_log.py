"""Every verdict of a run, brought to the process that reports it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_mia.results.run_outcome import Place, RunOutcome


class VerdictLog:
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
                self._note_unheeded(attached["test"], attached["audits"])
            if attached["measured"] is not None:
                self.measured[attached["test"]] = attached["measured"]
            if self._illustrated:
                from pytest_mia.reports import pytest_html

                figures = pytest_html.extras(attached["audits"], attached["test"])
                vars(report)["extras"] = [*getattr(report, "extras", []), *figures]

    def _note_unheeded(self, test: str, audits: Sequence[Mapping[str, Any]]) -> None:
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
    def outcome(self) -> RunOutcome:
        """All audits in the order of tests, and what is missing; files are relative to the root folder."""
        placed = [(audit, place) for _, audit, place in sorted(self._audits, key=lambda each: each[0])]
        return RunOutcome(placed, self.lost, self.unheeded)

    @property
    def lost(self) -> list[str]:
        """Verdicts of tests that began and never arrived, and workers that never reported, in words."""
        tests = {test for worker, begun in self._expected.items() for test in begun - self._arrived[worker]}
        return [f"the verdict of {test}" for test in sorted(tests)] + [
            f"all verdicts that worker {worker} had not yet sent" for worker in sorted(self._silent)
        ]
