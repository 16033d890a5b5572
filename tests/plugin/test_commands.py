"""Options that do something else than run tests."""

from importlib.util import find_spec

import pytest
import warm

from pytest_mia.attacks import registry
from pytest_mia.plugin import scaffold

BROKEN = "raise RuntimeError('collected')\n"


@pytest.mark.parametrize("args", [(), ("-n2",)])
def test_attacks_are_listed_and_nothing_is_collected(pytester, args):
    pytester.makepyfile(BROKEN)
    result = pytester.runpytest("--mia-list-attacks", *args)

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["attack *shadows *reads *reference", "gap *0 *labels *Yeom et al. 2018"])
    shown = {line.split()[0] for line in result.stdout.lines if line}
    assert set(registry.known()) <= shown
    result.stdout.no_fnmatch_line("*collected*")


@pytest.mark.parametrize("kind", scaffold.KINDS)
def test_the_first_files_run_as_they_are(pytester, kind):
    if find_spec(kind) is None:
        pytest.skip(f"{kind} is not installed")
    result = pytester.runpytest(f"--mia-init={kind}")

    assert result.ret == 0
    result.stdout.fnmatch_lines([f"mia: wrote conftest.py, for {kind}", f"mia: wrote test_privacy.py, for {kind}"])
    # In a process of its own: the inner run would drop torch, which can't be imported twice.
    few = ["--mia-shadows=7", "--mia-attacks=gap,calibrated_gap", "--mia-jobs=1"]
    run = pytester.run(warm.executable(), "-m", "pytest", "-Werror", *few)
    run.assert_outcomes(passed=1)


def test_the_kind_is_guessed(pytester, monkeypatch):
    monkeypatch.setattr(scaffold, "find_spec", lambda name: name)
    pytester.makepyfile(model="import torch")

    pytester.runpytest("--mia-init").stdout.fnmatch_lines(["mia: wrote conftest.py, for torch"])
    assert "torch.nn" in (pytester.path / "conftest.py").read_text()


def test_nothing_is_written_over(pytester):
    pytester.makeconftest("mine = 1\n")
    before = (pytester.path / "conftest.py").read_text()
    result = pytester.runpytest("--mia-init=sklearn")

    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["mia: wrote test_privacy.py, *", "mia: conftest.py exists and was not changed*", "def mia_dataset():"]
    )
    assert (pytester.path / "conftest.py").read_text() == before


def test_an_unknown_kind_is_refused(pytester):
    result = pytester.runpytest("--mia-init=keras")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --mia-init must be sklearn or torch, got 'keras'*"])
    assert not (pytester.path / "conftest.py").exists()


def test_a_folder_that_cant_be_written_is_refused(pytester, monkeypatch):
    def refuse(folder, kind):
        raise PermissionError(13, "Permission denied", "conftest.py")

    monkeypatch.setattr(scaffold, "write_files", refuse)
    result = pytester.runpytest_inprocess("--mia-init=sklearn")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --mia-init: conftest.py can't be written: Permission denied"])


def test_torch_that_is_not_installed_is_said(pytester, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    result = pytester.runpytest_inprocess("--mia-init=torch")

    result.stdout.fnmatch_lines(["mia: torch is not installed: pip install torch"])
