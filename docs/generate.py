"""Write the reference pages from the code's own tables.

Run `python docs/generate.py` after a change of an option, a fixture, an attack or the JSON report. A test compares what
is committed with what this file writes.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "reference"
WHOLE: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
NOTE = "<!-- Written by docs/generate.py from the code's own tables: change these, and run it. -->"


class _Parser:
    """Stands for pytest's parser, and keeps what the plugin adds to it."""

    def __init__(self) -> None:
        self.arguments = argparse.ArgumentParser(add_help=False)
        self.keys: set[str] = set()

    def getgroup(self, *_: Any) -> _Parser:
        return self

    def addoption(self, flag: str, **settings: Any) -> None:
        self.arguments.add_argument(flag, **settings)

    def addini(self, name: str, *_: Any, **__: Any) -> None:
        self.keys.add(name)


def options() -> str:
    """Every option with its ini key, and the profiles."""
    import dataclasses

    from pytest_mia.core.settings import PROFILES, Settings
    from pytest_mia.plugin import options as table

    parser = _Parser()
    table.add_options(parser)  # type: ignore[arg-type]
    settings = {row.name: row.default for row in dataclasses.fields(Settings)}
    rows = []
    for action in parser.arguments._actions:
        value = "" if action.nargs == 0 else f"[{action.metavar}]" if action.nargs == "?" else action.metavar
        name = action.dest.removeprefix("mia_")
        text, _, default = str(action.help).partition(" (default: ")
        default = default.removesuffix(")") or _default(settings.get(name, action.default), action)
        key = f"`{action.dest}`" if action.dest in parser.keys else "-"
        keyword = f"`{name}`" if name in settings else "-"
        rows.append([f"`{f'{action.option_strings[0]} {value}'.strip()}`", text, default, key, keyword])
    profiles = [[f"`{name}`", _profile(values)] for name, values in PROFILES.items()]
    return _page(
        "Options",
        "The command line counts for more than an ini key, and an ini key for more than a profile. The marker "
        "`@pytest.mark.mia(...)` overrides all three for one test. Its keywords, in the last column, are those of "
        "`pytest_mia.audit(...)` too.",
        _table(["option", "meaning", "default", "ini key", "keyword"], rows),
        "## Profiles",
        "`--mia-profile` changes the defaults of the options above, by the time that there is: `fast` at your desk, "
        "`ci` for every change, `thorough` for a release.",
        _table(["profile", "stands for"], profiles),
        "## For one test, and for a repository",
        _fenced("ini", "# pytest.ini", "[pytest]", "mia_shadows = 15", "mia_inconclusive = warn"),
        _fenced(
            "python",
            "# test_privacy.py",
            "import pytest",
            "",
            "",
            '@pytest.mark.mia(shadows=3, attacks=["gap", "loss", "lira_online"])',
            "def test_release(assert_membership_advantage_below):",
            "    assert_membership_advantage_below(0.9)",
        ),
        _fenced(
            "python",
            "# conftest.py",
            "import pytest",
            "from sklearn.datasets import load_iris",
            "from sklearn.naive_bayes import GaussianNB",
            "",
            "",
            "@pytest.fixture",
            "def mia_dataset():",
            "    return load_iris(return_X_y=True)",
            "",
            "",
            "@pytest.fixture",
            "def mia_model_factory():",
            "    return GaussianNB",
        ),
        _fenced(
            "console",
            "$ pytest -m mia --mia-jobs=1",
            "mia: shadows 15, device auto, seed 0, confidence 0.95, inconclusive warn, jobs 1",
            "...",
            "1 passed",
        ),
    )


def _default(value: Any, action: argparse.Action) -> str:
    """A default in words, where the help doesn't say it."""
    if action.nargs == 0 or action.dest == "mia_init":
        return "off"
    return "none" if value is None else str(value)


def _profile(values: Any) -> str:
    if not values:
        return "the defaults"
    parts = []
    for name, value in values.items():
        flag = f"--mia-{name.replace('_', '-')}"
        text = ", ".join(f"`{each}`" for each in value) if isinstance(value, tuple) else ""
        parts.append(f"`{flag}` with {text}" if text else f"`{flag}`" if value is True else f"`{flag}={value}`")
    return "; ".join(parts)


