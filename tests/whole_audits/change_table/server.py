"""Run pytest in forks of a process that has imported what takes long: each line of the input is a run.

It holds libraries and this package's code, but no torch, which changes what an audit does, and nothing of a user's.
"""

import gc
import importlib
import json
import os
import sys
import traceback
import types
import warnings

LIBRARIES = ("numpy", "scipy.stats", "pandas", "yaml", "sqlite3", "pytest")
PARTS = ("compose", "ensemble", "linear_model", "pipeline", "preprocessing", "tree")
ENGINE = ("pytest_mia.auditing.run", "pytest_mia.plugin.audit_test", "pytest_mia.cache.patches")


def load():
    """Import all."""
    for name in (*LIBRARIES, *(f"sklearn.{name}" for name in PARTS), *ENGINE):
        importlib.import_module(name)
    for name in sys.modules["_pytest.config"].default_plugins:
        importlib.import_module(f"_pytest.{name}")
    # Each run looks again at what has changed since.
    sys.modules["pytest_mia.cache.patches"].find_patches()


def run(folder, environment, arguments, log):
    """Do as the command pytest does in this folder with this environment; it writes into a file."""
    for number, file in enumerate([os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT)]):
        os.dup2(file, number)
    os.dup2(1, 2)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in environment
    sys.path[:0] = map(os.path.abspath, filter(None, environment.get("PYTHONPATH", "").split(os.pathsep)))
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.argv = ["pytest", *arguments]
    return sys.modules["pytest"].main(arguments)


if __name__ == "__main__":
    with warnings.catch_warnings():
        load()
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                code = run(*json.loads(line))
            except BaseException:
                traceback.print_exc()
                code = 70
            sys.stdout.flush()
            os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
