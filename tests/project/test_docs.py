"""The guides: followed from an empty folder, as a new user would; their links, tables and workflows hold."""

import configparser
import functools
import json
import re
import runpy
import shlex
from importlib.resources import files

import jsonschema
import pytest
import test_layering
import yaml
from pages import LANGUAGES, ROOT, blocks_of, check_installed, follow, rows_of, run, sections_of
from torches import needs_torch

import pytest_mia
from pytest_mia import knowledge, plugin, remedies, statistics
from pytest_mia.attacks import registry
from pytest_mia.core.settings import PROFILES

DOCS = ROOT / "docs"
GUIDES = sorted(DOCS.rglob("*.md"))
PROJECT = [ROOT / f"{name}.md" for name in ("README", "SECURITY", "CONTRIBUTING", "CHANGELOG")]
PAGES = [*GUIDES, *PROJECT]
WORKFLOWS = {".github/workflows/privacy.yml": "github-workflows", ".gitlab-ci.yml": "gitlab-ci"}
CI = blocks_of((DOCS / "how-to" / "ci.md").read_text(encoding="utf-8"))
every_page = pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
# The tutorial is followed with the README, whose first test it goes on with; see test_readme.py.
FOLLOWED = [page for page in GUIDES if page.stem != "tutorial" and "```" in page.read_text(encoding="utf-8")]


def text_of(page):
    return page.read_text(encoding="utf-8")


