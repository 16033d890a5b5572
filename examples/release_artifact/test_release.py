"""The privacy gate of the saved model behind its service, and of the same model with its probabilities."""

import pytest

from pytest_mia import MembershipLeakError


def test_digit_alone(assert_membership_advantage_below):
    assert_membership_advantage_below(0.05)


@pytest.mark.xfail(raises=MembershipLeakError, strict=True, reason="probabilities leak, so they are not served")
@pytest.mark.parametrize("mia_predict", [None], ids=["probabilities"])
def test_with_probabilities(assert_membership_advantage_below):
    assert_membership_advantage_below(0.05)
