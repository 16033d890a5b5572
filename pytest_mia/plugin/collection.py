"""The tests that were collected: which of them audit, which are skipped or left out, and in which order they come."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.plugin import options

TEST = pytest.StashKey[str]()
"""The node ID of a test as it was collected."""
POSITION = pytest.StashKey[int]()

PROVIDED = (
    "mia_audit",
    "shadow_models",
    "assert_membership_advantage_below",
    "assert_tpr_below",
    "assert_epsilon_below",
    "assert_no_advantage_regression",
)
OVERRIDDEN = (
    "mia_dataset",
    "mia_model_factory",
    "mia_training",
    "mia_predict",
    "mia_loss",
    "mia_augment",
    "mia_target",
    "mia_shadow_factory",
    "mia_shadow_dataset",
    "mia_outputs",
)
FIXTURES = frozenset(PROVIDED + OVERRIDDEN)
NEEDING = frozenset(PROVIDED)
"""Fixtures that audit or train."""


def mark_audits(config: pytest.Config, items: list[pytest.Item], asked: options.Options) -> None:
    """Mark the tests that audit, check their markers, skip them or choose them alone where an option says so."""
    others = []
    for item in items:
        item.stash[TEST] = item.nodeid
        if item.get_closest_marker("mia") is None and not FIXTURES.isdisjoint(_fixtures(item)):
            item.add_marker("mia")
        if item.get_closest_marker("mia") is None:
            others.append(item)
            continue
        _check_marker(item, asked)
        if asked.skip:
            item.add_marker(pytest.mark.skip(reason="--mia-skip"))
    if asked.only and others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item.get_closest_marker("mia") is not None]


def number_tests(items: Sequence[pytest.Item]) -> None:
    """Note the position of each test, by which reports are ordered."""
    for position, item in enumerate(items):
        item.stash[POSITION] = position


def needs_engine(item: pytest.Item) -> bool:
    """Whether a test audits or trains; one with a condition for its skipping may."""
    return item.get_closest_marker("skip") is None and not NEEDING.isdisjoint(_fixtures(item))


def _fixtures(item: pytest.Item) -> Sequence[str]:
    return getattr(item, "fixturenames", ())


def _check_marker(item: pytest.Item, asked: options.Options) -> None:
    """Report a bad marker as an error of collection: an exception here would crash a worker of pytest-xdist."""
    try:
        options.apply_markers(item, asked.settings)
    except MIAUsageError as error:
        report = pytest.CollectReport(nodeid=item.nodeid, outcome="failed", longrepr=str(error), result=[])
        item.config.hook.pytest_collectreport(report=report)
