"""Options and ini keys."""

import dataclasses
import json

import pytest

from pytest_mia.core.settings import Settings
from pytest_mia.plugin import options
from pytest_mia.reports.registry import FILES

LOOK = "def test_look(mia_audit):\n    assert (mia_audit.shadows, mia_audit.seed) == {expected}\n"
NAMES = [row.name for row in dataclasses.fields(Settings)]


@pytest.mark.parametrize(
    ("ini", "args", "marker", "expected"),
    [
        ("", (), "", (7, 0)),
        ("mia_shadows = 5\nmia_seed = 1", (), "", (5, 1)),
        ("mia_shadows = 5\nmia_seed = 1", ("--mia-shadows=6",), "", (6, 1)),
        ("mia_shadows = 5\nmia_seed = 1", ("--mia-shadows=6", "--mia-seed=2"), "shadows=9", (9, 2)),
        ("mia_seed = 1", ("--mia-seed=0",), "", (7, 0)),
        ("mia_seed = 1", ("--mia-seed=2",), "seed=0", (7, 0)),
    ],
)
def test_marker_before_option_before_ini_before_default(fake, pytester, ini, args, marker, expected):
    pytester.makeini(f"[pytest]\n{ini}")
    tests = f"import pytest\n@pytest.mark.mia({marker})\n{LOOK.format(expected=expected)}"

    fake(tests, *args).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("ini", "args", "expected"),
    [
        ("", (), "off"),
        ("", ("--mia-what-if",), "outputs"),
        ("", ("--mia-what-if=train",), "train"),
        ("mia_what_if = outputs", (), "outputs"),
        ("mia_what_if = outputs", ("--mia-what-if=off",), "off"),
    ],
)
def test_an_option_may_stand_alone(pytester, ini, args, expected):
    pytester.makeini(f"[pytest]\n{ini}")
    config = pytester.parseconfig(*args)
    assert options.read_options(config).settings.what_if == expected


def test_a_path_behind_it_is_not_taken_for_its_value(pytester):
    with pytest.raises(pytest.UsageError, match="--mia-what-if must be off, outputs or train, after an equals sign"):
        options.read_options(pytester.parseconfig("--mia-what-if", "tests"))


def test_a_worker_reads_the_same_settings(fake, pytester):
    pytester.makeini("[pytest]\nmia_shadows = 5\n")

    fake(LOOK.format(expected=(5, 3)), "-n1", "--mia-seed=3").assert_outcomes(passed=1)


def test_all_bad_options_and_ini_keys_are_reported_together(fake, pytester, mode):
    pytester.makeini("[pytest]\nmia_queries = many\nmia_seed = -1\nmia_inconclusive = hope\n")

    result = fake(
        LOOK.format(expected=()),
        *mode,
        "--mia-shadows=2",
        "--mia-confidence=x",
        "--mia-attacks=,",
        "--mia-json=no/mia.json",
    )

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines_random(
        [
            "ERROR: --mia-shadows must be a whole number from 3 to 10000, or 0 for a release, got 2",
            "ERROR: --mia-confidence must be a number from 0.5 to 1, both excluded, got 'x'",
            "ERROR: --mia-attacks must be a list of attack names, got ()",
            "ERROR: --mia-json: the folder *no does not exist; create it first",
            "ERROR: ini key mia_queries must be a whole number from 1 to 10000*",
            "ERROR: ini key mia_seed must be a whole number of at least 0, of 128 bits at the most, got -1",
            "ERROR: ini key mia_inconclusive must be fail, warn or skip, got 'hope'",
        ]
    )
    assert not (pytester.path / "trained.txt").exists()


native_toml = pytest.mark.skipif(pytest.version_tuple < (9,), reason="pytest 9 reads native types from [tool.pytest]")


@native_toml
def test_ini_keys_may_have_the_types_of_toml(fake, pytester):
    pytester.makepyprojecttoml(
        "[tool.pytest]\nmia_shadows = 5\nmia_seed = 2\nmia_confidence = 0.9\nmia_skip = false\n"
        'mia_attacks = ["loss", "gap"]\n'
    )

    result = fake(LOOK.format(expected=(5, 2)))

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["mia: shadows 5, device auto, seed 2, attacks loss,gap, confidence 0.9"])


def test_a_list_in_an_ini_file_may_have_commas(fake, pytester):
    pytester.makeini("[pytest]\nmia_attacks = loss, gap\n")

    fake(LOOK.format(expected=(7, 0))).stdout.fnmatch_lines(["mia: *attacks loss,gap,*"])


@native_toml
def test_a_wrong_type_in_toml_is_a_usage_error(fake, pytester):
    pytester.makepyprojecttoml('[tool.pytest]\nmia_shadows = "5"\nmia_only = "yes"\n')

    result = fake(LOOK.format(expected=()))

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: ini key mia_shadows must be *'5'", "*", "ERROR: ini key mia_only must be *'yes'"]
    )


