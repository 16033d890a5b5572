"""The file of a baseline: stable bytes, and nothing but a baseline is read."""

import json
import os

import pytest
from audits import LEAK, NONE, audited, counted

from pytest_mia import MIAUsageError
from pytest_mia.core.settings import Settings
from pytest_mia.verdicts import baseline, baseline_file

WORDS = baseline.summarise(audited(LEAK), Settings(shadows=3)).to_dict()


@pytest.fixture
def written(tmp_path):
    """Write a baseline "main", whole or as any text, and return its path."""

    def write(content):
        path = baseline_file.path_of(tmp_path, "main")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else baseline_file.format_text(content), encoding="utf-8")
        return path

    return write


def changed(*keys, to):
    """The text of a file in which one value is another one."""
    words = json.loads(baseline_file.format_text({"test_a": WORDS}))
    place = words["audits"]["test_a"] if keys[0] not in words else words
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = to
    return json.dumps(words)


def test_what_is_written_is_read(tmp_path, written):
    written({"test_a": WORDS})
    found = baseline_file.load(tmp_path, "main")
    assert (found.name, list(found.audits)) == ("main", ["test_a"])
    assert found.audits["test_a"] == baseline.summarise(audited(LEAK), Settings(shadows=3))


def test_shares_and_lists_are_read_too(tmp_path, written):
    one = baseline.summarise(audited(counted(0.6, 0.4, share=1 / 3)), Settings(attacks=("loss", "gap"), queries=4))
    written({"test_a": one.to_dict()})
    again = baseline_file.load(tmp_path, "main").audits["test_a"]
    assert again.counts.share == pytest.approx(1 / 3, abs=1e-6)
    assert again.strength == {"shadows": 7, "attacks": ["gap", "loss"], "queries": 4}


def test_the_text_is_sorted_short_and_ends_with_a_line():
    text = baseline_file.format_text({"test_b": WORDS, "test_a": WORDS})
    keys = list(json.loads(text)["audits"])
    assert keys == sorted(keys)
    assert text.endswith("}\n")
    assert '"members": [1000, 1000, 1000, 1000],' in text
    assert text == baseline_file.format_text({"test_a": WORDS, "test_b": WORDS})


def test_it_names_no_machine_and_no_time():
    assert set(WORDS) == {"advantage", "attack", "counts", "kind", "pytest_mia", "records", "seed", "settings"}
    assert set(WORDS["settings"]) == {"shadows", "attacks", "queries"}


def test_audits_of_other_tests_stay(tmp_path, written):
    written({"test_a": WORDS, "test_b": WORDS})
    new = baseline.summarise(audited(NONE), Settings(shadows=3)).to_dict()
    words = json.loads(baseline_file.merge(tmp_path, "main", {"test_b": new, "test_c": new}))
    assert words["audits"] == {"test_a": WORDS, "test_b": new, "test_c": new}
    assert baseline_file.merge(tmp_path, "main", {}) == baseline_file.path_of(tmp_path, "main").read_text()


@pytest.mark.parametrize("name", ["", ".hidden", "..", "../up", "a/b", "a\\b", "C:x", "a b", "a\n", "é", "x" * 101])
def test_names_that_are_no_plain_ones(tmp_path, name):
    with pytest.raises(MIAUsageError, match="the name of a baseline must be plain"):
        baseline_file.load(tmp_path, name)


@pytest.mark.parametrize("name", ["main", "v1.2.0", "2024-01-31", "_x"])
def test_plain_names(tmp_path, name):
    assert baseline_file.path_of(tmp_path, name) == tmp_path / ".mia" / f"{name}.json"


@pytest.mark.parametrize("link", [".mia", ".mia/main.json"])
def test_links_that_lead_elsewhere(tmp_path, link):
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    for folder in (root, elsewhere):
        folder.mkdir()
    if link == ".mia":
        (root / ".mia").symlink_to(elsewhere)
    else:
        (root / ".mia").mkdir()
        (root / ".mia" / "main.json").symlink_to(elsewhere / "passwords.json")
    for use in (baseline_file.load, baseline_file.check_writable):
        with pytest.raises(MIAUsageError, match=r"^\.mia/main\.json leads out of .*root, to .*elsewhere/"):
            use(root, "main")
    assert not [*elsewhere.iterdir()]


