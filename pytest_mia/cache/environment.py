"""What decides an output besides code and data: Python, the machine, settings of libraries, the versions of ours."""

from __future__ import annotations

import functools
import hashlib
import operator
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

TORCH_DEFAULTS = {
    "get_default_dtype": "torch.float32",
    "get_float32_matmul_precision": "highest",
    "are_deterministic_algorithms_enabled": "False",
    "backends.cudnn.enabled": "True",
    "backends.cudnn.allow_tf32": "True",
    "backends.cuda.matmul.fp32_precision": "none",
    "backends.cudnn.conv.fp32_precision": "tf32",
    "backends.cudnn.rnn.fp32_precision": "tf32",
}
SKLEARN_DEFAULTS = {
    "assume_finite": False,
    "array_api_dispatch": False,
    "enable_metadata_routing": False,
    "skip_parameter_validation": False,
    "transform_output": "default",
}
NUMPY_DEFAULTS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
"""What NumPy does with errors of arithmetic."""


def describe_environment() -> tuple[str, ...]:
    """Everything here that decides figures, in words that are the same in all processes that compute the same."""
    seed = os.environ.get("PYTHONHASHSEED", "random")
    return (
        sys.version,
        sys.platform,
        platform.machine(),
        seed,
        digest_own_code(),
        *_versions(),
        *_settings(),
    )


@functools.cache
def digest_own_code() -> str:
    """A fingerprint of this package's own code, taken once per process."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()


@functools.cache
def _versions() -> tuple[str, ...]:
    """The versions of the packages that attacks compute with; those that training loads are in its trace."""
    return tuple(f"{name} {metadata.version(name)}" for name in ("numpy", "scipy", "scikit-learn"))


def _settings() -> list[str]:
    """Settings of libraries that the user has changed; one that isn't loaded yet has its defaults."""
    torch, sklearn = sys.modules.get("torch"), sys.modules.get("sklearn")
    now = {} if torch is None else {name: _told(torch, name) for name in TORCH_DEFAULTS}
    config = {} if sklearn is None else sklearn.get_config()
    defaults = TORCH_DEFAULTS | SKLEARN_DEFAULTS | NUMPY_DEFAULTS
    found = now | {name: config[name] for name in SKLEARN_DEFAULTS if name in config} | np.geterr()
    return [f"{name} {value}" for name, value in found.items() if value != defaults[name]]


def _told(torch: Any, name: str) -> str:
    """What torch says that a setting is; its default, where this version has no such setting."""
    try:
        value = operator.attrgetter(name)(torch)
        return str(value() if callable(value) else value)
    except AttributeError:
        return TORCH_DEFAULTS[name]
    except RuntimeError:
        # It won't answer by the older of two names once the newer one was used, which is asked too.
        return "set by another name"