def prose_of(page):
    """A page without its blocks."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)


def guide(name):
    (page,) = DOCS.rglob(f"{name}.md")
    return text_of(page)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=needs_torch if page.stem == "torch" else ()) for page in FOLLOWED],
    ids=lambda page: page.stem,
)
def test_a_guide_does_what_it_shows(page, tmp_path):
    follow(blocks_of(text_of(page)), tmp_path)


@every_page
def test_every_block_is_of_a_kind_that_is_run(page):
    assert {block.language for block in blocks_of(text_of(page))} <= LANGUAGES


def test_a_block_of_another_kind_is_refused(tmp_path):
    with pytest.raises(AssertionError, match="'rust' isn't run"):
        follow(blocks_of("```rust\nfn main() {}\n```\n"), tmp_path)


def test_a_command_that_is_not_run_is_refused(tmp_path):
    with pytest.raises(AssertionError, match="rm isn't run"):
        follow(blocks_of("```console\n$ rm conftest.py\n```\n"), tmp_path)


def test_an_extra_that_is_not_there_is_refused():
    with pytest.raises(AssertionError, match="htm"):
        check_installed(["install", ".[htm]"])


@every_page
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", prose_of(page)):
        name, _, anchor = target.partition("#")
        assert not name.startswith("http"), f"{target} can't be checked"
        path = page.parent / name if name else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(text_of(path)), target


def anchors(text):
    """As hosts make them of headings."""
    return {re.sub(r"[^\w -]", "", found.lower()).replace(" ", "-") for found in re.findall(r"^#+ (.*)$", text, re.M)}


def test_every_page_is_in_the_index_and_the_menu_and_the_index_in_the_readme():
    pages = {page.relative_to(DOCS).as_posix() for page in GUIDES}
    menu = set(re.findall(r": (\S+\.md)$", text_of(ROOT / "mkdocs.yml"), re.MULTILINE))
    linked = set(re.findall(r"\]\((\w[\w/-]*\.md)\)", guide("index")))

    assert linked == pages - {"index.md"}
    assert {page for page in menu if not page.startswith("project/")} == pages
    assert "](docs/index.md)" in text_of(ROOT / "README.md")


@pytest.mark.parametrize("name", ["options.md", "fixtures.md", "attacks.md", "json.md"])
def test_reference_pages_are_what_the_code_says(name):
    written = runpy.run_path(str(DOCS / "generate.py"))["PAGES"]
    assert {page.name for page in (DOCS / "reference").glob("*.md")} == written.keys()
    assert text_of(DOCS / "reference" / name) == written[name](), "run: python docs/generate.py"


@functools.cache
def helped():
    return run(ROOT, "-m", "pytest", "--help").stdout


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_options_fixtures_and_names_are_there(page):
    named = re.findall(r"`([^`\n]+)`", prose_of(page))
    options = {found for each in named for found in re.findall(r"--mia-[\w-]+", each)}
    fixtures = {each for each in named if re.fullmatch(r"mia_\w+|assert_\w+|shadow_models", each)}
    public = {found for each in named for found in re.findall(r"pytest_mia\.(\w+)", each)}

    known = set(re.findall(r"--mia-[\w-]+", helped()))

    assert options <= known
    assert fixtures <= plugin.FIXTURES | {option.removeprefix("--").replace("-", "_") for option in known}
    assert public <= {*pytest_mia.__all__, "remedies", "strategies"}
    assert {found for each in named for found in re.findall(r"--mia-profile=(\w+)", each)} <= {*PROFILES}


@pytest.mark.parametrize("block", [block for block in CI if block.language == "yaml"], ids=lambda block: block.file)
def test_workflows_are_what_their_hosts_demand(block):
    workflow = yaml.safe_load(block.text)
    if block.file == ".gitlab-ci.yml":
        jobs = [job for name, job in workflow.items() if name not in ("stages", "default", "variables", "workflow")]
        assert all({"script", "image"} <= job.keys() for job in jobs)
        return
    # YAML takes the key "on" for true.
    assert workflow.keys() == {"name", True, "permissions", "jobs"}
    for job in workflow["jobs"].values():
        assert {"runs-on", "steps", "timeout-minutes"} <= job.keys()
        assert all(("uses" in step) != ("run" in step) for step in job["steps"])
        assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"]) for step in job["steps"] if "uses" in step)


@pytest.mark.parametrize("text", [block.text for block in CI if block.language == "yaml"], ids=WORKFLOWS)
def test_workflows_fit_their_schemas(text, request):
    check_schema(text, WORKFLOWS[request.node.callspec.id])


def test_the_workflow_of_a_release_fits_its_schema_and_tests_before_it_builds():
    workflow = text_of(ROOT / ".github" / "workflows" / "release.yml")

    check_schema(workflow, "github-workflows")
    assert workflow.index("bash .ci/run") < workflow.index("python -m build") < workflow.index("gh release create")


def check_schema(text, name):
    schemas = files(pytest.importorskip("check_jsonschema")) / "builtin_schemas" / "vendor"
    schema = json.loads((schemas / f"{name}.json").read_text(encoding="utf-8"))
    workflow = {"on" if key is True else key: value for key, value in yaml.safe_load(text).items()}

    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(workflow)] == []
    assert [*validator.iter_errors({**workflow, "jobs": "none", "privacy": {"script": 7}})]


@pytest.mark.parametrize(
    "form", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda form: form.stem
)
def test_forms_of_issues_can_be_read(form):
    """What the host demands of a form: a name, a description, and fields with a label and an id of their own."""
    read = yaml.safe_load(text_of(form))
    if form.stem == "config":
        assert read.keys() == {"blank_issues_enabled"}
        return
    fields = [field for field in read["body"] if field["type"] != "markdown"]
    assert read.keys() == {"name", "description", "labels", "body"}
    assert {field["type"] for field in fields} <= {"textarea", "input", "dropdown"}
    assert all(field["attributes"]["label"] for field in fields)
    assert len({field["id"] for field in fields}) == len(fields)


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load(text_of(ROOT / "CITATION.cff"))
    assert citation["version"] == pytest_mia.__version__
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert "MIT" in text_of(ROOT / "LICENSE")
    assert citation["license"] == "MIT"


def test_the_commands_of_workflows_are_accepted(tmp_path):
    follow([block for block in CI if block.file is not None], tmp_path)
    commands = {tuple(shlex.split(line)) for block in CI if block.language == "yaml" for line in scripts(block)}
    tests = [arguments for program, *arguments in commands if program == "pytest"]

    assert {program for program, *_ in commands} == {"pip", "pytest"}
    assert len(tests) == 3
    for arguments in tests:
        done = run(tmp_path, "-m", "pytest", "--collect-only", "-q", *arguments)
        assert (done.returncode, "1 test collected" in done.stdout) == (0, True), done.stdout + done.stderr
    for arguments in (arguments for program, *arguments in commands if program == "pip"):
        check_installed(arguments)
        listed = (tmp_path / arguments[-1]).read_text(encoding="utf-8").splitlines()
        check_installed(["install", *(line for line in listed if not line.startswith("#"))])


def scripts(block):
    """The commands of all jobs."""
    workflow = yaml.safe_load(block.text)
    if "jobs" not in workflow:
        return workflow["privacy"]["script"]
    return [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]


@pytest.mark.slow
def test_exit_codes_are_those_that_the_guide_lists(tmp_path):
    marked = "@pytest.mark.mia(shadowz=3)\ndef test(mia_audit): ..."
    begun = {
        0: ("def test(): ...",),
        1: ("def test(mia_audit): ...",),
        2: (f"import pytest\n{marked}",),
        4: ("def test(): ...", "--mia-shadows=2"),
        5: ("def test(): ...", "--mia-only"),
    }
    for code, (tests, *arguments) in begun.items():
        (tmp_path / f"test_{code}.py").write_text(tests, encoding="utf-8")
        assert run(tmp_path, "-m", "pytest", f"test_{code}.py", *arguments).returncode == code
    assert [row[0] for row in rows_of(sections_of(guide("reports"))["Exit codes"])] == [str(code) for code in begun]


@pytest.mark.parametrize(("table", "share"), [(1, 0.0), (2, 0.5)])
def test_the_tables_of_sample_sizes_are_those_of_the_package(table, share):
    part = sections_of(guide("limits"))["How many records it takes"]
    rows = [row for row in part.split("\n\n") if row.startswith("| limit")][table - 1]
    heads = [cell.strip() for cell in rows.splitlines()[0].strip("|").split("|")][1:]
    targets = [int(found[0]) + 1 if (found := re.findall(r"\d+", head)) else 1 for head in heads]

    assert targets == [4, 8, 16, 32, 64, 1]
    assert len(rows_of(rows)) == 4
    for limit, *cells in rows_of(rows):
        expected = [
            statistics.records_to_pass(float(limit), targets=each, alpha=0.05, advantage=share * float(limit))
            for each in targets
        ]
        assert [int(cell.replace(",", "")) for cell in cells] == expected


def test_what_an_advantage_means_is_worked_out_rightly():
    for advantage, right, _ in rows_of(sections_of(guide("limits"))["What a limit means"]):
        assert float(right) == pytest.approx(100 * (1 + float(advantage)) / 2)


def test_the_tail_needs_as_many_non_members_as_the_guide_says():
    assert "10,000 non-members at a rate of 0.001, 1,000 at 0.01, 100\nat 0.1" in guide("limits")
    for rate, needed in ((0.001, 10_000), (0.01, 1_000), (0.1, 100)):
        assert statistics.measurable(rate, needed)
        assert not statistics.measurable(rate, needed - 1)


def test_lines_of_a_message_are_those_that_the_guide_explains():
    words = (ROOT / "pytest_mia" / "verdicts" / "message.py").read_text(encoding="utf-8")
    told = {*re.findall(r'yield (?:from \(\()?\(?\s*"(\w[\w ]+)",', words), *re.findall(r'yield f"(try) ', words)}
    explained = {row[0].strip("`").split("`")[0] for row in rows_of(sections_of(guide("reports"))["The message"])}

    assert {line.split()[0] if line.startswith("try") else line for line in explained} == told


def test_columns_of_the_table_are_those_that_the_guide_explains():
    from pytest_mia.reports.table import HEADINGS

    explained = [name for row in rows_of(sections_of(guide("reports"))["The table"]) for name in row[0].split(", ")]
    assert explained == [f"`{name}`" for name in HEADINGS]


def test_every_function_of_knowledge_is_in_the_threat_model():
    rows = rows_of(sections_of(guide("threat-model"))["Attackers who know less"])
    assert sorted(re.match(r"`(\w+)", row[0])[1] for row in rows) == knowledge.__all__


def attacks_of(text):
    return {attack for row in rows_of(text) for attack in re.findall(r"`(\w+)`", row[0])}


def test_every_attack_is_explained():
    table, _, named = text_of(DOCS / "explanation" / "attacks.md").partition(
        "\n## Attacks that run only where they are named\n"
    )
    centred = {f"{attack}_centred" for row in rows_of(table) for attack in re.findall(r"`(\w+)` \*", row[0])}

    assert attacks_of(table) | centred == {attack.name for attack in registry.ATTACKS}
    on_request = set(re.findall(r"`(\w+)`", named.partition("\n## ")[0]))
    assert on_request == {attack.name for attack in registry.ON_REQUEST}


def test_every_remedy_on_answers_is_in_the_table():
    rows = rows_of(sections_of(guide("remedies"))["Remedies on answers"])
    shown = [re.match(r"`(\w+)Answers\(", row[1])[1] for row in rows]

    assert shown == [remedy.__name__ for remedy in remedies.ON_ANSWERS]


def test_the_table_of_repairs_is_that_of_its_benchmark():
    cases = runpy.run_path(str(ROOT / "benchmarks" / "repairs.py"))["CASES"]
    rows = rows_of(sections_of(guide("remedies"))["What repairs a leak"])

    assert [row[:2] for row in rows] == [[case.name, case.answers] for case in cases]


@pytest.mark.parametrize(("shown", "targets"), [(650, 8), (320, 16), (160, 32), (2500, 1)])
def test_sample_sizes(shown, targets):
    assert f"{shown:,}" in sections_of(guide("statistics"))["Which figure is for which model"]
    assert statistics.records_to_pass(0.05, targets=targets, alpha=0.05) == pytest.approx(shown, rel=0.02)


def test_the_architecture_shows_the_rooms_that_there_are():
    rows = rows_of(sections_of(guide("architecture"))["The house"])
    package = ROOT / "pytest_mia"

    assert [row[0].strip("`/") for row in rows] == [*test_layering.ROOMS]
    assert {row[0].strip("`/") for row in rows} == {path.parent.name for path in package.glob("*/__init__.py")}
    assert all((package / row[0].strip("`") / row[2].strip("`")).exists() for row in rows)
    assert all(f">{row[0].strip('`/')}</text>" in text_of(DOCS / "pictures" / "house.svg") for row in rows)


@pytest.mark.parametrize("page", [*GUIDES, *PROJECT], ids=lambda page: page.stem)
def test_files_that_a_page_names_are_there(page):
    for name in re.findall(r"`((?:docs|examples|benchmarks|tests|pytest_mia)/[\w./-]*|\.ci/run)`", text_of(page)):
        assert (ROOT / name).exists(), name


def test_pictures_are_small_and_shown():
    for picture in (DOCS / "pictures").iterdir():
        assert picture.stat().st_size < 200_000
        assert any(f"pictures/{picture.name})" in text_of(page) for page in PAGES)


def test_the_commands_for_contributors_are_there():
    """They are those of tools that the first one installs, with environments, markers and files that there are."""
    commands = [shlex.split(each) for block in blocks_of(text_of(ROOT / "CONTRIBUTING.md")) for each in block.commands]
    tools = {command[0].rpartition("/")[2] for command in commands[1:]}
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini", encoding="utf-8")

    assert commands[0][:3] == ["python3", "-m", "venv"]
    check_installed(commands[0][commands[0].index("install") :][:3])
    assert commands[0][commands[0].index("install") + 3 :] == ["ruff", "mypy", "tox"]
    assert tools == {"pytest", "python", "tox"}
    for _, *arguments in commands[1:]:
        assert all((ROOT / each).exists() for each in arguments if "/" in each), arguments
        assert all(
            f"testenv:{name}" in tox
            for each in arguments
            if arguments[0] == "-e" and each != "-e"
            for name in each.split(",")
        )