def test_links_within_the_root_folder(tmp_path, written):
    written({"test_a": WORDS})
    (tmp_path / ".mia" / "other.json").symlink_to(tmp_path / ".mia" / "main.json")
    assert list(baseline_file.load(tmp_path, "other").audits) == ["test_a"]


def test_a_baseline_that_is_not_there(tmp_path):
    told = r"^there is no baseline main \(\.mia/main\.json\); make it with pytest --mia-save=main$"
    with pytest.raises(MIAUsageError, match=told):
        baseline_file.load(tmp_path, "main")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "Expecting value"),
        ("[]", "it is not of the format pytest-mia-baseline/1"),
        ("[" * 100_000, "RecursionError"),
        (changed("format", to="pytest-mia-baseline/2"), "it is not of the format"),
        (changed("audits", to=[]), "AttributeError"),
        (changed("audits", "test_a", to=3), "TypeError"),
        (changed("counts", to={}), "KeyError"),
        (changed("counts", "members", to=[1000]), "zip"),
        (changed("counts", "members", to=[10] * 4), "its counts are not valid"),
        (changed("counts", "members", to=[10**400] * 4), "OverflowError"),
        (changed("counts", "flagged_members", to=[-1] * 4), "its counts are not valid"),
        (changed("counts", "flagged_members", to=["a"] * 4), "'a' stands where a int is expected"),
        (changed("counts", "share", to=float("nan")), "its counts are not valid"),
        (changed("advantage", "estimate", to=0.5), "don't give its advantage, so it was edited by hand"),
        (changed("advantage", "confidence", to=95), "confidence must be"),
        (changed("counts", "flagged_members", to=[900] * 4), "don't give its advantage"),
        (changed("records", to=True), "True stands where a int is expected"),
        (changed("settings", to={}), "KeyError"),
    ],
)
def test_anything_else_is_refused(tmp_path, written, content, why):
    written(content)
    with pytest.raises(MIAUsageError) as error:
        baseline_file.load(tmp_path, "main")
    told = str(error.value)
    assert told.startswith(".mia/main.json can't be read as a baseline (")
    assert told.endswith("; make it anew with pytest --mia-save=main")
    assert why in told


def test_a_huge_file_is_not_read(tmp_path, written, monkeypatch):
    monkeypatch.setattr(baseline_file, "LARGEST", 100)
    written({"test_a": WORDS})
    with pytest.raises(MIAUsageError, match="it is larger than 100 bytes"):
        baseline_file.load(tmp_path, "main")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file_is_not_opened(tmp_path):
    path = baseline_file.path_of(tmp_path, "main")
    path.parent.mkdir()
    os.mkfifo(path)
    with pytest.raises(MIAUsageError, match="it is not a file"):
        baseline_file.load(tmp_path, "main")


class TestWritable:
    def test_a_new_one(self, tmp_path):
        baseline_file.check_writable(tmp_path, "main")
        assert not list(tmp_path.iterdir())

    def test_one_that_is_there(self, tmp_path, written):
        written({"test_a": WORDS})
        baseline_file.check_writable(tmp_path, "main")

    def test_nothing_else_is_written_over(self, tmp_path, written):
        path = written("mine")
        with pytest.raises(MIAUsageError, match="can't be read as a baseline"):
            baseline_file.check_writable(tmp_path, "main")
        assert path.read_text() == "mine"

    def test_a_file_in_place_of_the_folder(self, tmp_path):
        (tmp_path / ".mia").touch()
        with pytest.raises(MIAUsageError, match=r"the folder .*\.mia can't be written to"):
            baseline_file.check_writable(tmp_path, "main")

    def test_a_folder_without_permission(self, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        with pytest.raises(MIAUsageError, match="can't be written to"):
            baseline_file.check_writable(tmp_path, "main")
