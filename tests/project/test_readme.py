"""The README: every block of code is run, what it shows is what comes out, and its tables are those of the code."""

import ast
import configparser
import dataclasses
import inspect
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from pages import LANGUAGES, ROOT, blocks_of, follow, rows_of, run, sections_of

import pytest_mia
from pytest_mia import AuditResult, TorchTraining, plugin
from pytest_mia.attacks import registry as attacks
from pytest_mia.core.settings import PROFILES, Settings
from pytest_mia.models.queries import registry
from pytest_mia.statistics import records_to_pass

README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTIONS = sections_of(README)
BLOCKS = {title: blocks_of(text) for title, text in SECTIONS.items()}
CLONE = "From a clone, two commands"
RUN = [title for title, blocks in BLOCKS.items() if blocks and title != CLONE]


def rows(title):
    return rows_of(SECTIONS[title])


@pytest.mark.slow
@pytest.mark.parametrize("title", RUN)
def test_blocks_do_what_they_show(title, tmp_path):
    follow(BLOCKS[title], tmp_path)


def test_all_blocks_are_of_kinds_that_are_run():
    assert {block.language for block in blocks_of(README)} <= LANGUAGES


def test_the_first_command_installs_the_package_and_runs_the_examples():
    install, job = _commands()[0]
    extra = re.search(r"-e '\.\[(\w+)\]'", install)[1]

    assert "torch == 2.13.0" in _ini("setup.cfg")["options.extras_require"][extra]
    pytest_there, *arguments = shlex.split(job)
    assert pytest_there == ".venv/bin/pytest"
    assert "10 tests collected" in run(ROOT, "-m", "pytest", *arguments, "--collect-only", "-q").stdout


def test_the_second_command_runs_what_ci_runs():
    assert _commands()[1] == [".venv/bin/pip install tox", ".venv/bin/tox -p -o"]
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(r'env/bin/pip" install .*\btox\n.*env/bin/tox" -p -o', ci)
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert _ini("tox.ini")["tox"]["env_list"] == "lint, types, coverage"


def _commands():
    """What the two commands do in a virtual environment that they make."""
    chains = [command.split(" && ") for block in BLOCKS[CLONE] for command in block.commands]
    assert [chain[0] for chain in chains] == ["python3 -m venv .venv"] * 2
    return [chain[1:] for chain in chains]


def _ini(name):
    parser = configparser.ConfigParser()
    parser.read(ROOT / name, encoding="utf-8")
    return parser


def test_the_table_of_options_is_that_of_the_code():
    shown = {option.strip("`"): default for option, _, default in rows("Options") if option.startswith("`--")}
    help_text = subprocess.run(
        [sys.executable, "-m", "pytest", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    assert list(shown) == [
        option.replace("=", " ") for option in re.findall(r"^  (--mia-\S+)", help_text, re.MULTILINE)
    ]
    words = {"None": ("none", "all that fit", "one per core", "1, and 16 when answers vary"), "False": ("off",)}
    for row, default in zip(dataclasses.fields(Settings), shown.values(), strict=False):
        assert default in words.get(str(row.default), (str(row.default),)), row.name


def test_the_settings_are_above_the_other_options():
    flags = [row[0].split()[0].strip("`") for row in rows("Options") if row[0].startswith("`--")]

    assert flags[: flags.index("--mia-json")] == [
        f"--mia-{row.name.replace('_', '-')}" for row in dataclasses.fields(Settings)
    ]


def test_profiles_stand_for_what_the_table_says():
    shown = {row[0].strip("`"): row[1] for row in rows("Options") if not row[0].startswith("`--")}

    assert list(shown) == list(PROFILES)
    for name, told in shown.items():
        assert PROFILES[name].get("shadows") == (
            int(found[1]) if (found := re.search(r"shadows=(\d+)", told)) else None
        )
        assert PROFILES[name].get("early_stop", False) == ("--mia-early-stop" in told)
    assert "eleven attacks" in shown["fast"]
    assert len(PROFILES["fast"]["attacks"]) == 11
    unasked = {"default", *(attack.name for attack in attacks.ATTACKS)}
    asking = {attack.name for attack in attacks.ON_REQUEST if registry.names_that_measure(attack.signals)}
    assert set(PROFILES["thorough"]["attacks"]) - unasked == {
        attack.name for attack in attacks.ON_REQUEST if attack.name not in asking
    }


def test_the_tables_of_fixtures_are_those_of_the_plugin():
    names = [re.match(r"`(\w+)", row[0])[1] for row in rows("Fixtures")]

    assert names[: len(plugin.OVERRIDDEN)] == list(plugin.OVERRIDDEN)
    assert sorted(names[len(plugin.OVERRIDDEN) :]) == sorted(plugin.PROVIDED)


@pytest.mark.parametrize("call", re.findall(r"^\| `(assert_\w+\(.*?\))`", SECTIONS["Fixtures"], re.MULTILINE))
def test_gates_take_what_their_row_says(call):
    name, _, arguments = call.rstrip(")").partition("(")
    keywords = dict(each.split("=") for each in arguments.split(", ") if "=" in each)
    parameters = inspect.signature(getattr(AuditResult, name)).parameters.values()

    assert {name: ast.literal_eval(default) for name, default in keywords.items()} == {
        each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY
    }


def test_the_defaults_of_torch_training_are_its_own():
    epochs, size, optimizer, lr = re.search(
        r"TorchTraining\(epochs=(\d+), batch_size=(\d+), optimizer=\"(\w+)\", lr=([\d.]+)", README
    ).groups()

    assert TorchTraining() == TorchTraining(epochs=int(epochs), batch_size=int(size), optimizer=optimizer, lr=float(lr))


def test_the_table_of_attacks_is_the_registry():
    shown = {attack for row in rows("Attacks") for attack in re.findall(r"`(\w+)`", row[0])}
    shown |= {f"{attack}_centred" for row in rows("Attacks") for attack in re.findall(r"`(\w+)` \*", row[0])}

    assert shown == {attack.name for attack in attacks.ATTACKS}


def test_attacks_on_request_are_named_below_the_table():
    _, _, below = SECTIONS["Attacks"].rpartition("|\n")

    assert set(re.findall(r"`(\w+)`", below)) == {attack.name for attack in attacks.ON_REQUEST}


def test_the_table_of_repairs_is_that_of_its_benchmark():
    cases = runpy.run_path(str(ROOT / "benchmarks" / "repairs.py"))["CASES"]

    assert [row[:2] for row in rows("What repairs a leak")] == [[case.name, case.answers] for case in cases]


@pytest.mark.parametrize(("shown", "targets"), [(650, 8), (320, 16), (160, 32), (2500, 1)])
def test_sample_sizes(shown, targets):
    assert f"{shown:,}" in SECTIONS["Statistics"]
    assert records_to_pass(0.05, targets=targets, alpha=0.05) == pytest.approx(shown, rel=0.02)


def test_the_table_of_modules_names_every_file():
    shown = set()
    for cell, what in rows("Architecture"):
        names = re.findall(r"`([\w/]+)`", cell)
        folder = names[0] if names and names[0].endswith("/") else ""
        shown |= {folder + name for name in re.findall(r"`(\w+)`", what)} if folder else set(names)
    package = Path(pytest_mia.__file__).parent

    assert shown == {
        str(path.relative_to(package).with_suffix("").as_posix())
        for path in package.rglob("*.py")
        if path.stem != "__init__"
    }


def test_links_to_files_lead_somewhere():
    for name in re.findall(r"`((?:examples|benchmarks|tests)/[\w./]*|\w+\.md|\.ci/run)`", README):
        assert (ROOT / name).exists(), name
