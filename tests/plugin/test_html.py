"""`--mia-html`, GitHub's summary and annotations, and pytest-html, from runs of pytest."""

import importlib.util
import re

import pytest

TESTS = """
import pytest

@pytest.mark.parametrize("limit", [0.9, 0.1, 0.31])
def test_release(assert_membership_advantage_below, limit):
    assert_membership_advantage_below(limit)

@pytest.mark.xfail
def test_expected(assert_membership_advantage_below):
    assert_membership_advantage_below(0.1)

@pytest.mark.mia(inconclusive="skip")
def test_unsure(assert_membership_advantage_below):
    assert_membership_advantage_below(0.31)

@pytest.mark.parametrize("x", ["<script>"])
def test_look(mia_audit, x):
    pass

def test_other():
    pass
"""
GATE = "def test_release(assert_membership_advantage_below):\n    assert_membership_advantage_below(0.5)\n"


@pytest.fixture
def undrawn(monkeypatch):
    """Drawings are looked at elsewhere, and take their time."""
    from pytest_mia.reports import plots

    monkeypatch.setattr(plots, "draw", lambda paint, *, name, **_: f'<svg id="{name}"></svg>')


@pytest.fixture
def undrawable(monkeypatch):
    """Matplotlib is not installed."""
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None if name == "matplotlib" else find(name))


def test_the_page_shows_every_audit_alike_in_any_mode(fake, pytester, undrawn):
    for args in (["-Wdefault"], ["-n2", "-Wdefault"], ["-Werror"]):
        fake(TESTS, "--mia-html=mia.html", *args)
        pytester.path.joinpath("mia.html").rename(pytester.path / f"{args[0]}.html")

    serial, xdist, strict = ((pytester.path / f"{name}.html").read_text() for name in ("-Wdefault", "-n2", "-Werror"))
    assert serial == xdist == strict
    headings = re.findall(r"<h2 .*?</span> (\w+|not judged)</strong> (.*?)</h2>", serial)
    assert headings == [
        ("pass", "test_privacy.py::test_release[0.9]"),
        ("leak", "test_privacy.py::test_release[0.1]"),
        ("inconclusive", "test_privacy.py::test_release[0.31]"),
        ("leak", "test_privacy.py::test_expected"),
        ("inconclusive", "test_privacy.py::test_unsure"),
        ("not judged", "test_privacy.py::test_look[&lt;script&gt;]"),
    ]


def test_a_run_that_warns_of_nothing_draws(fake, pytester):
    fake(GATE, "--mia-html=mia.html", "-Werror").assert_outcomes(passed=1)

    assert pytester.path.joinpath("mia.html").read_text().count("<svg ") == 5


def test_a_page_from_an_ini_key(fake, pytester, undrawn):
    pytester.makeini("[pytest]\nmia_html = mia.html\n")

    fake(GATE).assert_outcomes(passed=1)

    assert pytester.path.joinpath("mia.html").exists()


def test_what_is_missing_is_said_before_anything_is_trained(fake, pytester, undrawable):
    result = fake(GATE, "--mia-html=mia.html")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --mia-html needs matplotlib: pip install matplotlib"])
    assert not (pytester.path / "trained.txt").exists()


@pytest.mark.parametrize(
    ("path", "told"),
    [("no/mia.html", "the folder *no does not exist; create it first"), ("", "* is a folder; name a file")],
)
def test_a_path_that_cant_be_written_is_refused(fake, path, told):
    result = fake(GATE, f"--mia-html={path}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --mia-html: {told}"])


def test_a_lost_verdict_stands_on_the_page(fake, pytester, undrawn):
    lose = """
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    vars(report).pop("mia", None)
    return report
"""
    fake(GATE, "--mia-html=mia.html", hooks=lose)

    assert "the verdict of test_privacy.py::test_release" in pytester.path.joinpath("mia.html").read_text()


@pytest.mark.parametrize("args", [(), ("-n2",)])
def test_github(fake, pytester, monkeypatch, args):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path.parent))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
    result = fake(TESTS, "-Wdefault", *args)

    file = f"file={pytester.path.name}/test_privacy.py"
    commands = [line.partition("::membership")[0] for line in result.outlines if re.match("::(error|warning) ", line)]
    assert commands == [
        f"::error {file},line=5,title=membership inference%3A leak",
        f"::error {file},line=5,title=membership inference%3A inconclusive",
        f"::warning {file},line=11,title=membership inference%3A inconclusive",
    ]
    summary = pytester.path.joinpath("summary.md").read_text()
    assert summary.count("### ") == 1
    assert summary.count("\n| test&#95;privacy.py::test&#95;") == 6
    assert "test&#95;look&#91;&#60;script&#62;&#93;" in summary


def test_a_run_without_audits_leaves_no_summary(fake, pytester, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
    fake("def test_other(): pass")

    assert not pytester.path.joinpath("summary.md").exists()


@pytest.mark.parametrize("args", [(), ("-n1",)])
def test_the_report_of_pytest_html_shows_the_figures(by_entry_points, fake, pytester, undrawn, args):
    fake(TESTS, "-Wdefault", "--html=report.html", "--self-contained-html", *args)

    report = pytester.path.joinpath("report.html").read_text()
    names = set(re.findall(r"mia-[0-9a-f]+-1-verdict", report))
    assert len(names) == 6
    assert all(report.count(name.replace("-verdict", "-scores")) == report.count(name) for name in names)


def test_without_matplotlib_the_report_of_pytest_html_has_none(by_entry_points, fake, pytester, undrawable):
    fake(GATE, "-Wdefault", "--html=report.html").assert_outcomes(passed=1)

    assert "mia-7465" not in pytester.path.joinpath("report.html").read_text()
