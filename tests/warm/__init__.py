"""A Python that starts warm: what takes seconds to import, it has imported already.

Tests start Python a hundred times, and each time would import NumPy, SciPy, scikit-learn and pytest anew. The command
of `executable` does what Python does with the same arguments, in a fork of a server that holds these packages. It holds
neither this package nor anything of a user's; and torch counts as loaded only once it's imported, since that changes
what an audit does.

What the command does ends with the command, has its parent, and leads a session of its own where the command does; but
it's another process, so signals for it, or for its group, are sent to the id that it tells. All forks hash texts alike,
and variables of libraries, such as OMP_NUM_THREADS, are those of the server. So tests of such things start Python cold,
and those of what a process imports.
"""

import atexit
import contextlib
import functools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = "MIA_TESTS_PYTHON"
"""The variable by which processes of pytest-xdist share one server."""
PATIENCE = 600.0
_servers = []


@functools.cache
def executable():
    """The path of a command that stands for `sys.executable`; it is that one where libraries bear no forks."""
    if sys.platform != "linux":
        return sys.executable
    command = os.environ.get(COMMAND) or begin()
    end = time.monotonic() + PATIENCE
    while not os.path.exists(command):
        ended = any(server.poll() is not None for server in _servers)
        assert not ended, "the server has ended"
        assert time.monotonic() < end, "the server doesn't start"
        time.sleep(0.02)
    return command


def begin():
    """Start a server that ends with this process; returns the command, which is there once the server is."""
    folder = tempfile.mkdtemp(prefix="mia-")
    # The server adds what a command's own variable says.
    outside = ("PYTHONPATH", "COVERAGE_PROCESS_CONFIG")
    environment = {name: value for name, value in os.environ.items() if name not in outside}
    # Threads of libraries beside those of another process wait for each other.
    environment.setdefault("OMP_NUM_THREADS", "1")
    server = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("server.py"), folder], stdin=subprocess.PIPE, env=environment
    )
    atexit.register(_stop, server)
    _servers.append(server)
    return os.path.join(folder, "python")


def _stop(server):
    with contextlib.suppress(BrokenPipeError):
        server.stdin.close()
    server.wait()
