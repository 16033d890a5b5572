import unittest
import warnings

import pytest
from audits import LEAK, LEAKS, NONE, PASS, UNDECIDED, audited

from pytest_mia import InconclusiveAuditError, InconclusiveAuditWarning, InvalidAuditError, MembershipLeakError


@pytest.mark.parametrize("selected", [NONE, LEAK])
@pytest.mark.parametrize(
    "gate",
    [
        lambda result: result.assert_membership_advantage_below(0.5),
        lambda result: result.assert_tpr_below(0.5),
        lambda result: result.assert_tpr_below(0.5, at_fpr=0.1),
        lambda result: result.assert_epsilon_below(100.0),
    ],
)
def test_a_finding_makes_every_verdict_invalid(gate, selected):
    with pytest.raises(InvalidAuditError, match="all alike") as error:
        gate(audited(selected, findings=("all alike",)))
    assert error.value.result.verdict == "invalid"
    assert error.value.result.reasons == ("all alike",)


class TestInconclusive:
    def enforced(self, way, selected=LEAK, threshold=UNDECIDED):
        return audited(selected, inconclusive=way).assert_membership_advantage_below(threshold)

    def test_fail(self):
        with pytest.raises(InconclusiveAuditError):
            self.enforced("fail")

    def test_warn(self):
        with pytest.warns(
            InconclusiveAuditWarning, match="is neither clearly below nor clearly above the limit"
        ) as caught:
            judged = self.enforced("warn")
        assert judged.verdict == "inconclusive"
        assert len(caught) == 1

    def test_skip(self):
        with pytest.raises(unittest.SkipTest, match="is neither clearly below nor clearly above the limit") as error:
            self.enforced("skip")
        assert error.value.result.verdict == "inconclusive"

    @pytest.mark.parametrize("way", ["fail", "warn", "skip"])
    def test_other_verdicts_stay_as_they_are(self, way):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert self.enforced(way, threshold=PASS).verdict == "pass"
            with pytest.raises(MembershipLeakError):
                self.enforced(way, threshold=LEAKS)
            with pytest.raises(InvalidAuditError):
                audited(inconclusive=way, findings=("all alike",)).assert_membership_advantage_below(0.5)
