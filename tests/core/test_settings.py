import dataclasses
import typing

import pytest

from pytest_mia import MIAUsageError
from pytest_mia.attacks import registry as attacks
from pytest_mia.core import settings
from pytest_mia.core.settings import PROFILES, Settings, SettingsKeywords, parse
from pytest_mia.models.queries import registry as queries

ROWS = dataclasses.fields(Settings)

DECIDING = {"shadows", "seed", "confidence", "early_stop", "coins"}

WRONG = {
    "shadows": [1, 2, -1, 10001, True, 7.0, "7", None],
    "device": ["", "gpu", "cuda:", "cuda:x", "cuda:0 ", 0, None],
    "seed": [-1, 0.0, True, "0", None],
    "attacks": [(), [], "", " , ", ("loss", ""), 3],
    "confidence": [0.5, 1.0, 1, 0, 95.0, float("nan"), "0.95", True, None],
    "inconclusive": ["pass", "", None, True],
    "queries": [0, 10001, -3, 1.5, True, "1"],
    "jobs": [0, -1, 1.5, True, "2"],
    "time_limit": [0, -1.0, float("nan"), "60", True],
    "early_stop": [0, 1, "yes", None],
    "coins": [0, 1, "yes", None],
}
RIGHT = {
    "shadows": [0, 3, 10000],
    "device": ["auto", "cpu", "cuda", "cuda:0", "cuda:12", "mps"],
    "seed": [0, 2**70],
    "attacks": [None, ("loss",), ("loss", "mast")],
    "confidence": [0.50001, 0.9, 0.99999],
    "inconclusive": ["fail", "warn", "skip"],
    "queries": [None, 1, 10000],
    "jobs": [None, 1, 64],
    "time_limit": [None, 1, 0.5],
    "early_stop": [True, False],
    "coins": [True, False],
}


def values(table):
    return [pytest.param(name, value, id=f"{name}={value!r}") for name, found in table.items() for value in found]


@pytest.mark.parametrize(("name", "value"), values(WRONG))
def test_values_out_of_range_are_refused_with_what_they_must_be(name, value):
    with pytest.raises(MIAUsageError) as error:
        Settings(**{name: value})
    (problem,) = error.value.problems
    assert problem.startswith(f"{name} must be ")
    assert Settings.__dataclass_fields__[name].metadata["must"] in problem


@pytest.mark.parametrize(("name", "value"), values(RIGHT))
def test_values_in_range_are_kept(name, value):
    assert getattr(Settings(**{name: value}), name) == value


def test_all_problems_are_named_at_once():
    with pytest.raises(MIAUsageError) as error:
        Settings(shadows=1, seed=-1, confidence=2.0)
    assert [problem.split()[0] for problem in error.value.problems] == ["shadows", "seed", "confidence"]


@pytest.mark.parametrize("attacks", [["loss", "mast"], "loss,mast", " loss , mast,"])
def test_attacks_may_be_a_list_or_a_text(attacks):
    assert Settings(attacks=attacks).attacks == ("loss", "mast")


def test_defaults_are_right():
    assert Settings().changed() == {}


def test_what_differs_from_the_defaults():
    assert Settings(shadows=3, seed=0, attacks="loss").changed() == {"shadows": 3, "attacks": ("loss",)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
class TestTable:
    """Options, ini keys and markers are made of it."""

    def test_every_row_explains_itself(self, row):
        assert set(row.metadata) >= {"metavar", "help", "parse", "must", "fits"}
        assert row.metadata["help"]
        assert row.metadata["must"]

    def test_every_setting_can_be_written_as_text(self, row):
        if row.default is not None:
            assert parse(row.name, str(row.default)) == row.default


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("shadows", "15", 15),
        ("seed", "0", 0),
        ("attacks", "loss, mast", ("loss", "mast")),
        ("confidence", "0.99", 0.99),
        ("confidence", "1e-3", 0.001),
        ("device", "cuda:1", "cuda:1"),
        ("time_limit", "90", 90.0),
        ("early_stop", "True", True),
        ("early_stop", "false", False),
    ],
)
def test_texts_are_read(name, text, value):
    assert parse(name, text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [("shadows", "seven"), ("shadows", "7.0"), ("seed", ""), ("confidence", "95%"), ("early_stop", "on")],
)
def test_texts_that_cannot_be_read(name, text):
    must = Settings.__dataclass_fields__[name].metadata["must"]
    with pytest.raises(MIAUsageError, match=f"^{name} must be {must}, got {text!r}$"):
        parse(name, text)


def test_the_keywords_are_the_table():
    """`attacks` alone takes more than it keeps: a list as well as a tuple."""
    keywords, rows = typing.get_type_hints(SettingsKeywords), typing.get_type_hints(Settings)
    assert list(keywords) == [row.name for row in ROWS]
    assert {name for name in keywords if keywords[name] != rows[name]} == {"attacks"}


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_are_settings_that_fit(name):
    chosen = Settings(**PROFILES[name])
    assert chosen.contradictions() == []
    assert attacks.unknown(chosen.attacks or ()) == []


def test_the_thorough_profile_adds_what_asks_nothing_more_of_a_model():
    """Attacks on changed copies take days on large models; all others on request are named."""
    asked = {attack.name for attack in attacks.ON_REQUEST if queries.names_that_measure(attack.signals)}
    unasked = {"default", *(attack.name for attack in attacks.ATTACKS)}
    assert {*PROFILES["thorough"]["attacks"]} - unasked == {attack.name for attack in attacks.ON_REQUEST} - asked
    assert len(PROFILES["fast"]["attacks"]) == 11
    assert (PROFILES["fast"]["shadows"], PROFILES["fast"]["early_stop"], PROFILES["thorough"]["shadows"]) == (
        3,
        True,
        31,
    )


class TestWorkers:
    def test_as_many_as_asked_for(self):
        assert Settings(jobs=3).workers == 3

    @pytest.mark.parametrize(("cores", "sharing", "workers"), [(8, "1", 8), (8, "4", 2), (2, "4", 1), (6, "4", 1)])
    def test_one_per_core_shared_with_the_other_workers_of_the_run(self, monkeypatch, cores, sharing, workers):
        monkeypatch.setattr(settings.os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
        monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", sharing)
        assert Settings().workers == workers

    def test_where_the_system_does_not_say_which_cores(self, monkeypatch):
        monkeypatch.delattr(settings.os, "sched_getaffinity", raising=False)
        monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT", raising=False)
        monkeypatch.setattr(settings.os, "cpu_count", lambda: None)
        assert Settings().workers == 1


def test_every_setting_says_whether_it_decides_what_attacks_find():
    assert all(isinstance(row.metadata["decides"], bool) for row in ROWS)
    assert Settings(seed=3).deciding == {name: getattr(Settings(seed=3), name) for name in DECIDING}
