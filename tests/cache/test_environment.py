"""What decides an output besides code and data."""

import subprocess
import sys

import pytest
import warm

from pytest_mia.cache import environment


def test_it_stays_as_it_is():
    assert environment.describe_environment() == environment.describe_environment()


def test_another_process_finds_the_same():
    script = "from pytest_mia.cache import environment; print(environment.describe_environment())"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert found.strip() == str(environment.describe_environment())


def test_versions_of_what_attacks_compute_with(monkeypatch):
    before = environment.describe_environment()
    environment._versions.cache_clear()
    monkeypatch.setattr(environment.metadata, "version", lambda name: f"{name} of tomorrow")
    try:
        assert environment.describe_environment() != before
    finally:
        environment._versions.cache_clear()


def test_the_package_itself(tmp_path, monkeypatch):
    before = environment.digest_own_code.__wrapped__()
    (tmp_path / "another_room.py").write_text("")
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "cache" / "environment.py"))
    empty = environment.digest_own_code.__wrapped__()
    (tmp_path / "another_room.py").write_text("1")

    assert len({before, empty, environment.digest_own_code.__wrapped__()}) == 3


def test_files_are_looked_through_once_per_process(monkeypatch):
    before = environment.describe_environment()
    monkeypatch.setattr(environment, "__file__", "nowhere")

    assert environment.describe_environment() == before


@pytest.mark.parametrize("name", ["version", "platform"])
def test_python_and_the_system(monkeypatch, name):
    before = environment.describe_environment()
    monkeypatch.setattr(sys, name, "another")

    assert environment.describe_environment() != before


def test_settings_of_torch():
    torch = pytest.importorskip("torch")
    before = environment.describe_environment()
    torch.set_default_dtype(torch.float64)
    try:
        assert environment.describe_environment() != before
    finally:
        torch.set_default_dtype(torch.float32)
    assert environment.describe_environment() == before


def test_precisions_of_gpus_by_their_new_names():
    """Once one of them is used, torch raises when it is asked by the old names."""
    pytest.importorskip("torch", minversion="2.9")
    script = """
import torch
from pytest_mia.cache import environment
found = [environment.describe_environment()]
for setting in (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn):
    setting.fp32_precision = "ieee"
    found.append(environment.describe_environment())
print(len(set(found)))
"""
    found = subprocess.run([warm.executable(), "-c", script], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "4"


def test_settings_of_scikit_learn():
    import sklearn

    before = environment.describe_environment()
    with sklearn.config_context(transform_output="pandas"):
        assert environment.describe_environment() != before
    assert environment.describe_environment() == before
