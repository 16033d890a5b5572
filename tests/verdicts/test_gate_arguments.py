import math

import numpy as np
import pytest
from audits import audited

from pytest_mia import MIAUsageError, gates


class TestArguments:
    @pytest.mark.parametrize("threshold", [0, -0.1, 1.0001, math.nan, math.inf, True, "0.05", None])
    def test_the_limit_is_a_share(self, threshold):
        for gate in (audited().assert_membership_advantage_below, audited().assert_tpr_below):
            with pytest.raises(MIAUsageError, match="threshold must be a number above 0 and at most 1, got"):
                gate(threshold)

    @pytest.mark.parametrize("threshold", [1, np.float32(0.25), np.int64(1)])
    def test_numbers_of_any_type(self, threshold):
        judged = audited().assert_membership_advantage_below(threshold)
        assert type(judged.threshold) is float

    @pytest.mark.parametrize("confidence", [0.5, 1, 95, math.nan, True, "0.9"])
    def test_confidence(self, confidence):
        expected = "confidence must be a number from 0.5 to 1, both excluded, got"
        for gate in (
            audited().assert_membership_advantage_below,
            audited().assert_tpr_below,
            audited().assert_epsilon_below,
        ):
            with pytest.raises(MIAUsageError, match=expected):
                gate(0.5, confidence=confidence)

    def test_rates_that_are_not_measured(self):
        with pytest.raises(MIAUsageError, match=r"at_fpr must be one of 0.001, 0.01, 0.1, got 0.05"):
            audited().assert_tpr_below(0.5, at_fpr=0.05)

    def test_all_problems_at_once(self):
        with pytest.raises(MIAUsageError) as error:
            audited().assert_epsilon_below(-1, delta=1, confidence=0)
        assert [problem.split()[0] for problem in error.value.problems] == ["epsilon", "delta", "confidence"]

    def test_bad_mechanisms(self):
        with pytest.raises(MIAUsageError, match="mechanism must be any or gaussian, got 'laplace'"):
            gates.epsilon(audited(), 1.0, mechanism="laplace")
        with pytest.raises(MIAUsageError, match="delta must be above 0 for mechanism gaussian"):
            gates.epsilon(audited(), 1.0, delta=0, mechanism="gaussian")
