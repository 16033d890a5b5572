"""The plain values that stand in a module of the user's: code that is loaded may read them."""

from __future__ import annotations

import copy
import types
from typing import Any

from pytest_mia.cache.content_key import hash_content, try_hash_content
from pytest_mia.cache.hash_values import ATOMS

CHANGEABLE = {dict, list, set}
PLAIN = {*ATOMS, *CHANGEABLE, tuple, frozenset}


def copy_values(module: types.ModuleType) -> dict[str, Any]:
    """The plain values that stand in a module, as they are now: what is looked at later may have changed by then."""
    plain = {name: value for name, value in vars(module).items() if type(value) in PLAIN and not name.startswith("__")}
    return {name: copy.copy(value) if type(value) in CHANGEABLE else value for name, value in plain.items()}


def digest_values(values: dict[str, Any]) -> str:
    """The hash of such values."""
    return hash_content([(name, try_hash_content(value)) for name, value in sorted(values.items())])
