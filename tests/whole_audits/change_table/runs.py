"""Runs of pytest, each in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from change_table.repository import Change, Repository, before_or_after

OPTIONS = "-p pytest_mia.plugin -W ignore::pytest.PytestAssertRewriteWarning --mia-shadows=3 --mia-jobs=1"


class Server:
    """A process that runs pytest in forks; to be used in a ``with`` statement."""

    def __enter__(self) -> "Server":
        # Its own folder isn't on its path, where modules of any names lie.
        command = [sys.executable, "-P", Path(__file__).with_name("server.py")]
        # Coverage would follow the processes that users' code starts, and write files into their folders.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        return self

    def __exit__(self, *_) -> None:
        self._process.communicate()

    def run(self, folder: Path, environment: dict[str, str], arguments: list[str], log: Path) -> int:
        """Run pytest; returns its exit code."""
        request = json.dumps([str(folder), environment, arguments, str(log)])
        print(request, file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())


class Runs:
    """Runs of a repository's tests before and after a change.

    Parameters
    ----------
    servers
        The servers for runs before and after: texts are hashed in another way, and values lie at other places.
    folder
        An empty folder.
    change
        The change.
    """

    def __init__(self, servers: tuple[Server, Server], folder: Path, change: Change) -> None:
        self._servers, self._folder, self._change = servers, folder, change
        self._root = folder / "repository"
        self._repository = Repository(self._root, change.files)

    def audits(self, *, after: bool) -> list[dict]:
        """What the report says of the run's audits."""
        self._repository.write(after)
        if after:
            self._change.meanwhile(self._root)
        report, log = self._folder / "mia.json", self._folder / "log"
        arguments = [*OPTIONS.split(), f"--mia-json={report}"]
        arguments += before_or_after(self._change.options, after).format(folder=self._folder).split()
        if not any(each.startswith("--mia-attacks") for each in arguments):
            arguments.append("--mia-attacks=loss")
        folder = self._root / before_or_after(self._change.folder, after)
        code = self._servers[after].run(folder, self._environment(after), arguments, log)
        assert code == 0, log.read_text()
        return json.loads(report.read_text())["audits"]

    def _environment(self, after: bool) -> dict[str, str]:
        given = {name: before_or_after(text, after) for name, text in self._change.environment.items()}
        paths = [*filter(None, [given.get("PYTHONPATH")]), str(self._folder / "site-packages")]
        common = {"PATH": os.environ["PATH"], "HOME": str(self._folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        return {name: text for name, text in (common | given | {"PYTHONPATH": os.pathsep.join(paths)}).items() if text}
