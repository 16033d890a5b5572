"""Tiny repositories of users, and what is changed in them between two runs of their tests."""

import os
import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

BASE = """
import functools, json, os, pathlib, sys
import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier as Tree

def records():
    generator = np.random.default_rng(0)
    return generator.normal(size=(60, 2)), generator.integers(0, 2, 60)

def make():
    return Tree(max_depth=3)
"""
FIXTURE = """
@pytest.fixture
def {name}():
    return {value}
"""
FIXTURES = {
    "make": ("mia_model_factory", "make"),
    "records": ("mia_dataset", "records()"),
    "train": ("mia_training", "train"),
    "predict": ("mia_predict", "predict"),
    "loss": ("mia_loss", "loss"),
    "augment": ("mia_augment", "augment"),
}
"""Fixtures, and what they return, by the names that stand in a conftest.py."""
TESTS = """
def test_one(mia_audit):
    assert mia_audit.models == 4
"""
WRITTEN = 10**9
"""When all files were written, unless they are changed: a minute later."""

Content = str | tuple[Callable[[Path, str], object], str]


@dataclass(frozen=True)
class Change:
    """A repository before and after a change: where a text holds ``<2|5>``, that is 2 before, and 5 after.

    A file or a variable whose text is empty isn't there.

    Attributes
    ----------
    files
        Texts by the names of files; where a text isn't simply written, with the function that does it. Names in
        ``../site-packages`` are installed packages.
    environment, options, folder
        Variables, pytest's options, and the folder in which it is run.
    thing
        What a note must name where it says that models aren't cached; by default none may say so.
    meanwhile
        What else is done to the repository between the two runs, after its files have changed.
    """

    files: Mapping[str, Content]
    environment: Mapping[str, str] = field(default_factory=dict)
    options: str = ""
    folder: str = "."
    thing: str = ""
    meanwhile: Callable[[Path], object] = lambda repository: None


def change(conftest: str = "", *, files: Mapping[str, Content] | None = None, **rest) -> Change:
    """A change of a repository whose conftest.py goes on like this; ``depths="..."`` is the text of depths.py."""
    modules = {name: rest.pop(name) for name in [*rest] if name not in Change.__dataclass_fields__}
    code = BASE + textwrap.dedent(conftest)
    for name, (fixture, value) in FIXTURES.items():
        if re.search(rf"^(?=[^\s#@]).*\b{name}\b", code, re.MULTILINE) and f"def {fixture}(" not in code:
            code += FIXTURE.format(name=fixture, value=value)
    texts = {f"{name}.py": textwrap.dedent(text) for name, text in modules.items()}
    ours = {"conftest.py": code, "test_privacy.py": TESTS, "pytest.ini": "[pytest]\n"}
    return Change(ours | texts | dict(files or {}), **rest)


def made(depth: str, conftest: str = "", **rest) -> Change:
    """A change of what the factory makes: a tree whose depth is this expression."""
    make = f"\ndef make():\n    return Tree(max_depth=int({depth}))\n"
    return change(textwrap.dedent(conftest) + make, **rest)


def trained(depth: str, conftest: str = "", **rest) -> Change:
    """A change of what training does: the depth of its tree is this expression."""
    train = f"\ndef train(model, X, y):\n    return model.set_params(max_depth=int({depth})).fit(X, y)\n"
    return change(textwrap.dedent(conftest) + train, **rest)


def before_or_after(text: str, after: bool) -> str:
    """The text at a side of the change."""
    return re.sub(r"<([^<>|]*)\|([^<>|]*)>", lambda found: found[1 + after], text)


class Repository:
    """The files of a change, in a folder.

    Parameters
    ----------
    folder
        Where they are written.
    files
        What they are; see `Change`.
    """

    def __init__(self, folder: Path, files: Mapping[str, Content]) -> None:
        self._folder, self._files = folder, files
        self._written: dict[Path, str] = {}

    def write(self, after: bool) -> None:
        """Write those files that differ from what is there, and remove those that are no more."""
        writers = {}
        for name, content in self._files.items():
            writer, text = (Path.write_text, content) if isinstance(content, str) else content
            if text := before_or_after(text, after):
                writers[self._folder / before_or_after(name, after)] = writer, text
        for path in self._written.keys() - writers.keys():
            path.unlink()
            if not [*path.parent.iterdir()]:
                path.parent.rmdir()
        for path, (writer, text) in writers.items():
            if self._written.get(path) != text:
                path.unlink(missing_ok=True)
                path.parent.mkdir(parents=True, exist_ok=True)
                writer(path, text)
                os.utime(path, (WRITTEN + 60 * after,) * 2)
        self._written = {path: text for path, (_, text) in writers.items()}
