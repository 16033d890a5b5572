"""The packages that a warm Python has: some count as loaded only for who imports them."""

import contextlib
import importlib
import os
import sys
import warnings
from importlib.machinery import ModuleSpec

SKLEARN = ["compose", "covariance", "datasets", "discriminant_analysis", "dummy", "ensemble", "feature_extraction.text"]
SKLEARN += ["linear_model", "metrics", "model_selection", "naive_bayes", "neighbors", "neural_network", "pipeline"]
SKLEARN += ["preprocessing", "svm", "tree"]
PACKAGES = [
    "numpy",
    "scipy.optimize",
    "scipy.special",
    "scipy.stats",
    "pandas",
    *(f"sklearn.{name}" for name in SKLEARN),
]
PACKAGES += ["joblib.externals.loky", "cloudpickle", "filelock", "threadpoolctl", "jinja2", "pygments.lexers.python"]
PACKAGES += ["pytest", "_pytest.config", "execnet.gateway"]
HELD = ("torch", "distributed", "dask", "matplotlib")


class Held:
    """A package that is taken out of the loaded modules, and is there at once when it's imported; an importer.

    Whether torch is loaded, say, decides what an audit does.
    """

    def __init__(self, package):
        names = [name for name in sys.modules if name.partition(".")[0] == package]
        self.modules = {name: sys.modules.pop(name) for name in names}
        sys.meta_path.insert(0, self)

    def find_spec(self, name, _path=None, _target=None):
        """All of it comes back with its first module."""
        return ModuleSpec(name, self) if name in self.modules else None

    def create_module(self, spec):
        self.own_spec = self.modules[spec.name].__spec__
        return self.modules[spec.name]

    def exec_module(self, module):
        module.__spec__ = self.own_spec
        sys.meta_path.remove(self)
        sys.modules.update(self.modules)


def load():
    """Import all; returns the variables that packages set, their filters of warnings, and what reads those of Dask."""
    before = dict(os.environ)
    with warnings.catch_warnings(action="error"):
        filters = len(warnings.filters)
        for name in PACKAGES:
            importlib.import_module(name)
        for name in sys.modules["_pytest.config"].default_plugins:
            importlib.import_module(f"_pytest.{name}")
        variables = {name: value for name, value in os.environ.items() if name not in before}
        added = warnings.filters[: len(warnings.filters) - filters]
    with warnings.catch_warnings(action="ignore"):
        for name in ("torch._dynamo", "distributed", "matplotlib.figure"):
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    refresh = sys.modules["dask"].config.refresh if "dask" in sys.modules else None
    for name in HELD:
        Held(name)
    return variables, added, refresh
