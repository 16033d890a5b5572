"""The cache under pytest: a second run trains nothing, and nothing about the cache fails a test."""

import json

import pytest
from projects import trees

CONFTEST = trees(120, mia_model_factory="lambda: DecisionTreeClassifier(max_depth=3)")
TESTS = """
def test_one(mia_audit):
    assert mia_audit.models == 4
"""
TWO = TESTS + TESTS.replace("one", "two")


@pytest.fixture
def cold_workers():
    """Workers start cold: what a process has loaded may be a part of the keys of its models."""


@pytest.fixture
def run(pytester):
    """Run an audit of four models, and tell what its report says of it."""

    def run(*args, tests=TESTS, conftest=CONFTEST):
        pytester.makeconftest(conftest)
        pytester.makepyfile(test_privacy=tests)
        options = ["--mia-shadows=3", "--mia-attacks=loss", "--mia-jobs=1", "--mia-json=mia.json"]
        result = pytester.runpytest(*options, *args)
        assert result.ret == 0
        result.assert_outcomes(passed=tests.count("def test_"))
        return json.loads((pytester.path / "mia.json").read_text())["audits"]

    return run


def uses(audits):
    return [(audit["cache"]["hits"], audit["cache"]["misses"]) for audit in audits]


def figures(audit):
    return {name: value for name, value in audit.items() if name not in ("seconds", "cache", "replay")}


def entries(pytester):
    return sorted((pytester.path / ".pytest_cache" / "d" / "mia").glob("*.entry"))


def test_a_second_run_trains_nothing(run, pytester):
    (first,), (second,) = run(), run()

    assert uses([first, second]) == [(0, 4), (4, 0)]
    assert figures(first) == figures(second) == figures(*run("--mia-cache=off"))
    folder = entries(pytester)[0].parent
    assert folder.stat().st_mode & 0o777 == 0o700, "nobody else may see what models answered"


def test_another_limit_or_another_test_trains_nothing(run):
    run()
    judged = "def test_limit(assert_membership_advantage_below):\n    assert_membership_advantage_below(0.99)\n"

    assert uses(run(tests=judged)) == [(4, 0)]


def test_another_factory_trains_again(run):
    run()

    assert uses(run(conftest=CONFTEST.replace("max_depth=3", "max_depth=4"))) == [(0, 4)]


def test_workers_train_each_model_once(cold_workers, run, pytester):
    both = run("-n2", tests=TWO)

    assert sum(audit["cache"]["misses"] for audit in both) == 4
    assert all(audit["cache"]["hits"] + audit["cache"]["misses"] == 4 for audit in both)
    assert figures(both[0]) | {"test": ""} == figures(both[1]) | {"test": ""}
    assert uses(run(tests=TWO)) == [(4, 0), (4, 0)]
    assert len(entries(pytester)) == 5, "four models and the attacks' result"


def test_workers_refresh_each_model_once(run):
    run()
    both = run("-n2", "--mia-cache=refresh", tests=TWO)

    assert sum(audit["cache"]["misses"] for audit in both) == 4


@pytest.mark.parametrize("how", ["option", "ini", "marker", "no provider"])
def test_off(run, pytester, how):
    tests = TESTS if how != "marker" else "import pytest\n@pytest.mark.mia(cache='off')" + TESTS
    if how == "ini":
        pytester.makeini("[pytest]\nmia_cache = off")
    arguments = {"option": ["--mia-cache=off"], "no provider": ["-p", "no:cacheprovider"]}

    for _ in range(2):
        assert uses(run(*arguments.get(how, []), tests=tests)) == [(0, 0)]
    assert not (pytester.path / ".pytest_cache" / "d" / "mia").exists()


def test_refresh(run):
    run()

    assert uses(run("--mia-cache=refresh")) == [(0, 4)]
    assert uses(run()) == [(4, 0)]


@pytest.mark.parametrize("arguments", [[], ["-n1"]])
def test_clearing_the_cache_empties_it(run, pytester, arguments):
    run()
    before = entries(pytester)
    (pytester.path / ".pytest_cache" / "d" / "mia" / "stale").write_text("")

    assert uses(run("--cache-clear", *arguments)) == [(0, 4)]
    assert entries(pytester) == before
    assert not (pytester.path / ".pytest_cache" / "d" / "mia" / "stale").exists()


@pytest.mark.parametrize("where", [".pytest_cache", ".pytest_cache/d", ".pytest_cache/d/mia"])
def test_a_cache_that_cannot_be_written_is_noted(run, pytester, where):
    path = pytester.path / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a file in place of a folder")
    (audit,) = run("-Wignore")

    assert uses([audit]) == [(0, 4)]
    assert any("could not be cached" in note for note in audit["notes"])


def test_a_damaged_cache_is_noted_and_fails_nothing(run, pytester):
    (first,) = run()
    for path in entries(pytester):
        path.write_bytes(b"damaged")
    (second,) = run("-Werror")

    assert uses([second]) == [(0, 4)]
    assert any("is damaged" in note for note in second["notes"])
    assert second["advantage"] == first["advantage"]


def test_a_damaged_cache_is_warned_of(run, pytester):
    run()
    for path in entries(pytester):
        path.write_bytes(b"damaged")
    run("-rw")
    for path in entries(pytester):
        path.write_bytes(b"damaged")
    result = pytester.runpytest("--mia-shadows=3", "--mia-attacks=loss", "--mia-jobs=1", "-Wdefault")

    result.stdout.fnmatch_lines(["*CacheWarning: the cache entry * is damaged *"])


def test_an_unknown_mode_is_refused(pytester):
    result = pytester.runpytest("--mia-cache=always")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--mia-cache must be use, refresh or off, got 'always'*"])
