"""The name of code before it is first run, and whether it stays as it is meanwhile."""

from __future__ import annotations

import sys
import types
from typing import Any

from pytest_mia.cache import patches, user_modules
from pytest_mia.cache.content_key import CodeWalk, QuickWalk, fresh_memos, hash_content, walked
from pytest_mia.cache.module_values import copy_values, digest_values

_first_names: dict[str, str] = {}
"""The name of code before this process first ran it, by the one that it has since it loaded modules of the user's."""
_loaded_late = set[str]()
"""Modules of the user's that training has loaded."""


class ChangedCodeError(Exception):
    """Code changed what it reads itself; the message says so."""


def name_code(value: Any) -> str:
    """The hash of code before this process first runs it, with what the user's code has put in the place of others'.

    Functions that keep their answers (`functools.lru_cache`) forget those that they found in training: what they read
    to find them again is then recorded. Answers that they had before this process first looked at them count as values.

    Raises
    ------
    UnhashableValue
        As `hash_content` does.
    """
    walk = walked(value, CodeWalk())
    for memo in walk.memos:
        if memo in fresh_memos:
            memo.cache_clear()
    name = hash_content((walk.hash.hexdigest(), patches.find_patches()))
    return _first_names.get(name, name)


class CodeWatch:
    """Whether code stays as it is while it runs, but for modules of the user's that it loads.

    Parameters
    ----------
    value, name
        The code, and what `name_code` said of it.

    Attributes
    ----------
    values
        Once it was checked: modules that those mention which were loaded, with the hashes of their values before.

    Raises
    ------
    UnhashableValue
        As `hash_content` does.
    """

    def __init__(self, value: Any, name: str) -> None:
        self._value, self._name = value, name
        self._before = {module.__name__: copy_values(module) for module in user_modules.find_user_modules()}
        self._steps = self._look(frozenset())
        self.values: dict[str, str] = {}

    def check(self) -> None:
        """Look at it again.

        Raises
        ------
        ChangedCodeError
            When it has changed.
        UnhashableValue
            As `hash_content` does.
        """
        loaded = [module for module in user_modules.find_user_modules() if module.__name__ not in self._before]
        steps = self._look(frozenset(module.__name__ for module in loaded))
        if steps != self._steps:
            changed = next((new for new, old in zip(steps, self._steps, strict=False) if new != old), steps[-1])
            raise ChangedCodeError(f"{changed[0]} changes while they are trained")
        if loaded:
            _first_names[name_code(self._value)] = self._name
            _loaded_late.update(module.__name__ for module in loaded)
            self.values = self._find_values(loaded)

    def _look(self, modules: frozenset[str]) -> list[tuple[str, str]]:
        walk = walked(self._value, QuickWalk(modules))
        return [*walk.steps, ("a value that their factory or training reads", walk.hash.hexdigest())]

    def _find_values(self, loaded: list[types.ModuleType]) -> dict[str, str]:
        """What stood in modules of the user's that those mention which were loaded in training."""
        words = frozenset[str]().union(*map(user_modules.words_of, loaded))
        known = [sys.modules[name] for name in self._before if name in sys.modules and name not in _loaded_late]
        return {
            module.__name__: digest_values(self._before[module.__name__])
            for module in user_modules.find_mentioned_modules(words, known)
        }
