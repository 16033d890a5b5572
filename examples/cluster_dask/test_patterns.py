"""The privacy gate of the release, and the model that it stopped."""

import pytest
from patterns import trees

from pytest_mia import MembershipLeakError


def test_release(assert_membership_advantage_below):
    assert_membership_advantage_below(0.05)


@pytest.mark.xfail(raises=MembershipLeakError, strict=True, reason="the trees leak, so they were not shipped")
@pytest.mark.parametrize(("mia_model_factory", "mia_predict"), [(trees, None)], ids=["trees"])
def test_first_attempt(assert_membership_advantage_below):
    assert_membership_advantage_below(0.05)
