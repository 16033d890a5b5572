"""A Python that starts warm: what takes seconds to import, it has imported already.

Tests start Python a hundred times, and each time would import NumPy, SciPy, scikit-learn and pytest anew. The command
of `executable` does what Python does with the same arguments, in a fork of a server that holds these packages. It holds
neither torch, which changes what an audit does, nor this package, nor anything of a user's.

What the command does ends with the command, but its signals end there too. All forks hash texts alike, and variables
of libraries, such as OMP_NUM_THREADS, are those of the server. So tests of such things start Python cold, and those of
what a process imports.
"""

import atexit
import functools
import os
import subprocess
import sys
from pathlib import Path


@functools.cache
def executable():
    """The path of a command that stands for `sys.executable`; on systems whose libraries bear no forks, it is that one."""
    if sys.platform != "linux":
        return sys.executable
    # The server adds what a command's own variable says.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, Path(__file__).with_name("server.py")]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    atexit.register(_stop, server)
    return server.stdout.readline().rstrip()


def _stop(server):
    with server.stdin, server.stdout:
        pass
    server.wait()
