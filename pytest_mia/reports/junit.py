"""The properties of a test in ``--junitxml``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def properties(audit: Mapping[str, Any]) -> list[tuple[str, object]]:
    """An audit as properties of its test.

    Parameters
    ----------
    audit
        As `AuditResult.to_dict` gives it.

    Returns
    -------
    list of (name, value)
        Built-in types only, without what wasn't judged or measured.
    """
    advantage, change = audit["advantage"], audit["change"] or {}
    moved = change.get("difference") or {}
    named = {
        "mia_verdict": audit["verdict"],
        "mia_metric": audit["metric"],
        "mia_advantage": advantage["estimate"],
        "mia_advantage_low": advantage["low"],
        "mia_advantage_high": advantage["high"],
        "mia_threshold": audit["threshold"],
        "mia_attack": audit["attack"],
        "mia_auc": auc(audit),
        "mia_baseline": change.get("baseline"),
        "mia_change": moved.get("estimate"),
        "mia_change_low": moved.get("low"),
        "mia_change_high": moved.get("high"),
    }
    return [(name, value) for name, value in named.items() if value is not None]


def auc(audit: Mapping[str, Any]) -> float | None:
    """Area under the ROC curve of the selected attack."""
    return next((attack["auc"] for attack in audit["attacks"] if attack["name"] == audit["attack"]), None)
