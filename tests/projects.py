"""Source of the projects whose tests are run by pytest inside these tests."""

ATTACKS = ["gap", "loss", "rmia_online"]
"""Attacks that take no time, for what doesn't depend on which they are."""

FIXTURE = """
@pytest.fixture
def {name}():
    return {value}
"""
GATES = """
def test_release(assert_membership_advantage_below):
    assert_membership_advantage_below(0.2)

def test_mild(assert_membership_advantage_below):
    assert_membership_advantage_below(0.9)

def test_claim(assert_epsilon_below):
    assert_epsilon_below(0.5)
"""
"""Gates with a limit that a model which leaks exceeds, one that it stays below, and a claim that it refutes."""

NOISE = """
import numpy as np
from sklearn.tree import DecisionTreeClassifier

def noise(records):
    generator = np.random.default_rng(0)
    return generator.normal(size=(records, 3)), generator.integers(0, 2, records)
"""


def conftest(code="", **fixtures):
    """A conftest.py of this code, and of fixtures that return the given expressions."""
    made = (FIXTURE.format(name=name, value=value) for name, value in fixtures.items())
    return f"import pytest\n{code}{''.join(made)}"


def trees(records=400, code="", **fixtures):
    """Records of which nothing can be learnt but by heart, and a tree that learns them so."""
    default = {"mia_dataset": f"noise({records})", "mia_model_factory": "DecisionTreeClassifier"}
    return conftest(NOISE + code, **default | fixtures)
