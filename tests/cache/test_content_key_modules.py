"""Fingerprints of code that reaches modules: their files and values count, and those of no others."""

import importlib
import sys

import numpy as np
import pytest

from pytest_mia.cache import content_key


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Files of the user's, whose modules are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    known = set(sys.modules)

    def write(files):
        for name, text in files.items():
            path = tmp_path.joinpath(name).with_suffix(".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        importlib.invalidate_caches()

    yield write
    for name in set(sys.modules) - known:
        del sys.modules[name]


FILES = {
    "mia_layers": "import mia_units\nfrom mia_units import WIDTH\n\ndef layer():\n    return WIDTH\n",
    "mia_units": "WIDTH = 3\nEFFECT = print\n",
    "mia_pack/__init__": "",
    "mia_pack/nets": "from . import parts\n\ndef make():\n    import mia_late\n    return parts.PART\n",
    "mia_pack/parts": "PART = 1\n",
    "mia_late": "LATE = 1\n",
    "mia_other": "OTHER = 1\n",
}
LAYERS = {
    "attribute": "import mia_layers\ndef factory(): return mia_layers.layer()",
    "name": "from mia_layers import layer\ndef factory(): return layer()",
    "value": "import mia_layers\nfactory = mia_layers.layer",
    "late": "import mia_layers as _\ndef factory():\n    from mia_layers import layer\n    return layer()",
    "late whole": "import mia_layers as _\ndef factory():\n    import mia_layers\n    return mia_layers.layer()",
    "passed on": "import mia_layers\ndef factory(): return (lambda module: module.layer())(mia_layers)",
}
PACKAGE = "import mia_pack.nets, mia_late\ndef factory(): return mia_pack.nets.make()"


def factory_of(lines):
    namespace = {"__name__": "test_lines"}
    exec(lines, namespace)
    return namespace["factory"]


@pytest.mark.parametrize(
    ("lines", "file"),
    [(lines, file) for lines in LAYERS.values() for file in ("mia_layers", "mia_units")]
    + [(PACKAGE, file) for file in ("mia_pack/__init__", "mia_pack/nets", "mia_pack/parts", "mia_late")],
)
def test_files_of_modules_that_the_code_reaches(package, lines, file):
    package(FILES)
    factory = factory_of(lines)
    before = content_key.hash_content(factory)
    package({file: FILES[file] + "# changed\n"})

    assert content_key.hash_content(factory) != before


@pytest.mark.parametrize("lines", [*LAYERS.values(), PACKAGE])
def test_files_of_modules_that_the_code_does_not_reach(package, lines):
    package(FILES)
    factory = factory_of(lines)
    importlib.import_module("mia_other")
    before = content_key.hash_content(factory)
    package({"mia_other": "OTHER = 2\n"})

    assert content_key.hash_content(factory) == before


@pytest.mark.parametrize("lines", LAYERS.values())
def test_values_of_modules_that_the_code_reaches(package, monkeypatch, lines):
    package(FILES)
    factory = factory_of(lines)
    before = content_key.hash_content(factory)
    monkeypatch.setattr(sys.modules["mia_layers"], "WIDTH", 4)

    assert content_key.hash_content(factory) != before


LATE = "def factory():\n    import mia_layers\n    return mia_layers.layer()"


def test_what_training_loads_counts_only_once_it_changes(package, monkeypatch):
    package(FILES)
    factory = factory_of(LATE)
    name = content_key.name_code(factory)
    watch = content_key.CodeWatch(factory, name)
    factory()
    watch.check()

    assert content_key.name_code(factory) == name
    monkeypatch.setattr(sys.modules["mia_layers"], "WIDTH", 4)
    assert content_key.name_code(factory) != name


def test_what_changes_while_it_is_trained(package):
    package(FILES)
    factory = factory_of("import mia_units\ndef factory():\n    mia_units.WIDTH += 1\n    return mia_units.WIDTH")
    watch = content_key.CodeWatch(factory, content_key.name_code(factory))
    watch.check()
    factory()

    with pytest.raises(content_key.ChangedCodeError, match=r"mia_units\.WIDTH changes"):
        watch.check()


def test_what_is_large_is_seen_to_change():
    large = np.zeros(content_key.LARGE)
    watch = content_key.CodeWatch(lambda: large, "large")
    watch.check()
    large += 1

    with pytest.raises(content_key.ChangedCodeError):
        watch.check()


def test_values_of_modules_that_are_found_by_names_made_on_the_way(package, monkeypatch):
    package(FILES)
    factory = factory_of("import importlib\ndef factory(): return importlib.import_module('mia_' + 'other').OTHER")
    importlib.import_module("mia_other")
    before = content_key.hash_content(factory)
    monkeypatch.setattr(sys.modules["mia_other"], "OTHER", 2)

    assert content_key.hash_content(factory) != before


def test_modules_that_are_imported_by_names_made_on_the_way(package):
    package(FILES)
    factory = factory_of("import importlib\ndef factory(): return importlib.import_module('mia_' + 'other')")
    importlib.import_module("mia_other")
    before = content_key.hash_content(factory)
    package({"mia_other": "OTHER = 2\n"})

    assert content_key.hash_content(factory) != before


def test_functions_of_compiled_modules_count_by_its_file(tmp_path, monkeypatch):
    """A compiled module of the user's: here one of Python's own, which stands elsewhere for the moment."""
    import _struct

    file = tmp_path / "mia_compiled.so"
    file.write_bytes(b"1")
    monkeypatch.setattr(_struct, "__file__", str(file), raising=False)
    monkeypatch.setattr(_struct, "__spec__", None)
    before = content_key.hash_content(_struct.calcsize)
    file.write_bytes(b"2")

    assert content_key.hash_content(_struct.calcsize) != before
