"""What decides an output besides code and data."""

import subprocess
import sys

import pytest

from pytest_mia.cache import environment


def test_it_stays_as_it_is():
    assert environment.content() == environment.content()


def test_another_process_finds_the_same():
    script = "from pytest_mia import environment; print(environment.content())"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert found.strip() == str(environment.content())


@pytest.mark.parametrize("record", [None, "net.py,sha256=abc,10\n"])
def test_a_package_that_is_installed_or_upgraded(tmp_path, monkeypatch, record):
    packages = tmp_path / "site-packages"
    monkeypatch.syspath_prepend(packages)
    before = environment.installed()
    found = [before]
    for version in ("1.0", "1.1"):
        folder = packages / f"net-{version}.dist-info"
        folder.mkdir(parents=True)
        if record is not None:
            (folder / "RECORD").write_text(record)
        found.append(environment.installed())
        if record is not None:
            (folder / "RECORD").write_text(record.replace("abc", "def"))
            found.append(environment.installed())
            (folder / "RECORD").unlink()
        folder.rmdir()

    assert len(set(found)) == len(found)
    assert environment.installed() == before


def test_the_package_itself(tmp_path, monkeypatch):
    """All rooms count, not only the one that this is told in."""
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "cache" / "environment.py"))
    before = environment.ours()
    (tmp_path / "attacks").mkdir()
    (tmp_path / "attacks" / "loss.py").write_text("")

    assert environment.ours() == before, "an empty file is no code"
    (tmp_path / "attacks" / "loss.py").write_text("1")
    assert environment.ours() != before


@pytest.mark.parametrize("name", ["version", "platform"])
def test_python_and_the_system(monkeypatch, name):
    before = environment.content()
    monkeypatch.setattr(sys, name, "another")

    assert environment.content() != before


def test_settings_of_torch():
    torch = pytest.importorskip("torch")
    before = environment.content()
    torch.set_default_dtype(torch.float64)
    try:
        assert environment.content() != before
    finally:
        torch.set_default_dtype(torch.float32)
    assert environment.content() == before


def test_precisions_of_gpus_by_their_new_names():
    """Once one of them is used, torch raises when it is asked by the old names."""
    pytest.importorskip("torch", minversion="2.9")
    script = """
import torch
from pytest_mia.cache import environment
found = [environment.content()]
for setting in (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn):
    setting.fp32_precision = "ieee"
    found.append(environment.content())
print(len(set(found)))
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "4"


def test_settings_of_scikit_learn():
    import sklearn

    before = environment.content()
    with sklearn.config_context(transform_output="pandas"):
        assert environment.content() != before
    assert environment.content() == before


def test_devices_of_one_kind(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "H200")

    assert environment.kind("cpu") == "cpu"
    assert environment.kind("cuda:0") == environment.kind("cuda:1") == "H200"
