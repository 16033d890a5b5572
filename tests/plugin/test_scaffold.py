import pytest

from pytest_mia.plugin import scaffold


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({}, "sklearn"),
        ({"a.py": "import sklearn"}, "sklearn"),
        ({"a.py": "import torch\n"}, "torch"),
        ({"src/pkg/a.py": "def f():\n    from torch.nn import Linear\n"}, "torch"),
        ({"a.py": "import torch", "b.py": "from sklearn import svm"}, "sklearn"),
        ({"a.py": "import torchvision\n# import torch"}, "sklearn"),
        ({"a.txt": "import torch", ".hidden/a.py": "import torch"}, "sklearn"),
        ({"env/pyvenv.cfg": "", "env/lib/a.py": "import torch"}, "sklearn"),
    ],
)
def test_the_kind_is_what_the_repository_imports_more_often(tmp_path, monkeypatch, files, kind):
    monkeypatch.setattr(scaffold, "find_spec", lambda name: name)
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    assert scaffold.guess_kind(tmp_path) == kind


def test_torch_is_not_guessed_where_it_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(scaffold, "find_spec", lambda name: None)
    (tmp_path / "a.py").write_text("import torch")
    assert scaffold.guess_kind(tmp_path) == "sklearn"


@pytest.mark.parametrize("kind", scaffold.KINDS)
def test_files_that_are_there_stay(tmp_path, kind):
    (tmp_path / "conftest.py").write_text("mine")
    written, left = scaffold.write_files(tmp_path, kind)
    assert (list(written), list(left)) == (["test_privacy.py"], ["conftest.py"])
    assert (tmp_path / "conftest.py").read_text() == "mine"
    assert scaffold.write_files(tmp_path, kind)[0] == {}


def test_a_link_to_nowhere_is_not_written_through(tmp_path):
    try:
        (tmp_path / "conftest.py").symlink_to(tmp_path / "elsewhere.py")
    except OSError:
        pytest.skip("needs symbolic links")
    scaffold.write_files(tmp_path, "sklearn")
    assert not (tmp_path / "elsewhere.py").exists()


@pytest.mark.parametrize(
    "content", [content for kind in scaffold.KINDS for content in scaffold.make_files(kind).values()]
)
def test_they_are_plain_to_read(content):
    assert content.isascii()
    assert max(map(len, content.splitlines())) <= 120