@pytest.mark.parametrize(
    ("path", "told"),
    [("folder", "is a folder; name a file"), ("file/mia.json", "does not exist; create it first"), ("", "is a folder")],
)
def test_a_json_path_that_cant_be_written_is_refused(fake, pytester, path, told):
    pytester.mkdir("folder")
    pytester.path.joinpath("file").touch()

    result = fake(LOOK.format(expected=()), f"--mia-json={path}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --mia-json: *{told}*"])


def test_a_json_folder_without_permission_is_refused(fake, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)

    result = fake(LOOK.format(expected=()), "--mia-json=mia.json")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --mia-json: the folder * can't be written to"])


def test_a_json_path_in_ini_is_relative_to_the_root_folder(fake, pytester, monkeypatch):
    pytester.makeini("[pytest]\nmia_json = mia.json\n")
    pytester.mkdir("sub")
    fake(LOOK.format(expected=(7, 0))).assert_outcomes(passed=1)
    pytester.path.joinpath("mia.json").unlink()

    monkeypatch.chdir("sub")
    pytester.runpytest("..").assert_outcomes(passed=1)

    assert json.loads((pytester.path / "mia.json").read_text())["audits"]


def test_help_names_every_option(pytester):
    help_ = pytester.runpytest("--help").stdout

    for name in [*NAMES, *FILES, "save", "compare", "profile", "skip", "only"]:
        help_.fnmatch_lines([f"*--mia-{name.replace('_', '-')}*"])
        help_.fnmatch_lines([f"*mia_{name}*"])


MIXED = "def test_audit(mia_audit): pass\n\ndef test_other(): pass\n"


def test_skip(fake, pytester, alone):
    result = fake(MIXED, *alone, "--mia-skip", "-rs")

    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*--mia-skip*"])
    assert not (pytester.path / "trained.txt").exists()


def test_only(fake, alone):
    result = fake(MIXED, *alone, "--mia-only")

    assert result.parseoutcomes().items() >= {"passed": 1}.items()
    assert "2 passed" not in result.stdout.str()
    result.assert_outcomes(passed=1, deselected=1)


def test_skip_and_only_contradict_each_other(fake):
    result = fake(MIXED, "--mia-skip", "--mia-only")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --mia-skip and --mia-only leave no test to run*"])


def test_the_command_line_wins_over_skip_and_only_in_ini(fake, pytester):
    pytester.makeini("[pytest]\nmia_skip = true\n")

    fake(MIXED).assert_outcomes(passed=1, skipped=1)
    fake(MIXED, "--mia-only").assert_outcomes(passed=1, deselected=1)


PROFILE = "def test_look(mia_audit, request):\n    assert mia_audit.shadows == {}\n"


@pytest.mark.parametrize(
    ("ini", "args", "marker", "shadows"),
    [
        ("", ["--mia-profile=fast"], "", 3),
        ("mia_profile = thorough", [], "", 31),
        ("mia_profile = thorough", ["--mia-profile=fast"], "", 3),
        ("mia_shadows = 5", ["--mia-profile=fast"], "", 5),
        ("mia_shadows = 5", ["--mia-profile=fast", "--mia-shadows=7"], "", 7),
        ("", ["--mia-profile=fast"], "shadows=9", 9),
    ],
)
def test_a_profile_gives_way_to_every_other_choice(fake, pytester, ini, args, marker, shadows):
    pytester.makeini(f"[pytest]\n{ini}\n")
    fake(f"import pytest\n@pytest.mark.mia({marker})\n{PROFILE.format(shadows)}", *args).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("marker", "options"),
    [
        ("", "--mia-shadows=3 --mia-seed=0 --mia-profile=fast"),
        ("seed=2, attacks=['loss']", "--mia-shadows=3 --mia-seed=2 --mia-attacks=loss --mia-profile=fast"),
        ("attacks=None, early_stop=False", "--mia-shadows=3 --mia-seed=0"),
    ],
)
def test_the_header_and_the_command_name_the_profile_and_what_goes_beyond_it(fake, pytester, marker, options):
    tests = f"import pytest\n@pytest.mark.mia({marker})\n{PROFILE.format(3)}"
    result = fake(tests, "--mia-profile=fast", "--mia-queries=2", "--mia-json=mia.json")

    result.stdout.fnmatch_lines(["mia: profile fast, shadows 3, device auto, seed 0, confidence 0.95, queries 2"])
    (audit,) = json.loads((pytester.path / "mia.json").read_text())["audits"]
    told = audit["replay"].replace(" --mia-queries=2", "")
    assert told == f"pytest test_privacy.py::test_look {options}"


def test_an_unknown_profile_is_refused(fake, pytester):
    result = fake(PROFILE.format(7), "--mia-profile=slow")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --mia-profile must be fast, ci, thorough, got 'slow'"])
    assert not (pytester.path / "trained.txt").exists()
