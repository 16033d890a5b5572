import copy
import pickle

import pytest

from pytest_mia.core import errors
from pytest_mia.core.errors import MIAError, MIAUsageError, MIAWarning

VERDICTS = {"MembershipLeakError", "InconclusiveAuditError", "InvalidAuditError"}
PUBLIC = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)]


def test_every_error_and_warning_has_a_base_of_ours():
    assert all(issubclass(each, (MIAError, MIAWarning)) for each in PUBLIC)


def test_verdicts_alone_are_failed_assertions():
    assert {each.__name__ for each in PUBLIC if issubclass(each, AssertionError)} == VERDICTS


class TestUsageError:
    def test_one_problem_is_the_message(self):
        error = MIAUsageError("give more records")
        assert (str(error), error.problems) == ("give more records", ("give more records",))

    def test_several_are_listed_one_a_line(self):
        assert str(MIAUsageError(["give X", "give y"])) == "2 problems:\n- give X\n- give y"

    @pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
    def test_it_comes_back_whole_from_a_worker_process(self, again):
        error = MIAUsageError(["give X", "give y"])
        error.add_note("while training model 3")
        assert again(error).problems == error.problems
        assert str(again(error)) == str(error)
        assert again(error).__notes__ == ["while training model 3"]
