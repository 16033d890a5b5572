"""The privacy gate of the release, and the network that it stopped."""

import pytest
from digits import network

from pytest_mia import MembershipLeakError


def test_release(assert_membership_advantage_below):
    assert_membership_advantage_below(0.05)


@pytest.mark.xfail(raises=MembershipLeakError, strict=True, reason="the network leaks, so it was not shipped")
@pytest.mark.parametrize(("mia_model_factory", "mia_predict"), [(network, None)], ids=["network"])
def test_first_attempt(assert_membership_advantage_below):
    assert_membership_advantage_below(0.05)
