"""Whether a worker on another machine would train the same models as the process that the audit runs in."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata

from pytest_mia.cache import environment, user_modules
from pytest_mia.models.torch.tensors import device_kind

NUMERIC = {
    "catboost": "catboost",
    "lightgbm": "lightgbm",
    "numpy": "numpy",
    "pandas": "pandas",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "torch": "torch",
    "xgboost": "xgboost",
}
"""Modules whose version decides figures, with the names of their packages."""

OURS = environment.digest_own_code()
"""A fingerprint of this package's code as it was loaded: a worker that runs on keeps it when another is installed."""

_first_seen: dict[str, str] = {}


@dataclass(frozen=True)
class Home:
    """The process that the audit runs in, as far as figures depend on it.

    Attributes
    ----------
    python
        Its version, such as "3.11".
    packages
        Version of each numeric package that is loaded.
    ours
        A fingerprint of this package's code.
    modules
        A fingerprint of each loaded module of the user's.
    gpu
        The name of the GPU that models are trained on; empty for none.
    """

    python: str
    packages: Mapping[str, str]
    ours: str
    modules: Mapping[str, str]
    gpu: str

    def strange(self) -> list[str]:
        """In what the process that calls this differs, each in words with its remedy; modules once they are loaded."""
        if _python() != self.python:
            return [f"has Python {_python()}, and the audit has {self.python}: start the worker with the same version"]
        if self.ours != OURS:
            return ["has another version of pytest-mia: install the same one and restart the worker"]
        return [*self._strange_packages(), *self._strange_modules(), *self._strange_gpu()]

    def _strange_packages(self) -> list[str]:
        versions = {name: (_version(name), version) for name, version in self.packages.items()}
        return [
            f"has {name} {there}, and the audit has {here}, so figures would differ: install the same version"
            for name, (there, here) in versions.items()
            # What is missing is missed when it is imported; the models may not need it.
            if there not in (None, here)
        ]

    def _strange_modules(self) -> list[str]:
        """The user's modules whose code differs; what a long-lived worker has loaded once, it keeps."""
        loaded = [sys.modules[name] for name in self.modules if name in sys.modules]
        seen = {
            module.__name__: _first_seen.setdefault(module.__name__, user_modules.digest_module_file(module))
            for module in loaded
        }
        return [
            f"has other code in your module {name}: copy the current file to it and restart the worker"
            for name, digest in seen.items()
            if digest != self.modules[name]
        ]

    def _strange_gpu(self) -> list[str]:
        there = _gpu("cuda") if self.gpu else ""
        if there == self.gpu:
            return []
        wanted = "figures would differ, use workers with the same GPU"
        return [f"has {there or 'no GPU'}, and the audit has {self.gpu}: {wanted}"]


def here(device: str) -> Home:
    """The home of an audit that this process makes, with models on `device`."""
    packages = {
        name: version for module, name in NUMERIC.items() if module in sys.modules and (version := _version(name))
    }
    own = (module for module in user_modules.find_user_modules() if user_modules.counts_as_whole(module))
    modules = {
        module.__name__: user_modules.digest_module_file(module) for module in own if getattr(module, "__file__", None)
    }
    return Home(_python(), packages, OURS, modules, _gpu(device))


def _python() -> str:
    return ".".join(platform.python_version_tuple()[:2])


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _gpu(device: str) -> str:
    """The name of a GPU; empty for the CPU, and where there is none."""
    if not device.startswith("cuda") or "torch" not in sys.modules:
        return ""
    return device_kind(device) if sys.modules["torch"].cuda.is_available() else ""
