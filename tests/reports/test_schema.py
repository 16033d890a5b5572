"""The JSON report and its published schema say the same."""

import json
from importlib import resources

import jsonschema
import numpy as np
import pytest
from audits import LEAK, NONE, audited, counted
from sklearn.naive_bayes import GaussianNB

import pytest_mia
from pytest_mia import gates
from pytest_mia.reports import json as report
from pytest_mia.results.audit_data import RemedyResult
from pytest_mia.results.run_outcome import Place, RunOutcome
from pytest_mia.results.values import Change
from pytest_mia.statistics.counts import CoinGuesses, Interval

SCHEMA = json.loads(resources.files("pytest_mia.reports").joinpath("schema.json").read_text(encoding="utf-8"))
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(200, 3)), RNG.integers(0, 2, 200)


def written(path, *results):
    report.write(path, RunOutcome([(result.to_dict(), Place("test_a.py", 1, False)) for result in results]))
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "result",
    [
        audited(LEAK, NONE, slices={("sex", "f"): counted(0.5, 0.4)}),
        gates.membership_advantage(audited(LEAK), 0.1),
        gates.tpr(audited(LEAK), 0.1, at_fpr=0.01),
        gates.epsilon(audited(LEAK, coins=(CoinGuesses("loss", 1000, 100, 90),)), 0.1),
        gates.regression(audited(LEAK, change=Change("main", *[Interval(0.1, 0.0, 0.2, 0.95)] * 2))),
        audited(LEAK, change=Change("main", None, None, "there is none")),
        gates.membership_advantage(audited(findings=("all alike",), attackers=(audited(attacker="a"),)), 0.1),
        gates.membership_advantage(audited(LEAK, what_if=(RemedyResult("a", "b", audited(NONE)),)), 0.1),
    ],
)
def test_results_fit(tmp_path, result):
    jsonschema.validate(written(tmp_path / "mia.json", result), SCHEMA)


@pytest.mark.parametrize("loss", [None, lambda model, X, y: -np.log(model.predict_proba(X)[np.arange(len(X)), y])])
def test_an_audit_fits_and_holds_what_the_schema_names(tmp_path, loss):
    dataset = pytest_mia.Dataset(X, Y, slices={"half": np.arange(200) // 100})
    result = pytest_mia.audit(GaussianNB, dataset, loss=loss, shadows=3, attacks=["loss"], jobs=1)
    found = written(tmp_path / "mia.json", result)

    jsonschema.validate(found, SCHEMA)
    assert set(found) == set(SCHEMA["properties"])
    (audit,) = found["audits"]
    assert set(audit) == set(SCHEMA["$defs"]["audit"]["properties"]) == set(SCHEMA["$defs"]["audit"]["required"])
    for name, parts in {"attack": audit["attacks"], "part": audit["slices"], "curve": audit["roc"]}.items():
        assert all(set(part) == set(SCHEMA["$defs"][name]["properties"]) for part in parts)
        assert parts
    assert [part["value"] for part in audit["classes"]] == ([] if loss else ["0", "1"])


@pytest.mark.parametrize("change", [{"verdict": "fine"}, {"records": 0}, {"metric": "advantage"}, {"advantage": 0.1}])
def test_what_does_not_fit_is_refused(tmp_path, change):
    found = written(tmp_path / "mia.json", audited(LEAK))
    found["audits"][0] |= change

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, SCHEMA)
