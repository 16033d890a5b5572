"""Who may import whom: the picture of the house, read from the source in one pass."""

import ast
import graphlib
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest_mia

ROOMS = (
    "plugin",
    "reports",
    "auditing",
    "verdicts",
    "validity",
    "attacks",
    "training",
    "remedies",
    "models",
    "cache",
    "data",
    "results",
    "statistics",
    "core",
)
"""Top to bottom: a module imports rooms further down, or its own; imports for types count too."""

FACES = ("api", "gates", "knowledge", "strategies", "_version")
"""Public modules beside the rooms; the package's own ``__init__`` is a table of names."""

MOST_ON_TOP = 12
ROOT = Path(pytest_mia.__file__).parent
HEAVY = {
    "cloudpickle",
    "jinja2",
    "joblib",
    "matplotlib",
    "numpy",
    "pandas",
    "scipy",
    "sklearn",
    "threadpoolctl",
    "torch",
}
WRAPPERS = {"remedies.estimators": {"sklearn"}, "remedies.modules": {"torch"}}
"""Classes of the user's libraries, which are loaded when a user first names one, and by nobody else."""
UNPICKLING = {"training.backends.loky", "training.backends.dask_worker", "validity.sees_other_records"}
"""Workers, which get the user's code from the audit that started them, and copies of it that are made in memory."""
RUNS_CODE = {"eval", "exec", "marshal.loads", "np.load", "pickling.loads", "pickle.Unpickler", "shelve.open"}
RUNS_CODE |= {
    f"{name}.{load}" for name in ("cloudpickle", "dill", "joblib", "pickle", "torch") for load in ("load", "loads")
}


@dataclass(frozen=True)
class Module:
    """What one file imports, by the names of modules, and what it calls."""

    ours: frozenset[str]
    others: frozenset[str]
    others_at_once: frozenset[str]
    ours_at_once: frozenset[str]
    calls: frozenset[str]
    pickles: bool


def room(module):
    return module.partition(".")[0]


@cache
def modules():
    """Every module of the package by its name below it."""
    paths = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").rstrip("."): path
        for path in sorted(ROOT.rglob("*.py"))
    }
    return {name: parsed(path, paths) for name, path in paths.items() if name}


def parsed(path, names):
    found = {(mine, late): set() for mine in (True, False) for late in (True, False)}
    calls, pickles = set(), False
    waiting = [(ast.parse(path.read_text(encoding="utf-8")), False)]
    while waiting:
        node, late = waiting.pop()
        for name in imported(node, names):
            mine = room(name) == "pytest_mia"
            found[mine, late].add(name.removeprefix("pytest_mia").lstrip(".") if mine else room(name))
        if isinstance(node, ast.Call):
            calls.add(ast.unparse(node.func))
            pickles |= any(word.arg == "allow_pickle" and ast.unparse(word.value) != "False" for word in node.keywords)
        late |= isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        late |= isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        waiting += [(child, late) for child in ast.iter_child_nodes(node)]
    own = next(name for name, each in names.items() if each == path)
    ours, at_once = ((found[True, False] | extra) - {own, ""} for extra in (found[True, True], set()))
    others = found[False, False] | found[False, True]
    return Module(*map(frozenset, (ours, others, found[False, False], at_once, calls)), pickles)


def imported(node, names):
    """Modules that one statement imports; of a package's names, those that are its modules."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if not isinstance(node, ast.ImportFrom) or node.module is None:
        return set()
    inner = {f"{node.module}.{alias.name}" for alias in node.names}
    return {each if each.removeprefix("pytest_mia.") in names else node.module for each in inner}


def test_a_room_imports_only_rooms_further_down():
    upward = [
        f"{name} imports {other}"
        for name, module in modules().items()
        if room(name) in ROOMS
        for other in module.ours
        if room(other) not in ROOMS[ROOMS.index(room(name)) :] and other != "_version"
    ]
    assert not upward


def test_every_module_lives_in_a_room():
    assert {room(name) for name in modules()} == {*ROOMS, *FACES}
    assert len(list(ROOT.glob("*.py"))) <= MOST_ON_TOP


def test_imports_never_go_in_circles():
    graphlib.TopologicalSorter({name: module.ours for name, module in modules().items()}).prepare()


def test_only_the_plugin_imports_pytest():
    importing = {name for name, module in modules().items() if module.others & {"pytest", "_pytest"}}
    assert {name for name in importing if room(name) != "plugin"} == {"reports.terminal"}


def test_no_module_imports_torch_or_sklearn_when_it_is_loaded():
    loading = {name: module.others_at_once & {"torch", "sklearn"} for name, module in modules().items()}
    assert {name: found for name, found in loading.items() if found} == WRAPPERS
    assert not [name for name, module in modules().items() if module.ours & set(WRAPPERS) and name != "remedies"]


def test_reports_see_results_only():
    seen = {room(other) for name, module in modules().items() if room(name) == "reports" for other in module.ours}
    assert seen <= {"reports", "results", "core", "_version"}


def test_pytests_side_loads_nothing_heavy():
    found, waiting = {}, [name for name in modules() if room(name) in ("plugin", "reports")]
    waiting = [name for name in waiting if name not in LATE]
    while waiting:
        name = waiting.pop()
        found[name] = modules()[name].others_at_once & HEAVY
        # A package is loaded before its modules.
        loaded = modules()[name].ours_at_once | {name.rpartition(".")[0]} - {""}
        waiting += [other for other in loaded if other not in found]
    assert not {name: heavy for name, heavy in found.items() if heavy}


LATE = {"plugin.attack_table", "plugin.scaffold", "reports.html", "reports.plots", "reports.svg"}
"""Modules of pytest's side that are loaded when they are asked for."""


def test_a_loaded_package_is_light():
    heavy = ", ".join(map(repr, sorted(HEAVY)))
    code = f"import sys, pytest_mia.plugin; print(*(name for name in ({heavy},) if name in sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


def test_nothing_that_is_read_is_run():
    """No file is ever unpickled: not the cache, no baseline, no outputs, no report."""
    running = {name: module.calls & RUNS_CODE for name, module in modules().items() if name != "cache.pickling"}
    allowed = {name: {"pickling.loads"} if name in UNPICKLING else set() for name in running}
    assert {name: found for name, found in running.items() if not found <= allowed[name]} == {}
    assert not [name for name, module in modules().items() if module.pickles]
