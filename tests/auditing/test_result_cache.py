"""What attacks found is not looked for again, unless anything that they see, or how they are judged, has changed."""

import dataclasses
import json
import math

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier
from whole import finish

import pytest_mia
from pytest_mia.auditing import run as auditing
from pytest_mia.auditing import summary
from pytest_mia.auditing.result_cache import revive
from pytest_mia.cache import environment
from pytest_mia.cache.store import Entry, Store
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.settings import Settings
from pytest_mia.statistics.counts import Interval
from pytest_mia.verdicts.audit_result import AuditResult

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(120, 4)), RNG.integers(0, 3, 120)


@pytest.fixture
def found(monkeypatch):
    """Numbers of records that attacks were run on, one for each time."""
    times, summarise = [], summary.summarise

    def counted(fitting, observations, design, settings):
        times.append(design.audited)
        return summarise(fitting, observations, design, settings)

    monkeypatch.setattr(summary, "summarise", counted)
    return times


@pytest.fixture
def audit(tmp_path, found, no_patches):
    def run(dataset=(X, Y), **settings):
        settings = {"shadows": 3, "attacks": ["loss", "gap"], "jobs": 1, "cache_dir": tmp_path / "cache"} | settings
        return pytest_mia.audit(DecisionTreeClassifier, dataset, **settings)

    return run


def figures(result):
    return dataclasses.replace(result, seconds=None, cache=None, replay="")


def test_the_same_observations_are_attacked_once(audit, found):
    first, second = audit(), audit()

    assert len(found) == 1
    assert figures(first) == figures(second) == figures(audit(cache_dir=None))


@pytest.mark.parametrize("settings", [{"jobs": 2}, {"inconclusive": "warn"}, {"time_limit": 1e9}, {"device": "cpu"}])
def test_what_attacks_do_not_see(audit, found, settings):
    audit()
    result = audit(**settings)

    assert len(found) == 1
    assert figures(result) == figures(audit(**settings, cache_dir=None))


@pytest.mark.parametrize(
    "settings",
    [
        {"confidence": 0.9},
        {"attacks": ["gap", "loss", "mast"]},
        {"attacks": None},
        {"shadows": 4},
        {"seed": 1},
        {"dataset": (X, np.roll(Y, 1))},
        {"dataset": pytest_mia.Dataset(X, Y, groups=np.arange(120) // 2)},
        {"dataset": pytest_mia.Dataset(X, Y, slices={"half": np.arange(120) // 60})},
        {"early_stop": True, "threshold": 0.9, "shadows": 7},
    ],
)
def test_what_attacks_see(audit, found, settings):
    audit()
    result = audit(**settings)

    assert len(found) >= 2
    assert figures(result) == figures(audit(**settings, cache_dir=None))


@pytest.mark.parametrize(("where", "another"), [("_versions", ("numpy 0",)), ("digest_own_code", "another")])
def test_other_versions(audit, found, monkeypatch, where, another):
    audit()
    monkeypatch.setattr(environment, where, lambda: another)
    audit()

    assert len(found) == 2


def test_outputs_are_attacked_once(tmp_path, found):
    rng = np.random.default_rng(0)
    answers, members = rng.dirichlet(np.ones(3), (5, 200)), rng.random((5, 200)) < 0.5
    outputs = AuditRequest(None, None, outputs=(answers, members, rng.integers(0, 3, 200)))
    results = [finish(auditing.run(outputs, Settings(), store=Store(tmp_path))) for _ in range(2)]

    assert len(found) == 1
    assert figures(results[0]) == figures(results[1])


def test_slices_keep_their_values_though_no_entry_holds_them(audit, found, tmp_path):
    towns = np.array(["Köln", "Bonn", "Aachen"])[np.arange(120) % 3]
    records = pytest_mia.Dataset(X, Y, slices={"town": towns, "half": np.arange(120) // 60})
    first, second = audit(records), audit(records)

    assert len(found) == 1
    assert first.slices == second.slices
    assert {(part.by, part.value) for part in second.slices} == {
        ("town", "Köln"),
        ("town", "Bonn"),
        ("town", "Aachen"),
        ("half", "0"),
        ("half", "1"),
    }
    assert not any(b"Bonn" in path.read_bytes() for path in (tmp_path / "cache").glob("*.entry"))


def test_classes_keep_their_names_though_no_entry_holds_them(audit, found, tmp_path):
    diagnoses = np.array(["pneumonia", "influenza", "none"])[Y]
    first, second = audit((X, diagnoses)), audit((X, diagnoses))

    assert len(found) == 1
    assert first.classes == second.classes
    assert sorted(part.value for part in second.classes) == ["influenza", "none", "pneumonia"]
    assert not any(b"influenza" in path.read_bytes() for path in (tmp_path / "cache").glob("*.entry"))


def test_other_values_of_slices(audit, found):
    for names in (["a", "b"], ["a", "c"]):
        result = audit(pytest_mia.Dataset(X, Y, slices={"town": np.array(names)[np.arange(120) % 2]}))
        assert [part.value for part in result.slices] == names


def test_an_entry_that_is_no_result_is_found_again_with_a_warning(audit, found, tmp_path):
    whole = audit()
    kept = Store(tmp_path / "cache")
    for path in kept.folder.glob("*.entry"):
        key = path.stem.removeprefix("mia-")
        words = dict(kept.load(key).words)
        if "result" in words:
            words["result"]["advantage"] = {"estimate": "high"}
            kept.save(key, Entry(words))
    with pytest.warns(pytest_mia.CacheWarning, match="is damaged"):
        again = audit()

    assert len(found) == 2
    assert again.advantage == whole.advantage


def test_results_come_back_from_words_as_they_were(audit):
    result = audit(attacks=None, dataset=pytest_mia.Dataset(X, Y, slices={"half": np.arange(120) // 60}))
    result = dataclasses.replace(result, judged=Interval(0.1 + 0.2, 1 / 3, math.inf, 0.95), threshold=1e-300)

    assert revive(AuditResult, json.loads(json.dumps(dataclasses.asdict(result)))) == result


@pytest.mark.parametrize(
    "words", [{}, {"estimate": 1.0}, {"estimate": "a", "low": 0.0, "high": 0.0, "confidence": 0.9}]
)
def test_words_that_do_not_fit(words):
    with pytest.raises((KeyError, TypeError)):
        revive(Interval, words)
