"""What the JSON report shows of a dataclass is in built-in types."""

import dataclasses
import json
import math

import numpy as np
import pytest

from pytest_mia.core.reported import UNREPORTED, Reported, plain, reported_as


@dataclasses.dataclass(frozen=True)
class Inner(Reported):
    name: str
    share: float = math.inf


@dataclasses.dataclass(frozen=True)
class Outer(Reported):
    first: int
    parts: tuple[Inner, ...]
    curves: tuple[int, ...] = dataclasses.field(
        metadata=reported_as(lambda outer: {"roc": outer.curves, "points": len(outer.curves)}), default=()
    )
    secret: str = dataclasses.field(metadata=UNREPORTED, default="x", repr=False)
    last: Inner | None = None


def test_fields_in_their_order_and_what_stands_for_some():
    shown = Outer(np.int64(1), (Inner("a", 0.5), Inner("b")), (1, 2)).to_dict()

    assert shown == {
        "first": 1,
        "parts": [{"name": "a", "share": 0.5}, {"name": "b", "share": None}],
        "roc": [1, 2],
        "points": 2,
        "last": None,
    }
    assert list(shown) == ["first", "parts", "roc", "points", "last"]
    assert "secret" not in repr(Outer(1, ()))


def test_everything_becomes_a_built_in_type():
    found = plain(
        {
            "float": np.float64(0.5),
            "small": np.float32(0.25),
            "int": np.int64(3),
            "bool": np.bool_(True),
            "text": np.str_("loss"),
            "nested": ({"a": [np.float64(1.0), None, "b", 2, True]},),
            3: 0,
        }
    )

    assert found == {
        "float": 0.5,
        "small": 0.25,
        "int": 3,
        "bool": True,
        "text": "loss",
        "nested": [{"a": [1.0, None, "b", 2, True]}],
        "3": 0,
    }
    assert {type(found[name]) for name in ("float", "small", "int", "bool", "text")} == {float, int, bool, str}
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, np.float64("inf")])
def test_what_is_not_finite_is_none(value):
    assert plain([value]) == [None]


def test_anything_else_is_an_error():
    with pytest.raises(TypeError, match="an audit can't hold a object"):
        plain({"a": object()})
