"""The backend's options: what contradicts itself is refused at once, and a cluster's audit is that of one process."""

import json

import clusters
import pytest
import warm
from projects import trees

from pytest_mia.training.backends import dask

GATE = "def test_release(assert_membership_advantage_below):\n    assert_membership_advantage_below(0.5)\n"
CONFTEST = trees(mia_model_factory="lambda: DecisionTreeClassifier(max_depth=2)")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--mia-backend=dask"], "backend dask needs scheduler, *--mia-scheduler=tcp://HOST:8786"),
        (["--mia-scheduler=tcp://h:1"], "scheduler tcp://h:1 is for backend dask, got loky: give both or neither"),
        (["--mia-backend=threading"], "--mia-backend must be loky or dask; threading is not supported because *"),
        (["--mia-backend=ray"], "--mia-backend must be loky or dask; * and ray is not, * got 'ray'"),
        (["--mia-backend=dask", "--mia-scheduler=here"], "--mia-scheduler must be an address such as *, got 'here'"),
    ],
)
def test_refused_when_pytest_starts(fake, pytester, args, told):
    result = fake(GATE, *args)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {told}"])
    assert not (pytester.path / "trained.txt").exists()


def test_a_marker_that_contradicts_the_options_is_refused(fake, alone):
    result = fake(f"import pytest\n\n@pytest.mark.mia(backend='dask')\n{GATE}", *alone)

    assert result.ret != 0
    result.stdout.fnmatch_lines(["*@pytest.mark.mia: backend dask needs scheduler,*"])


def test_an_unreachable_scheduler_is_an_error_and_no_verdict(pytester, monkeypatch):
    monkeypatch.setattr(dask, "CONNECT", 0.5)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_privacy=GATE)

    result = pytester.runpytest("-Werror", "--mia-backend=dask", "--mia-scheduler=tcp://127.0.0.1:1")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*MIAUsageError: no Dask scheduler answers at tcp://127.0.0.1:1 within 0.5 s*"])


def test_an_audit_on_a_cluster_is_the_audit_of_one_process(pytester, tmp_path):
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_privacy=GATE)

    def advantage(run, *args):
        options = ["-Werror", "--mia-cache=off", "--mia-attacks=loss,rmia_online", "--mia-json=mia.json"]
        run(*options, *args).assert_outcomes(passed=1)
        (audit,) = json.loads((pytester.path / "mia.json").read_text())["audits"]
        return audit["advantage"], audit["attacks"]

    def in_another_process(*args):
        return pytester.run(warm.executable(), "-m", "pytest", *args)

    with clusters.running(tmp_path) as cluster:
        cluster.start_workers(1)
        there = advantage(in_another_process, "--mia-backend=dask", f"--mia-scheduler={cluster.address}")
    assert there == advantage(pytester.runpytest, "--mia-jobs=1")
