"""The strategies that users are given: what they draw is what they say, and an audit takes it."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pytest_mia
from pytest_mia import MIAUsageError, strategies
from pytest_mia.data.dataset import find_problems
from pytest_mia.data.labels import as_labels

ATTACKS = ["gap", "loss"]


@given(strategies.datasets(records=st.integers(8, 20)))
@settings(max_examples=50)
def test_data_sets_are_such_as_audits_take(dataset):
    assert find_problems(dataset, needs_labels=True) == []
    labels = as_labels(dataset.y)
    assert np.unique(labels, return_counts=True)[1].min() >= 2
    assert np.isfinite(dataset.X).all()
    assert len(dataset.X) == len(labels)


@given(strategies.datasets(records=9, features=2, classes=3))
@settings(max_examples=5)
def test_sizes_may_be_given(dataset):
    assert dataset.X.shape == (9, 2)
    assert len(np.unique(dataset.y)) == 3


@given(strategies.memberships(records=st.integers(2, 5)))
@settings(max_examples=50)
def test_every_model_has_members_and_others(members):
    assert members.any(axis=1).all()
    assert not members.all(axis=1).any()


shares = st.floats(0, 1)


@given(shares.flatmap(lambda share: st.tuples(st.just(share), strategies.outputs_with_leak(share))))
@settings(max_examples=20)
def test_the_leak_is_what_was_asked_for(drawn):
    """One who takes those for members whose answers give them away has this advantage on every model, to a record."""
    share, given_outputs = drawn
    true = given_outputs.outputs[:, np.arange(200), given_outputs.labels]
    assert given_outputs.outputs.sum(axis=2) == pytest.approx(1.0)
    for probability, inside in zip(true, given_outputs.members, strict=True):
        found = probability > max(strategies.SILENT)
        assert found[inside].mean() == pytest.approx(share, abs=0.5 / inside.sum() + 1e-12)
        assert not found[~inside].any()


@given(shares.flatmap(lambda share: st.tuples(st.just(share), strategies.outputs_with_leak(share))))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_an_audit_finds_it(drawn):
    """Bounds of eight models at 99.9% confidence, since each of these examples must hold."""
    share, given_outputs = drawn
    outputs, members, labels = given_outputs.outputs, given_outputs.members, given_outputs.labels
    found = pytest_mia.audit_outputs(outputs, members, labels, attacks=ATTACKS, confidence=0.999).advantage
    assert found.low <= share + 0.01
    assert found.high >= share - 0.01


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        (strategies.datasets(records=5, classes=3), "2 classes and 2 records of each, got 5 records of 3 classes"),
        (strategies.datasets(classes=1), "of 1 classes"),
        (strategies.memberships(records=1), "at least 2 records, got 1"),
        (strategies.outputs_with_leak(1.5), "advantage must be from 0 to 1, got 1.5"),
        (strategies.outputs_with_leak(float("nan")), "advantage must be from 0 to 1, got nan"),
        (strategies.outputs_with_leak(models=3, records=1, classes=1), "3 problems"),
    ],
)
def test_what_cannot_be_drawn_is_told(strategy, told):
    @given(strategy)
    @settings(max_examples=1, database=None)
    def drawn(_value):
        pass

    with pytest.raises(MIAUsageError, match=told):
        drawn()


def test_without_hypothesis_it_says_what_to_install():
    lines = "import sys; sys.modules['hypothesis'] = None; from pytest_mia import *; import pytest_mia; print(audit); "
    failed = subprocess.run([sys.executable, "-c", lines + "pytest_mia.strategies"], capture_output=True, check=False)
    assert failed.stdout.startswith(b"<function audit"), "all else does without"
    assert failed.returncode == 1
    assert b"pytest_mia.strategies needs Hypothesis" in failed.stderr
    assert failed.stderr.strip().endswith(b"pip install hypothesis")
