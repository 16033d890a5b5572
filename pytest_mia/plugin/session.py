"""What the tests of one process share: audits by their content, the baseline, and the reports of the run."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Generator
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from pytest_mia.plugin import options
from pytest_mia.plugin.progress import ProgressLine
from pytest_mia.plugin.verdict_log import VerdictLog

if TYPE_CHECKING:
    from pytest_mia.auditing.run import ShadowModel
    from pytest_mia.cache.store import Store
    from pytest_mia.core.events import Event
    from pytest_mia.core.request import AuditRequest
    from pytest_mia.core.settings import Settings
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
    remark
        What became of the baseline that this run saves, in words.

    Raises
    ------
    pytest.UsageError
        When options or ini keys are bad; all of them are named at once.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.options = options.read_options(config)
        here = not hasattr(config, "workerinput")
        self.verdicts = VerdictLog(illustrated=here and bool(config.getoption("htmlpath", None)))
        self._shared: dict[object, Any] = {}
        self._config, self._begun = config, time.time()
        self._baseline: Baseline | None = None
        self.remark = ""

    def load_engine(self) -> None:
        """Load what audits, once, before the first test that needs it runs: it takes a second or two."""
        # Where it can't be loaded, that is an error of the test, and no reason to run none.
        with contextlib.suppress(ImportError):
            from pytest_mia.auditing import run  # noqa: F401
            from pytest_mia.training.backends.select import BACKENDS
            from pytest_mia.verdicts import judgement, next_steps  # noqa: F401

            import_module(BACKENDS[self.options.settings.backend])

    def audit(
        self,
        request: AuditRequest,
        settings: Settings,
        *,
        item: pytest.Item,
        replay: str,
        threshold: float | None,
        owner: object,
    ) -> AuditResult:
        """The audit of a request, made once for all tests that ask for the same.

        Parameters
        ----------
        request, settings, replay, threshold
            As `pytest_mia.auditing.run` takes them.
        item
            The test, in whose line it is shown how far the audit is.
        owner
            The only one to share with when the request can't be told by its content.
        """
        from pytest_mia.auditing import run

        # An audit that may stop early stops by its limit.
        limit = threshold if settings.early_stop else None
        key = self._key(("audit", limit), request, settings, owner)
        if key not in self._shared:
            store = self._store(settings)
            events = run.run(request, settings, replay=replay, threshold=threshold, store=store)
            self._shared[key] = _follow(events, ProgressLine(item))
        result: AuditResult = self._shared[key]
        return result

    def shadow_models(
        self, request: AuditRequest, settings: Settings, *, item: pytest.Item, owner: object
    ) -> tuple[ShadowModel, ...]:
        """The trained shadows of a request, shared likewise."""
        from pytest_mia.auditing import run

        key = self._key("shadow models", request, settings, owner)
        if key not in self._shared:
            self._shared[key] = _follow(run.train(request, settings), ProgressLine(item))
        models: tuple[ShadowModel, ...] = self._shared[key]
        return models

    def finish(self, session: pytest.Session) -> None:
        """Fail a run that lost verdicts, and write the reports; a worker of pytest-xdist says what it began."""
        if hasattr(session.config, "workerinput"):
            session.config.workeroutput["mia_begun"] = sorted(self.verdicts.begun)  # type: ignore[attr-defined]
            return
        self.verdicts.expect("", self.verdicts.begun)
        failed = bool(self.verdicts.lost)
        if not session.config.option.collectonly:
            try:
                self.write_reports()
            except OSError as error:
                # The verdicts are still to be shown.
                self.remark, failed = f"mia: a report can't be written: {error}", True
        if failed:
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def write_reports(self) -> None:
        """Write what was asked for, and save the baseline."""
        from pytest_mia.reports import registry

        for name, path in self.options.reports.items():
            registry.write(name, path, self.verdicts.outcome)
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

            self._baseline = baseline_file.load(self._config.rootpath, self.options.compare or options.BASELINE)
        return self._baseline

    def _save_baseline(self) -> None:
        """Write what was measured, if that was asked for."""
        name, found = self.options.save, self.verdicts.measured
        if name is None:
            return
        if not found:
            self.remark = f"mia: nothing was saved as the baseline {name}: no valid audit was made"
            return
        from pytest_mia.reports import atomic_write
        from pytest_mia.verdicts import baseline_file

        root = self._config.rootpath
        path, content = baseline_file.path_of(root, name), baseline_file.merge(root, name, found)
        path.parent.mkdir(exist_ok=True)
        atomic_write.write(path, content, mode=atomic_write.SHARED)
        self.remark = (
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

    def _key(self, what: object, request: AuditRequest, settings: Settings, owner: object) -> object:
        """What tells work from other work; that on a request without a name is its owner's alone."""
        return what, settings, _content(request) or owner


def _follow(events: Generator[Event, None, T], progress: ProgressLine) -> T:
    """Run an audit to its end, and show what it tells."""
    # Pytest holds an interrupt until it has reported, with all that the audit holds: its workers end here.
    with progress, contextlib.closing(events):
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                result: T = end.value
                return result
            progress.show(event)


def _content(request: AuditRequest) -> str | None:
    """A name for all that an audit of `request` depends on, or ``None`` where it can't be told."""
    from pytest_mia.cache import code_watch, content_key

    if isinstance(request.outputs, (str, os.PathLike)):
        # A file's name says nothing about what it holds.
        return None
    # User code may read the environment and the working folder, which tests change too.
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    try:
        return code_watch.name_code((request, os.getcwd(), sorted(surroundings.items())))
    except content_key.UnhashableValue:
        return None
