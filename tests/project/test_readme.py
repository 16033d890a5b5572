"""The README: short, every block of code is run, what it shows is what comes out, and its tables are the code's."""

import ast
import configparser
import inspect
import os
import re
import shlex

import pytest
from pages import LANGUAGES, ROOT, blocks_of, check_output, follow, rows_of, run, sections_of, shown

from pytest_mia import AuditResult, TorchTraining, plugin

README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTIONS = sections_of(README)
BLOCKS = {title: blocks_of(text) for title, text in SECTIONS.items()}
CLONE = "From a clone, two commands"
TUTORIAL = blocks_of((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8"))


def rows(title):
    return rows_of(SECTIONS[title])


def test_it_is_short():
    assert len(README.splitlines()) <= 250


@pytest.mark.slow
def test_the_first_test_fails_and_the_tutorial_leads_to_a_green_build(tmp_path):
    """Both begin with the same two files, so one run shows what both show."""
    red, asked, green = follow(TUTORIAL, tmp_path)
    (told,) = BLOCKS["A first test"][2].steps

    assert told[0] == "pytest"
    check_output(told[1], red)
    assert [" passed" in output for output in (red, asked, green)] == [False, False, True]
    # What the last conftest ships is what the message before it named.
    (named,) = re.findall(r"the cheapest remedy that was measured to pass,\s+E\s+(\w+)\(", asked)
    assert f"lambda: {named}(" in (tmp_path / "conftest.py").read_text(encoding="utf-8")
    # Nothing is trained twice: the remedy's audit is that of the models that were asked about it.
    assert f"with {named}(estimator)" in asked
    # The picture of the terminal shows this run. Lines that depend on versions or say how long it took are left out.
    picture = (ROOT / "docs" / "pictures" / "terminal.svg").read_text(encoding="utf-8")
    lines = shown(re.search(r"<desc>(.*?)</desc>", picture, re.DOTALL)[1].replace("&gt;", ">"))
    message = [line for line in lines if re.match(r"E +(accuracy|power|try [12]|replay) ", line)]
    assert len(message) == 5
    check_output(message, red)


def test_the_tutorial_begins_where_the_readme_does():
    files = [[block.text for block in page if block.file] for page in (BLOCKS["A first test"], TUTORIAL)]
    assert len(files[0]) == 2
    assert files[0] == files[1][:2]


@pytest.mark.slow
def test_the_audit_without_pytest_does_what_it_shows(tmp_path):
    follow(BLOCKS["Without pytest"], tmp_path)


def test_what_is_installed_is_this_package(tmp_path):
    follow(BLOCKS["Install"], tmp_path)


def test_all_blocks_are_of_kinds_that_are_run_and_stand_where_they_are():
    assert {block.language for block in blocks_of(README)} <= LANGUAGES
    assert {title for title, blocks in BLOCKS.items() if blocks} == {"Install", "A first test", "Without pytest", CLONE}


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
    assert _ini("tox.ini")["tox"]["env_list"] == "lint, docs, checks"
    assert _ini("tox.ini")["testenv:checks"]["commands"].split("\n")[:2] == ["", "mypy --num-workers=2"]


def test_the_site_is_built_with_what_the_extra_brings():
    extra = _ini("setup.cfg")["options.extras_require"]["docs"].split("\n")
    assert _ini("tox.ini")["testenv:docs"]["deps"].split("\n") == extra


def _commands():
    """What the two commands do in a virtual environment that they make."""
    chains = [command.split(" && ") for block in BLOCKS[CLONE] for command in block.commands]
    assert [chain[0] for chain in chains] == ["python3 -m venv .venv"] * 2
    return [chain[1:] for chain in chains]


def _ini(name):
    parser = configparser.ConfigParser()
    parser.read(ROOT / name, encoding="utf-8")
    return parser


def test_the_ten_options_are_options_with_their_defaults():
    reference = (ROOT / "docs" / "reference" / "options.md").read_text(encoding="utf-8")
    known = {row[0]: row[2] for row in rows_of(reference) if row[0].startswith("`--")}
    said = {row[0]: row[2] for row in rows("Options")}

    assert len(said) == 10
    assert {
        option: default.replace("all that fit, but for those on request", "none") for option, default in said.items()
    } == {option: known[option] for option in said}


def test_the_tables_of_fixtures_are_those_of_the_plugin():
    overridden = [row[0].strip("`") for row in rows("Fixtures that you override")]
    gates = [re.match(r"`(\w+)", row[0])[1] for row in rows("Gates")]
    others = re.findall(r"`(mia_audit|shadow_models)` gives", SECTIONS["Gates"])

    assert overridden == list(plugin.OVERRIDDEN)
    assert sorted([*gates, *others]) == sorted(plugin.PROVIDED)


@pytest.mark.parametrize("call", re.findall(r"^\| `(assert_\w+\(.*?\))`", SECTIONS["Gates"], re.MULTILINE))
def test_gates_take_what_their_row_says(call):
    name, _, arguments = call.rstrip(")").partition("(")
    keywords = dict(each.split("=") for each in arguments.split(", ") if "=" in each)
    parameters = inspect.signature(getattr(AuditResult, name)).parameters.values()

    assert {name: ast.literal_eval(default) for name, default in keywords.items()} == {
        each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY
    }


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/kinds-of-models.md"])
def test_the_defaults_of_torch_training_are_its_own(page):
    epochs, size, optimizer, lr = re.search(
        r"TorchTraining\(epochs=(\d+), batch_size=(\d+), optimizer=\"(\w+)\", lr=([\d.]+)",
        (ROOT / page).read_text(encoding="utf-8"),
    ).groups()

    assert TorchTraining() == TorchTraining(epochs=int(epochs), batch_size=int(size), optimizer=optimizer, lr=float(lr))
