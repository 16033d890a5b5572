"""Functions and methods made from gates: they take a gate's arguments, and show its signature and its docstring."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.results.audit_data import Audit
from pytest_mia.verdicts.gates import Gate

P = ParamSpec("P")
G = TypeVar("G", bound=Gate)


def judging(gate: Callable[P, Gate], name: str) -> Callable[Concatenate[Audit, P], Audit]:
    """A function of this name that judges an audit: ``judge(result, ...)``, with the gate's own arguments."""

    def judge_result(result: Audit, *args: P.args, **keywords: P.kwargs) -> Audit:
        __tracebackhide__ = True
        return judge(construct(gate, *args, **keywords), result)

    return describe(judge_result, gate, name, first="result")  # type: ignore[return-value]


def judge(gate: Gate, audit: Audit) -> Audit:
    """The audit with the verdict of the gate, the reasons, remedies, next steps and the message."""
    __tracebackhide__ = True
    # It computes, so it is not loaded with pytest.
    from pytest_mia.verdicts import judging

    return judging.judge(gate, audit)


def construct(gate: Callable[P, G], *args: P.args, **keywords: P.kwargs) -> G:
    """A gate with these arguments; where they are out of range, without our own frames in the traceback."""
    __tracebackhide__ = True
    try:
        return gate(*args, **keywords)
    except MIAUsageError as error:
        raise error.with_traceback(None) from None


F = TypeVar("F", bound=Callable[..., Any])


def describe(function: F, gate: Callable[..., Gate], name: str, *, first: str | None = None) -> F:
    """The function with a name, and with the gate's signature and docstring."""
    leading = [] if first is None else [inspect.Parameter(first, inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    described: Any = function
    described.__name__ = described.__qualname__ = name
    described.__doc__ = gate.__doc__
    described.__signature__ = inspect.Signature([*leading, *_parameters(gate)])
    return function


def shown_call(gate: type[Gate]) -> str:
    """A call of the gate's fixture, as a user would write it."""
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in _parameters(gate)]
    return f"{gate.fixture}{inspect.Signature(bare)}"


def _parameters(gate: Callable[..., Gate]) -> Sequence[inspect.Parameter]:
    return [*inspect.signature(gate).parameters.values()]
