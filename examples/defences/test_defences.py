"""The privacy gate of the defence that was chosen, and the network without any."""

import pytest
from defences import PLAIN, network, probabilities

from pytest_mia import MembershipLeakError


def test_release(assert_membership_advantage_below):
    assert_membership_advantage_below(0.05)


@pytest.mark.xfail(raises=MembershipLeakError, strict=True, reason="undefended, the network leaks")
@pytest.mark.parametrize(
    ("mia_training", "mia_model_factory", "mia_predict"), [(PLAIN, network, probabilities)], ids=["undefended"]
)
def test_undefended(assert_membership_advantage_below):
    assert_membership_advantage_below(0.05)
