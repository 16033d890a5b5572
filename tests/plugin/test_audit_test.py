"""What leaves a test is in built-in types."""

import json
import math

import numpy as np
import pytest

from pytest_mia.plugin.audit_test import plain


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
