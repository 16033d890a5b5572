"""The guides: followed from an empty folder, as a new user would; their links, tables and workflows hold."""

import functools
import json
import re
import shlex
from importlib.resources import files

import jsonschema
import pytest
import yaml
from pages import LANGUAGES, ROOT, blocks_of, check_installed, follow, rows_of, run, sections_of

import pytest_mia
from pytest_mia import knowledge, plugin, statistics
from pytest_mia.core.settings import PROFILES

DOCS = ROOT / "docs"
GUIDES = sorted(DOCS.glob("*.md"))
PAGES = [*GUIDES, ROOT / "README.md", ROOT / "SECURITY.md"]
WORKFLOWS = {".github/workflows/privacy.yml": "github-workflows", ".gitlab-ci.yml": "gitlab-ci"}
CI = blocks_of((DOCS / "ci.md").read_text(encoding="utf-8"))
every_page = pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])


def text_of(page):
    return page.read_text(encoding="utf-8")


def prose_of(page):
    """A page without its blocks."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)


def guide(name):
    return text_of(DOCS / f"{name}.md")


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in GUIDES if page.stem != "start"], ids=lambda page: page.stem)
def test_a_guide_does_what_it_shows(page, tmp_path):
    follow(blocks_of(text_of(page)), tmp_path)


@pytest.mark.slow
def test_a_new_user_gets_from_an_empty_folder_to_a_red_build_its_remedy_and_a_green_one(tmp_path):
    begun, first, red, asked, green = follow(blocks_of(guide("start")), tmp_path)

    assert "mia: wrote conftest.py" in begun
    assert [" passed" in output for output in (first, red, asked, green)] == [True, False, False, True]
    # What the last conftest ships is what the message before it named.
    (named,) = re.findall(r"the cheapest remedy that was measured to pass,\s+E\s+(\w+)\(", asked)
    assert f"lambda: {named}(" in (tmp_path / "conftest.py").read_text(encoding="utf-8")
    # Nothing is trained twice: the remedy's audit is that of the models that were asked about it.
    assert f"with {named}(estimator)" in asked


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


def test_every_guide_is_in_the_index_and_the_index_in_the_readme():
    linked = set(re.findall(r"\]\((\w[\w-]*\.md)\)", guide("README")))

    assert linked == {page.name for page in GUIDES if page.stem != "README"}
    assert "](docs/README.md)" in text_of(ROOT / "README.md")


@functools.cache
def helped():
    return run(ROOT, "-m", "pytest", "--help").stdout


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_options_fixtures_and_names_are_there(page):
    named = re.findall(r"`([^`\n]+)`", prose_of(page))
    options = {found for each in named for found in re.findall(r"--mia-[\w-]+", each)}
    fixtures = {each for each in named if re.fullmatch(r"mia_\w+|assert_\w+|shadow_models", each)}
    public = {found for each in named for found in re.findall(r"pytest_mia\.(\w+)", each)}

    assert options <= set(re.findall(r"--mia-[\w-]+", helped()))
    assert fixtures <= plugin.FIXTURES
    assert public <= {*pytest_mia.__all__, "remedies"}
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


@pytest.mark.parametrize("block", [block for block in CI if block.language == "yaml"], ids=lambda block: block.file)
def test_workflows_fit_their_schemas(block):
    schemas = files(pytest.importorskip("check_jsonschema")) / "builtin_schemas" / "vendor"
    schema = json.loads((schemas / f"{WORKFLOWS[block.file]}.json").read_text(encoding="utf-8"))
    workflow = {"on" if key is True else key: value for key, value in yaml.safe_load(block.text).items()}

    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(workflow)] == []
    assert [*validator.iter_errors({**workflow, "jobs": "none", "privacy": {"script": 7}})]


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
    words = (ROOT / "pytest_mia" / "verdict.py").read_text(encoding="utf-8")
    told = {*re.findall(r'yield (?:from \(\()?"(\w[\w ]+)"', words), *re.findall(r'yield f"(try) ', words)}
    explained = {row[0].strip("`").split("`")[0] for row in rows_of(sections_of(guide("reports"))["The message"])}

    assert {line.split()[0] if line.startswith("try") else line for line in explained} == told


def test_columns_of_the_table_are_those_that_the_guide_explains():
    from pytest_mia.reports.table import HEADINGS

    explained = [name for row in rows_of(sections_of(guide("reports"))["The table"]) for name in row[0].split(", ")]
    assert explained == [f"`{name}`" for name in HEADINGS]


def test_every_function_of_knowledge_is_in_the_threat_model():
    rows = rows_of(sections_of(guide("threat-model"))["Attackers who know less"])
    assert sorted(re.match(r"`(\w+)", row[0])[1] for row in rows) == knowledge.__all__
