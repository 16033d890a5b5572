"""Errors in the user's own code are shown without this package's frames."""

import pytest

from pytest_mia.models.functions import __file__ as OF_ANOTHER_ROOM
from pytest_mia.training.failures import describe_failure


def test_frames_of_all_rooms_are_left_out():
    scope = {}
    exec(compile("def call(function):\n    function()", OF_ANOTHER_ROOM, "exec"), scope)

    def broken():
        raise ValueError("no such column")

    with pytest.raises(ValueError, match="no such column") as caught:
        scope["call"](broken)
    told = describe_failure("training failed", caught.value)

    assert told.startswith("training failed: ValueError: no such column\n\n")
    assert "in broken" in told
    assert OF_ANOTHER_ROOM not in told
