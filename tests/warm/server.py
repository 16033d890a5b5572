"""Run Python in forks that have imported what takes long, until the input ends; see `warm.executable`."""

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import sys
import tempfile
import types
import warnings
from pathlib import Path

PACKAGES = """
numpy scipy.optimize scipy.special scipy.stats pandas joblib.externals.loky cloudpickle filelock threadpoolctl jinja2
sklearn.compose sklearn.covariance sklearn.datasets sklearn.discriminant_analysis sklearn.ensemble sklearn.linear_model
sklearn.metrics sklearn.model_selection sklearn.naive_bayes sklearn.neighbors sklearn.neural_network sklearn.pipeline
sklearn.preprocessing sklearn.svm sklearn.tree pytest _pytest.config execnet.gateway pygments.lexers.python
""".split()


def load():
    """Import all; returns the variables that packages set, and their filters of warnings."""
    before = dict(os.environ)
    with warnings.catch_warnings(action="error"):
        filters = len(warnings.filters)
        for name in PACKAGES:
            importlib.import_module(name)
        for name in sys.modules["_pytest.config"].default_plugins:
            importlib.import_module(f"_pytest.{name}")
        variables = {name: value for name, value in os.environ.items() if name not in before}
        return variables, warnings.filters[: len(warnings.filters) - filters]


def requests():
    """Wait for requests; returns in a fork for each: Python's arguments, its folder, its variables, and its files."""
    folder = Path(tempfile.mkdtemp(prefix="mia-"))
    client, command, address = Path(__file__).with_name("client.py"), folder / "python", str(folder / "socket")
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{client}" "{address}" "$@"\n')
    command.chmod(0o700)
    interrupts = signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Python warns of forks where a library has threads; those of NumPy expect them.
    with warnings.catch_warnings(action="ignore"), socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print(command, flush=True)
        while 0 not in select.select([listener, 0], [], [])[0]:
            with listener.accept()[0] as connection:
                if os.fork() == 0:
                    return _begun(connection, interrupts)
            _release_ended()
    shutil.rmtree(folder)
    sys.exit()


def _release_ended():
    """Let go of forks that have ended, so that they leave the list of processes."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _begun(connection, interrupts):
    """Read a request, and return it in another fork, which lives as long as the client does."""
    request, files, *_ = socket.recv_fds(connection, 1 << 16, 3)
    while not request.endswith(b"\n"):
        request += connection.recv(1 << 16)
    if child := os.fork():
        _wait(child, connection)
    signal.signal(signal.SIGINT, interrupts)
    return *json.loads(request), files


def _wait(child, connection):
    """Tell the client how the fork ended, or end the fork when the client has."""
    if connection in select.select([connection, os.pidfd_open(child)], [], [])[0]:
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(str(code).encode())
    os._exit(0)


def surround(folder, variables, files):
    """Make the command's surroundings those of this process."""
    for number, file in enumerate(files):
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


if __name__ == "__main__":
    variables, filters = load()
    gc.freeze()
    arguments, folder, environment, files = requests()
    surround(folder, variables | environment, files)
    arguments = take_options(arguments)
    # As if all were imported only now.
    warnings.filters[:0] = filters
    sys.modules["numpy"].random.seed()
    run(*arguments)
