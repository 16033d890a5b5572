"""The live line that tells how far the training is, although pytest captures what tests print."""

from __future__ import annotations

import contextlib
from typing import Any

from pytest_mia.core.events import Announcement, Event, Progress

WORTH_SAYING = 5.0
"""Seconds of training left above which a log says so."""


class ProgressLine:
    """A line that rewrites itself in a terminal; a log has one, which ends with what the first model tells of the rest.

    Parameters
    ----------
    item
        The ``pytest.Item`` that is running. In a worker of pytest-xdist, which has no terminal, nothing is shown.
    """

    def __init__(self, item: Any) -> None:
        plugins = item.config.pluginmanager
        self._item = item
        self._terminal = plugins.get_plugin("terminalreporter")
        self._capture = plugins.get_plugin("capturemanager")
        self._open = self._estimated = False

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *error: object) -> None:
        if self._open:
            with self._uncaptured():
                self._close()

    def show(self, event: Event) -> None:
        """Show what a running audit tells; nothing where there is no terminal."""
        if self._terminal is None:
            return
        with self._uncaptured():
            match event:
                case Announcement(line):
                    self._announce(line)
                case Progress(done, total, seconds):
                    self._update(done, total, seconds)

    def _announce(self, plan: str) -> None:
        """Show what is about to be done, in a line of its own."""
        self._start_line()
        self._terminal.write(f"mia: {plan}", flush=True)
        self._open, self._estimated = True, False
        if self._terminal.isatty:
            self._terminal.line("")

    def _update(self, done: int, models: int, seconds: float) -> None:
        """Show that so many models are trained after so many seconds."""
        if not self._open:
            self._start_line()
            self._open = True
        if self._terminal.isatty:
            self._terminal.rewrite(words(done, models, seconds), erase=True)
            self._terminal.flush()
        elif not self._estimated and _left(done, models, seconds) > WORTH_SAYING:
            self._estimated = True
            self._terminal.write(words(done, models, seconds).replace("mia:", ";", 1), flush=True)

    def _start_line(self) -> None:
        self._terminal.ensure_newline()
        if self._item.config.get_terminal_writer().width_of_current_line:
            self._terminal.line("")

    def _close(self) -> None:
        """End the line, and have pytest start again where it was interrupted."""
        if self._terminal.showfspath or self._terminal.showlongtestinfo:
            self._terminal.pytest_runtest_logstart(nodeid=self._item.nodeid, location=self._item.location)
        else:
            self._terminal.line("")

    def _uncaptured(self) -> contextlib.AbstractContextManager[None]:
        if self._capture is None:
            return contextlib.nullcontext()
        uncaptured: contextlib.AbstractContextManager[None] = self._capture.global_and_fixture_disabled()
        return uncaptured


def words(done: int, models: int, seconds: float) -> str:
    """How far the training is.

    >>> words(3, 8, 12)
    'mia: 3/8 models, 12 s, about 20 s left'
    """
    line = f"mia: {done}/{models} models, {_duration(seconds)}"
    if not 0 < done < models:
        return line
    return f"{line}, about {_duration(_left(done, models, seconds))} left"


def _left(done: int, models: int, seconds: float) -> float:
    return seconds / done * (models - done) if done else 0.0


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
