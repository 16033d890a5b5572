"""Every check is in the registry, and says nothing of what doesn't concern it."""

import importlib
import pkgutil

import pytest
from worlds import trained

from pytest_mia import validity
from pytest_mia.validity import registry
from pytest_mia.validity.protocol import NOTHING, CheckResult, ObservedAudit


def test_every_check_is_registered_once():
    modules = [
        importlib.import_module(f"pytest_mia.validity.{one.name}") for one in pkgutil.iter_modules(validity.__path__)
    ]
    checks = {module.check for module in modules if hasattr(module, "check")}
    registered = [*registry.OBSERVATION_CHECKS, *registry.CODE_CHECKS]
    assert len(registered) == len(checks)
    assert set(registered) == checks


@pytest.mark.parametrize("check", registry.OBSERVATION_CHECKS, ids=lambda check: check.__module__.rpartition(".")[2])
def test_a_sound_audit_is_valid(check):
    assert check(ObservedAudit(trained(1.0))).findings == ()


def test_what_checks_say_keeps_their_order():
    results = [CheckResult(("a",), ("b",)), NOTHING, CheckResult(("c",), ("d",))]
    assert registry.join_results(results) == CheckResult(("a", "c"), ("b", "d"))
