"""Run Python in forks that have imported what takes long, until the input ends: server.py FOLDER; see `warm`."""

import atexit
import contextlib
import fcntl
import functools
import gc
import json
import os
import runpy
import select
import shutil
import signal
import socket
import sys
import threading
import types
import warnings
from pathlib import Path

from packages import load


def requests(folder):
    """Wait for requests; returns in a fork for each: the command, Python's arguments, folder, variables, and files."""
    client, command, address = Path(__file__).with_name("client.py"), folder / "python", str(folder / "socket")
    interrupts = signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Python warns of forks where a library has threads; those of NumPy expect them.
    with warnings.catch_warnings(action="ignore"), socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        made = folder / "made"
        made.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{client}" "{address}" "{sys.executable}" "$@"\n')
        made.chmod(0o700)
        made.rename(command)
        sys.executable = str(command)
        while 0 not in select.select([listener, 0], [], [])[0]:
            with listener.accept()[0] as connection:
                if os.fork() == 0:
                    return _begun(connection, interrupts)
            _release_ended()
    shutil.rmtree(folder)
    os._exit(0)


def _release_ended():
    """Let go of forks that have ended, so that they leave the list of processes."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _begun(connection, interrupts):
    """Read a request, and return it in another fork, which lives as long as the client does."""
    request, files, *_ = socket.recv_fds(connection, 1 << 16, 250)
    while not request.endswith(b"\n"):
        request += connection.recv(1 << 16)
    if child := os.fork():
        _wait(child, connection, files)
    signal.signal(signal.SIGINT, interrupts)
    *request, numbers = json.loads(request)
    return *request, dict(zip(files, numbers, strict=True))


def _wait(child, connection, files):
    """Tell the client how the fork ended, or end the fork when the client has."""
    for file in files:
        os.close(file)
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(f"{child:8}".encode())
    if connection in select.select([connection, os.pidfd_open(child)], [], [])[0]:
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(str(code).encode())
    os._exit(0)


PARENT = """
def getppid():
    try:
        return int(pread(_state, 4096, 0).rpartition(b")")[2].split()[1])
    except ProcessLookupError:
        return 1
"""


def stand_for(command):
    """Have the parent that a command has, and lead a session where it leads one."""
    os._state = os.open(f"/proc/{command}/stat", os.O_RDONLY)
    # No function of a user's, whose patches in modules of others are looked for.
    exec(compile(PARENT, os.__file__, "exec"), vars(os))
    if os.getsid(command) == command:
        os.setsid()


def surround(folder, variables, files):
    """Make the command's surroundings those of this process."""
    # None may take the number of one that is still to be moved.
    moved = {fcntl.fcntl(file, fcntl.F_DUPFD, 500): number for file, number in files.items()}
    os.closerange(3, 500)
    for file, number in moved.items():
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.path[1:1] = filter(None, variables.get("PYTHONPATH", "").split(os.pathsep))


def take_options(arguments):
    """Do as Python's options say; returns the arguments after them."""
    while arguments[0] in ("-u", "-W"):
        option, *arguments = arguments
        if option == "-W":
            sys.warnoptions.append(arguments.pop(0))
        else:
            sys.stdout.reconfigure(write_through=True)
    warnings._processoptions(sys.warnoptions)
    return arguments


def run(kind, *arguments):
    """Run a module, code or a script as Python does."""
    if kind == "-m":
        sys.argv, sys.path[0] = [*arguments], os.getcwd()
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        return
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    if kind == "-c":
        (code, *others), place, sys.path[0] = arguments, "<string>", ""
    else:
        main.__file__ = place = os.path.abspath(kind)
        code, others, sys.path[0] = Path(kind).read_bytes(), arguments, os.path.dirname(place)
    sys.argv = [kind, *others]
    exec(compile(code, place, "exec"), vars(main))


def end(command):
    """Run a command to its end, and what libraries still do then; nothing is taken apart, which takes long."""
    code, interrupted = 0, False
    try:
        command()
    except SystemExit as ended:
        code = ended.code or 0
        if not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code, interrupted = 1, isinstance(error, KeyboardInterrupt)
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        # A command may have closed it, and so may whoever read it.
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(code & 0xFF)


if __name__ == "__main__":
    variables, filters, refresh = load()
    gc.freeze()
    command, arguments, folder, environment, files = requests(Path(sys.argv[1]))
    surround(folder, variables | environment, files)
    stand_for(command)
    arguments = take_options(arguments)
    # As if all were imported only now.
    warnings.filters[:0] = filters
    sys.modules["numpy"].random.seed()
    if refresh and any(name.startswith("DASK_") for name in environment):
        refresh()
    end(functools.partial(run, *arguments))
