"""The example of a cluster, on one: workers that start as its README says find what the same audit finds without."""

import json
import shutil
import subprocess
from pathlib import Path

import clusters
import pytest
import warm

EXAMPLE = Path(__file__).parents[2] / "examples" / "cluster_dask"

pytestmark = pytest.mark.slow


def test_a_cluster_finds_what_one_process_finds(tmp_path):
    folder = shutil.copytree(EXAMPLE, tmp_path / "example", ignore=shutil.ignore_patterns("__pycache__"))

    def audits(*args):
        # Where models are trained is what counts here, so two attacks will do.
        command = (warm.executable(), "-m", "pytest", "-Werror", "--mia-cache=off", "--mia-json=report.json")
        command += ("--mia-attacks=gap,loss", *args)
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
        report = json.loads((folder / "report.json").read_text())
        return [(audit["test"], audit["verdict"], audit["advantage"]) for audit in report["audits"]]

    with clusters.running(tmp_path) as cluster:
        cluster.start_workers(2, PYTHONPATH=str(folder))
        there = audits("--mia-backend=dask", f"--mia-scheduler={cluster.address}")

    assert there == audits("--mia-jobs=1")
    assert {verdict for _, verdict, _ in there} == {"pass", "leak"}
