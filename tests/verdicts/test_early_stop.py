"""Stopping early: when an audit looks, and what it then says; test_calibration.py counts how often it errs."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

import pytest_mia
from pytest_mia.verdicts import early_stop


@pytest.mark.parametrize(
    ("models", "looks"),
    [(4, (4,)), (7, (7,)), (8, (4, 8)), (16, (4, 8, 16)), (21, (4, 8, 21)), (64, (4, 8, 16, 32, 64))],
)
def test_looks_double_up_to_all_models(models, looks):
    assert early_stop.looks(models) == looks


def audit(factory, records, **given):
    """When to stop is what counts here, so three attacks will do."""
    return pytest_mia.audit(factory, records, attacks=["gap", "loss", "rmia_online"], **given)


@pytest.fixture(scope="module")
def noise():
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 5)), rng.integers(2, size=200)


def test_a_memorising_model_is_caught_by_the_first_four(noise):
    made = []

    def factory():
        made.append(1)
        return DecisionTreeClassifier()

    result = audit(factory, noise, shadows=15, early_stop=True, threshold=0.05, jobs=1)
    assert (result.models, result.shadows, result.looks) == (4, 3, 3)
    assert len(made) - 2 == 4, "two more were made to check that they are fresh"
    assert "stopped after 4 of 16 models" in " ".join(result.notes)
    with pytest.raises(pytest_mia.MembershipLeakError, match="above the limit"):
        result.assert_membership_advantage_below(0.05)


def test_a_model_that_leaks_little_is_judged_at_the_last_look(noise):
    whole = audit(lambda: GaussianNB(var_smoothing=1.0), noise, jobs=1)
    patient = audit(lambda: GaussianNB(var_smoothing=1.0), noise, early_stop=True, threshold=0.5, jobs=1)
    assert patient.models == whole.models == 8
    assert patient.advantage.estimate == whole.advantage.estimate
    assert patient.advantage.high == whole.advantage.high, "an upper bound is used once, so it needs no correction"
    assert patient.advantage.low < whole.advantage.low, "a lower bound is used at each look"


def test_without_a_limit_there_is_nothing_to_stop_for(noise):
    assert audit(DecisionTreeClassifier, noise, early_stop=True, jobs=1).models == 8


def test_an_invalid_audit_never_stops_as_a_leak(noise):
    result = audit(DecisionTreeClassifier, noise, shadows=3, jobs=1)
    assert early_stop.leaks(result, 0.05)
    from dataclasses import replace

    assert not early_stop.leaks(replace(result, findings=("something",)), 0.05)


class TestTimeLimit:
    """Training stops there, and the audit answers with what there is."""

    def test_too_few_models_are_an_error_and_no_verdict(self, noise):
        with pytest.raises(pytest_mia.OutOfTimeError, match=r"after 1 of 8 models, too few .* raise the time limit"):
            audit(DecisionTreeClassifier, noise, time_limit=1e-9, jobs=1)

    def test_enough_models_are_an_audit_of_those(self, noise, monkeypatch):
        from pytest_mia.training import train

        seen = iter(range(100))
        # A clock that strikes at each look, several times a model.
        monkeypatch.setattr(train.time, "perf_counter", lambda: float(next(seen)))
        result = audit(DecisionTreeClassifier, noise, shadows=15, time_limit=24.5, jobs=1)
        monkeypatch.undo()
        assert 4 <= result.models < 16
        assert result.shadows == result.models - 1
        assert f"after {result.models} of 16 models" in " ".join(result.notes)

    def test_worker_processes_are_left_without_a_warning(self, noise, monkeypatch, deadline_passes):
        from pytest_mia.training.backends import loky

        monkeypatch.setattr(loky, "WORTH_A_PROCESS", 0.0)

        def slow():
            import time

            time.sleep(0.1)
            return DecisionTreeClassifier()

        def told(done, _models, _seconds):
            if done == 6:
                deadline_passes()

        result = audit(slow, noise, shadows=99, time_limit=1e6, jobs=2, progress=told)
        assert result.models == 6
