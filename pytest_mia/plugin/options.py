"""Options, ini keys and the marker: all made from the table in `pytest_mia.core.settings`."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.settings import PROFILES, Settings, parse
from pytest_mia.reports.registry import FILES

ROWS = {row.name: row for row in dataclasses.fields(Settings)}
BASELINE = "main"
"""The baseline that is meant where none is named."""
NAMED: dict[str, dict[str, Any]] = {
    "save": {"metavar": "NAME", "help": "write what the audits find to .mia/NAME.json, a baseline to commit"},
    "compare": {
        "metavar": "NAME",
        "help": f"show the change since the baseline NAME was saved (without a name: {BASELINE})",
        "nargs": "?",
        "const": BASELINE,
    },
    "profile": {"metavar": "NAME", "help": f"defaults of the other options: {', '.join(PROFILES)}"},
}
"""Options of a whole run that take a name."""
INI_TYPES: dict[str, Any] = {
    "int": "int",
    "float": "float",
    "str": "string",
    "tuple[str, ...]": "args",
    "bool": "bool",
}


@dataclass(frozen=True)
class Options:
    """What was asked of this run.

    Attributes
    ----------
    settings
        Settings of every audit that its marker doesn't change.
    reports
        Where the reports go that are files, by their names.
    skip, only
        Skip all audits; run nothing else.
    save, compare
        Names of the baselines to write, and to compare with.
    profile
        Where the settings' defaults come from.
    """

    settings: Settings
    reports: Mapping[str, Path]
    skip: bool
    only: bool
    save: str | None = None
    compare: str | None = None
    profile: str | None = None


def add_options(parser: pytest.Parser) -> None:
    """Add every option and ini key of the plugin."""
    group = parser.getgroup("mia", "membership-inference audits")
    for row in ROWS.values():
        unset = row.default is None or row.default is False
        text = row.metadata["help"] + ("" if unset else f" (default: {row.default})")
        takes: dict[str, Any] = {"metavar": row.metadata["metavar"]}
        if row.type == "bool":
            takes = {"action": "store_const", "const": "true"}
        elif row.metadata["alone"] is not None:
            takes |= {"nargs": "?", "const": row.metadata["alone"]}
        group.addoption(_flag(row.name), dest=_key(row.name), help=text, **takes)
        parser.addini(_key(row.name), text, type=INI_TYPES[str(row.type).removesuffix(" | None")], default=None)
    for name, report in FILES.items():
        group.addoption(_flag(name), dest=_key(name), metavar="PATH", help=report.help)
        parser.addini(_key(name), f"{report.help}, relative to the root folder", default=None)
    for name, takes in NAMED.items():
        group.addoption(_flag(name), dest=_key(name), **takes)
        parser.addini(_key(name), takes["help"], default=None)
    for name, text in (("skip", "skip all audits"), ("only", "run audits and nothing else")):
        group.addoption(_flag(name), dest=_key(name), action="store_true", help=text)
        parser.addini(_key(name), text, type="bool", default=False)
    group.addoption("--mia-list-attacks", action="store_true", help="show all attacks, and run nothing")
    text = "write conftest.py and test_privacy.py to start from (sklearn or torch), and run nothing"
    group.addoption("--mia-init", metavar="KIND", nargs="?", const="auto", help=text)


def read_options(config: pytest.Config) -> Options:
    """The options of this run: the command line before ini before defaults.

    Raises
    ------
    pytest.UsageError
        When values are bad; all of them are named at once.
    """
    problems: list[str] = []
    names = {name: _name(config, name) for name in NAMED}
    values: dict[str, Any] = {}
    with _gathered(problems):
        values |= _profile(names["profile"])
    for name in ROWS:
        with _gathered(problems):
            values |= _from_ini(config, name)
        with _gathered(problems):
            values |= _from_command_line(config, name)
    skip = only = False
    with _gathered(problems):
        skip, only = _skip_and_only(config)
    given = {name: _report_path(config, name) for name in FILES}
    reports = {name: path for name, path in given.items() if path is not None}
    problems += [problem for name, path in reports.items() for problem in _report_problems(name, path)]
    problems += _baseline_problems(config, names)
    if not problems:
        problems += Settings(**values).contradictions()
    if problems:
        raise pytest.UsageError(*problems)
    return Options(Settings(**values), reports, skip, only, **names)


def apply_markers(item: pytest.Item, settings: Settings) -> Settings:
    """The settings of one test: those of the run, changed by its markers, of which the closest one wins.

    Raises
    ------
    MIAUsageError
        When a marker has an unknown keyword or a bad value; all are named at once, with the test.
    """
    marks = list(item.iter_markers("mia"))
    keywords = {name: value for mark in reversed(marks) for name, value in mark.kwargs.items()}
    known = ", ".join(ROWS)
    problems = [f"takes keywords only, got {mark.args!r}; they are {known}" for mark in marks if mark.args]
    problems += [f"unknown keyword {name!r}; the keywords are {known}" for name in keywords if name not in ROWS]
    try:
        settings = dataclasses.replace(settings, **{name: keywords[name] for name in keywords if name in ROWS})
        problems += settings.contradictions()
    except MIAUsageError as error:
        problems += error.problems
    if problems:
        raise MIAUsageError([f"{item.nodeid}: @pytest.mark.mia: {problem}" for problem in problems])
    return settings


def marker_line() -> str:
    """The marker as ``pytest --markers`` shows it."""
    return f"mia({', '.join(f'{name}=...' for name in ROWS)}): settings of one membership-inference audit"


def header(options: Options) -> str:
    """The settings of this run in one line."""
    if options.skip:
        return "mia: audits are skipped"
    shown = {"shadows", "seed", "device", "confidence", *_beyond(options.settings, options.profile)}
    parts = [f"{name} {_text(getattr(options.settings, name))}" for name in ROWS if name in shown]
    profile = [] if options.profile is None else [f"profile {options.profile}"]
    return f"mia: {', '.join([*profile, *parts])}"


def replay(config: pytest.Config, test: str, settings: Settings, options: Options) -> str:
    """The command that repeats the audit of a test from the folder that pytest was called in."""
    path, *names = test.split("::")
    here = os.path.relpath(config.rootpath / path, config.invocation_params.dir)
    profile, beyond = options.profile, _beyond(settings, options.profile)
    if any(getattr(settings, name) is None or getattr(settings, name) is False for name in beyond):
        # No option takes back what a profile says, so all is said without it.
        profile, beyond = None, {*settings.changed()}
    values = {name: getattr(settings, name) for name in ROWS if name in {"shadows", "seed", *beyond}}
    flags = [_flag(name) if value is True else f"{_flag(name)}={_text(value)}" for name, value in values.items()]
    named = {"profile": profile, "compare": options.compare}
    flags += [f"{_flag(name)}={value}" for name, value in named.items() if value is not None]
    return shlex.join(["pytest", "::".join([here, *names]), *flags])


def _beyond(settings: Settings, profile: str | None) -> set[str]:
    """Names of the settings that differ from the defaults, or from the profile where it is another default."""
    usual = Settings(**_profile(profile))
    return {name for name in ROWS if getattr(settings, name) != getattr(usual, name)}


def _flag(name: str) -> str:
    return f"--mia-{name.replace('_', '-')}"


def _key(name: str) -> str:
    return f"mia_{name}"


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)


@contextlib.contextmanager
def _gathered(problems: list[str]) -> Iterator[None]:
    """Add the problems that are raised inside to `problems`."""
    try:
        yield
    except MIAUsageError as error:
        problems += error.problems


def _from_command_line(config: pytest.Config, name: str) -> dict[str, Any]:
    text = config.getoption(_key(name))
    return {} if text is None else {name: _checked(name, _flag(name), text)}


def _from_ini(config: pytest.Config, name: str) -> dict[str, Any]:
    value = _ini(config, name, must=ROWS[name].metadata["must"])
    if value is None:
        return {}
    return {name: _checked(name, f"ini key {_key(name)}", ",".join(value) if isinstance(value, list) else value)}


def _ini(config: pytest.Config, name: str, *, must: str) -> Any:
    try:
        return config.getini(_key(name))
    except (TypeError, ValueError, pytest.UsageError) as error:
        raise MIAUsageError(f"ini key {_key(name)} must be {must}: {error}") from None


def _checked(name: str, place: str, value: Any) -> Any:
    """The value of a setting, or an error that says where the bad value stands."""
    try:
        return getattr(Settings(**{name: parse(name, value) if isinstance(value, str) else value}), name)
    except MIAUsageError as error:
        raise MIAUsageError([problem.replace(name, place, 1) for problem in error.problems]) from None


def _skip_and_only(config: pytest.Config) -> tuple[bool, bool]:
    """Whichever of the two the command line gives; ini counts where it gives neither."""
    skip, only = config.getoption("mia_skip"), config.getoption("mia_only")
    if not skip and not only:
        skip, only = (_ini(config, name, must="true or false") for name in ("skip", "only"))
    if skip and only:
        raise MIAUsageError("--mia-skip and --mia-only leave no test to run; give one of them")
    return skip, only


def _name(config: pytest.Config, name: str) -> str | None:
    """What the command line names, or else the ini key."""
    given: str | None = config.getoption(_key(name))
    return config.getini(_key(name)) or None if given is None else given


def _profile(name: str | None) -> dict[str, Any]:
    """The defaults of a profile."""
    if name is None:
        return {}
    if name not in PROFILES:
        raise MIAUsageError(f"--mia-profile must be {', '.join(PROFILES)}, got {name!r}")
    return dict(PROFILES[name])


def _baseline_problems(config: pytest.Config, names: dict[str, str | None]) -> list[str]:
    """Baselines that can't be read or written; one that this run makes need not be there to be compared with."""
    problems: list[str] = []
    if names["save"] is None and names["compare"] is None:
        return problems
    from pytest_mia.verdicts import baseline_file

    if names["save"] is not None and not hasattr(config, "workerinput"):
        with _gathered(problems):
            baseline_file.check_writable(config.rootpath, names["save"])
    if names["compare"] is not None:
        with _gathered(problems):
            if names["compare"] == names["save"] and not baseline_file.path_of(config.rootpath, names["save"]).exists():
                names["compare"] = None
            else:
                baseline_file.load(config.rootpath, names["compare"])
    return [*dict.fromkeys(problems)]


def _report_path(config: pytest.Config, name: str) -> Path | None:
    """Where a report goes; a worker of pytest-xdist writes none."""
    if hasattr(config, "workerinput"):
        return None
    text, folder = config.getoption(_key(name)), config.invocation_params.dir
    if text is None:
        text, folder = config.getini(_key(name)), config.rootpath
    return None if text is None else folder / Path(text).expanduser()


def _report_problems(name: str, path: Path) -> list[str]:
    """Why a report can't be written there, or not at all."""
    missing = [package for package in FILES[name].needs if importlib.util.find_spec(package) is None]
    if missing:
        return [f"{_flag(name)} needs {' and '.join(missing)}: pip install {' '.join(missing)}"]
    if path.is_dir():
        return [f"{_flag(name)}: {path} is a folder; name a file"]
    if not path.parent.is_dir():
        return [f"{_flag(name)}: the folder {path.parent} does not exist; create it first"]
    if not os.access(path.parent, os.W_OK):
        return [f"{_flag(name)}: the folder {path.parent} can't be written to"]
    return []