def fixtures() -> str:
    """Every fixture, from its docstring."""
    from pytest_mia import plugin

    return _page(
        "Fixtures",
        "`pytest --fixtures -v` shows the same, with examples. Overridden fixtures may have any scope. The fixtures "
        "that tests request have function scope; tests that ask for the same audit share its results, and later runs "
        "take them from pytest's cache.",
        "## Fixtures that you override",
        *(part for name in plugin.OVERRIDDEN for part in _fixture(plugin, name)),
        "## Fixtures that tests request",
        *(part for name in plugin.PROVIDED for part in _fixture(plugin, name)),
        "## What the cache can't see",
        "A trained model is kept under a name that covers the values and the code that it depends on, and beside it "
        "stands what its training read: files, folders, environment variables, modules, and the packages that were "
        "loaded. It is taken again where the name is the same and all that was read is as it was. What can't be told "
        "isn't kept, and a note names it: values without a content, other programs, sockets.",
        "It does not cover files that compiled libraries open by themselves, and plain values that are changed in "
        "installed packages at run time. Where training depends on these, use `--mia-cache=refresh`.",
    )


def _fixture(plugin: Any, name: str) -> Iterator[str]:
    yield f"### `{name}`"
    for paragraph in inspect.cleandoc(getattr(plugin, name).__doc__).split("\n\n"):
        if not paragraph.startswith("    "):
            # Examples are left out, and with them the colons before them.
            yield re.sub(r":$", ".", re.sub(r"`+([^`]+)`+", r"`\1`", " ".join(paragraph.split())))


def attacks() -> str:
    """Every attack."""
    from pytest_mia.plugin import attack_table

    heads = ["attack", "shadows", "reads", "reference"]
    rows = attack_table.rows()
    tables = {
        asked: [[f"`{row.name}`", str(row.shadows), row.reads, row.reference] for row in rows if row.asked == asked]
        for asked in (False, True)
    }
    return _page(
        "Attacks",
        "`pytest --mia-list-attacks` shows the same. *Shadows* is the fewest shadow models that an attack needs. "
        "*Reads* is what it looks at: labels, or the scores behind them (probabilities, logits, losses); numbers of a "
        "regression; tokens of a text; answers to changed copies. [How the attacks "
        "work](../explanation/attacks.md) says what the idea of each is.",
        "## Run wherever they fit what a model answers",
        _table(heads, tables[False]),
        "## Run only where `--mia-attacks` names them",
        _table(heads, tables[True]),
    )


def json_report() -> str:
    """The JSON report, from its schema."""
    schema = json.loads((files("pytest_mia") / "reports" / "schema.json").read_text(encoding="utf-8"))
    heads = ["field", "holds", "what it is"]
    parts = ["## The file", _table(heads, list(_fields(schema)))]
    for name, each in schema["$defs"].items():
        if "properties" in each:
            parts += [f"## {name}", _table(heads, list(_fields(each)))]
    return _page(
        "The JSON report",
        "`--mia-json=mia.json` writes all that the other reports show. The file follows the JSON Schema in "
        "`pytest_mia/reports/schema.json`, from which this page is written. An `AuditResult` has the same fields under "
        "the same names.",
        *parts,
    )


def _fields(schema: Any) -> Iterator[list[str]]:
    for name, each in schema.get("properties", {}).items():
        yield [f"`{name}`", _type(each), each.get("description", "")]


def _type(schema: Any) -> str:
    """What a field holds, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return "list of string" if name == "texts" else str(name.replace("_or_null", " or null").replace("_", " "))
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if "oneOf" in schema:
        return " or ".join(sorted((_type(each) for each in schema["oneOf"]), key="null".__eq__))
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    if kinds == ["array"]:
        return f"list of {_type(schema['items'])}"
    if kinds == ["object"] and "properties" in schema:
        return "; ".join(f"`{name}`: {_type(each)}" for name, each in schema["properties"].items())
    return " or ".join(kinds)


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(line)} |" for line in [heads, *rows]]
    return "\n".join([lines[0], "|---" * len(heads) + "|", *lines[1:]])


def _fenced(language: str, *lines: str) -> str:
    return "\n".join([f"```{language}", *lines, "```"])


def _page(title: str, *parts: str) -> str:
    wrapped = [part if part.startswith(("|", "#", "```")) else textwrap.fill(part, 120, **WHOLE) for part in parts]
    return "\n\n".join([f"# {title}", NOTE, *wrapped]) + "\n"


PAGES = {"options.md": options, "fixtures.md": fixtures, "attacks.md": attacks, "json.md": json_report}


def main() -> None:
    """Write all pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
