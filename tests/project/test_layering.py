"""Who may import whom: the rules of the architecture, read from the source."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_mia

ROOT = Path(pytest_mia.__file__).parent
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}


def is_pytests_side(module):
    return module.split(".")[1:2] in (["plugin"], ["commands"], ["trial"], ["session"], ["options"], ["reports"])


PYTESTS_SIDE = [module for module in MODULES if is_pytests_side(module)]
ENGINE = [module for module in MODULES if not is_pytests_side(module)]
MAY_IMPORT_PYTEST = {
    "pytest_mia.plugin",
    "pytest_mia.plugin.options",
    "pytest_mia.plugin.session",
    "pytest_mia.reports.terminal",
}
LIGHT = {
    "pytest_mia",
    "pytest_mia.plugin.commands",
    "pytest_mia.core.errors",
    "pytest_mia.plugin.options",
    "pytest_mia.plugin",
    "pytest_mia.reports",
    "pytest_mia.reports.pytest_html",
    "pytest_mia.reports.github",
    "pytest_mia.reports.json",
    "pytest_mia.reports.junit",
    "pytest_mia.plugin.progress",
    "pytest_mia.reports.table",
    "pytest_mia.reports.terminal",
    "pytest_mia.reports.atomic_write",
    "pytest_mia.results.values",
    "pytest_mia.results.audit_data",
    "pytest_mia.plugin.session",
    "pytest_mia.core.settings",
    "pytest_mia.core.text",
    "pytest_mia.plugin.audit_test",
}
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
ENTRANCES = {
    "auditing",
    "baseline",
    "baseline_file",
    "catalogue",
    "errors",
    "figures",
    "fingerprint",
    "gates",
    "limits",
    "plan",
    "results",
    "settings",
    "starter",
    "store",
    "subject",
    "texts",
    "_version",
}
"""What pytest's side may know of the engine."""
WRAPPERS = {"pytest_mia.remedies.estimators": {"sklearn"}, "pytest_mia.remedies.modules": {"torch"}}
"""Classes of the user's libraries, which are loaded when a user first names one, and by nobody else."""
SEEN_BY_REPORTS = tuple(f"pytest_mia.{name}" for name in ("reports", "results", "figures", "texts", "_version"))
LATE = {("pytest_mia.results.audit_data", "pytest_mia.gates")}
"""The gates of a result are found when one is called."""


def imports(path, *, at_import_time):
    """Modules that a file imports; those for type checkers alone don't count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in _running(tree, at_import_time=at_import_time):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return found - {"__future__"}


def _running(node, *, at_import_time):
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if at_import_time and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield from _running(child, at_import_time=at_import_time)


def top(names):
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("module", sorted(set(MODULES) - MAY_IMPORT_PYTEST))
def test_few_modules_import_pytest(module):
    assert not {"pytest", "_pytest"} & top(imports(MODULES[module], at_import_time=False))


@pytest.mark.parametrize("module", MODULES)
def test_no_module_imports_torch_or_sklearn_when_it_is_loaded(module):
    assert {"torch", "sklearn"} & top(imports(MODULES[module], at_import_time=True)) == WRAPPERS.get(module, set())


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_no_module_imports_what_is_built_on_them(wrapper):
    assert not [module for module in MODULES if wrapper in imports(MODULES[module], at_import_time=False)]


@pytest.mark.parametrize("module", sorted(LIGHT))
def test_pytests_side_imports_nothing_heavy_when_it_is_loaded(module):
    reached, waiting = set(), {module}
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= {each for each in imports(MODULES[name], at_import_time=True) if each in MODULES} - reached
        assert not HEAVY & top(imports(MODULES[name], at_import_time=True)), name


UNPICKLING = {
    "pytest_mia.training.backends.loky",
    "pytest_mia.training.backends.dask_worker",
    "pytest_mia.validity.sees_other_records",
}
"""Workers, which get the user's code from the audit that started them, and copies of it that are made in memory."""
RUNS_CODE = {"eval", "exec", "marshal.loads", "np.load", "pickling.loads", "pickle.Unpickler", "shelve.open"}
RUNS_CODE |= {
    f"{name}.{load}" for name in ("cloudpickle", "dill", "joblib", "pickle", "torch") for load in ("load", "loads")
}


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"pytest_mia.cache.pickling"}))
def test_nothing_that_is_read_is_run(module):
    """No file is ever unpickled: not the cache, no baseline, no outputs, no report."""
    calls = [node for node in ast.walk(ast.parse(MODULES[module].read_text())) if isinstance(node, ast.Call)]
    names = {ast.unparse(call.func) for call in calls}
    assert names & RUNS_CODE <= ({"pickling.loads"} if module in UNPICKLING else set())
    keywords = [word for call in calls for word in call.keywords if word.arg == "allow_pickle"]
    assert all(ast.unparse(word.value) == "False" for word in keywords)


def ours(module):
    """Modules of the package that a module imports, now or later."""
    found = {name for name in imports(MODULES[module], at_import_time=False) if name in MODULES}
    return found - {module, "pytest_mia"} - {late for importer, late in LATE if importer == module}


def test_imports_never_go_in_circles():
    graphlib.TopologicalSorter({module: ours(module) for module in MODULES if module != "pytest_mia"}).prepare()


@pytest.mark.parametrize("module", ENGINE)
def test_the_engine_knows_nothing_of_pytests_side(module):
    assert not ours(module) & set(PYTESTS_SIDE)


@pytest.mark.parametrize("module", PYTESTS_SIDE)
def test_pytests_side_enters_the_engine_by_its_doors(module):
    assert {name.removeprefix("pytest_mia.") for name in ours(module) & set(ENGINE)} <= ENTRANCES


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("pytest_mia.reports")])
def test_reports_see_results_only(module):
    assert all(name.startswith(SEEN_BY_REPORTS) for name in ours(module))


def test_a_loaded_package_is_light():
    heavy = ", ".join(map(repr, sorted(HEAVY)))
    code = f"import sys, pytest_mia.plugin; print(*(name for name in ({heavy},) if name in sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
