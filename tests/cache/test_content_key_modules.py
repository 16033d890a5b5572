"""Fingerprints of code that reaches modules: their files and values count, and those of no others."""

import importlib
import sys

import pytest
from users_code import FILES, factory_of

from pytest_mia.cache import content_key

LAYERS = {
    "attribute": "import mia_layers\ndef factory(): return mia_layers.layer()",
    "name": "from mia_layers import layer\ndef factory(): return layer()",
    "value": "import mia_layers\nfactory = mia_layers.layer",
    "late": "import mia_layers as _\ndef factory():\n    from mia_layers import layer\n    return layer()",
    "late whole": "import mia_layers as _\ndef factory():\n    import mia_layers\n    return mia_layers.layer()",
    "passed on": "import mia_layers\ndef factory(): return (lambda module: module.layer())(mia_layers)",
}
PACKAGE = "import mia_pack.nets, mia_late\ndef factory(): return mia_pack.nets.make()"


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
