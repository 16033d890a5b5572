"""Functions, methods and fixtures of a gate show the gate's own arguments."""

import inspect

import pytest

from pytest_mia import AuditResult, gates, plugin
from pytest_mia.verdicts.gates import GATES, EpsilonBelow, MembershipAdvantageBelow, NoAdvantageRegression, TprBelow
from pytest_mia.verdicts.judging import shown_call

FUNCTIONS = {
    MembershipAdvantageBelow: gates.membership_advantage,
    TprBelow: gates.tpr,
    EpsilonBelow: gates.epsilon,
    NoAdvantageRegression: gates.regression,
}


def parameters(function):
    return [
        (each.name, each.kind, each.default, each.annotation)
        for each in inspect.signature(function).parameters.values()
    ]


@pytest.mark.parametrize("gate", GATES)
def test_methods_and_functions_take_the_arguments_of_the_gate(gate):
    method, function = getattr(AuditResult, gate.fixture), FUNCTIONS[gate]

    assert method.__name__ == gate.fixture
    assert method.__doc__ == gate.__doc__
    assert parameters(method)[0][0] == "self"
    assert parameters(method)[1:] == parameters(gate)
    # `gates.epsilon` calls the claimed epsilon `claimed`.
    ours = [
        ("claimed", *each[1:]) if (gate, each[0]) == (EpsilonBelow, "epsilon") else each for each in parameters(gate)
    ]
    assert parameters(function)[1:] == ours


@pytest.mark.parametrize("gate", GATES)
def test_fixtures_show_how_they_are_called(gate):
    assert inspect.cleandoc(getattr(plugin, gate.fixture).__doc__).startswith(f"``{shown_call(gate)}``: ")


def test_calls_as_a_user_writes_them():
    assert [shown_call(gate) for gate in GATES] == [
        "assert_membership_advantage_below(threshold, *, by=None, confidence=None)",
        "assert_tpr_below(threshold, *, at_fpr=0.001, confidence=None)",
        "assert_epsilon_below(epsilon, *, delta=1e-05, mechanism='any', confidence=None)",
        "assert_no_advantage_regression(*, tolerance=0.02)",
    ]
