"""The live line that tells how far the training is, although pytest captures what tests print."""

from __future__ import annotations

import contextlib
from typing import Any


class ProgressLine:
    """A line that rewrites itself in a terminal, and is written once in a log.

    Parameters
    ----------
    terminal
        pytest's terminal reporter; ``None``, as in a worker of pytest-xdist, shows nothing.
    capture
        pytest's capture manager; ``None`` when nothing is captured.
    """

    def __init__(self, terminal: Any, capture: Any) -> None:
        self._terminal = terminal
        self._capture = capture
        self._open = False

    @classmethod
    def of(cls, config: Any) -> ProgressLine:
        """The line for a run with this ``pytest.Config``."""
        plugins = config.pluginmanager
        return cls(plugins.get_plugin("terminalreporter"), plugins.get_plugin("capturemanager"))

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *error: object) -> None:
        if self._open:
            with self._uncaptured():
                self._terminal.write("\n", flush=True)

    def __call__(self, done: int, models: int, seconds: float) -> None:
        """Show that so many models are trained after so many seconds."""
        if self._terminal is None:
            return
        with self._uncaptured():
            if self._terminal.isatty:
                self._rewrite(words(done, models, seconds))
            elif done == 0:
                self._terminal.write_line(f"mia: training {models} models")

    def _rewrite(self, line: str) -> None:
        if not self._open:
            self._terminal.ensure_newline()
            self._open = True
        self._terminal.rewrite(line, erase=True)
        self._terminal.flush()

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
    return f"{line}, about {_duration(seconds / done * (models - done))} left"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
