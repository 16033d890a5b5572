"""Can a target's memberships be read off those of other models?"""

from __future__ import annotations

import numpy as np

from pytest_mia.core.types import BoolArray
from pytest_mia.validity.protocol import NOTHING, CheckResult, ObservedAudit

FEWEST_TO_BALANCE, FEWEST_TO_REPEAT = 20, 40
"""Records, or groups, below which memberships may agree so by chance."""


def check(audit: ObservedAudit) -> CheckResult:
    """The findings on memberships that the user drew, by one record of each group."""
    if not audit.drawn_elsewhere:
        return NOTHING
    members, groups = audit.observations.members, audit.observations.groups
    units = members if groups is None else members[:, np.unique(groups, return_index=True)[1]]
    findings = find_balanced(units), find_repeated(units)
    return CheckResult(tuple(each for each in findings if each is not None))


def find_balanced(members: BoolArray) -> str | None:
    """The finding that every record is a member of equally many models.

    Then a target's membership can be read off the others': attacks with few shadows see that, and show less than
    there is (an AUC of 0.41 with 4 models and no leak at all, by simulation).
    """
    counts = members.sum(axis=0)
    if len(counts) < FEWEST_TO_BALANCE or (counts != counts[0]).any():
        return None
    return (
        f"every record is a member of exactly {counts[0]} of the {len(members)} models, so a target's memberships "
        "follow from those of the other models. Draw each model's members independently of the other models"
    )


def find_repeated(members: BoolArray) -> str | None:
    """The finding that two models have the same members, or each what the other lacks.

    Then a target's membership stands in another model's, and is taken for a leak, or hides one.

    Parameters
    ----------
    members
        Memberships (models, units), of one record for each group; few of them may agree by chance.
    """
    if members.shape[1] < FEWEST_TO_REPEAT:
        return None
    turned = members ^ members[:, :1]
    _, first, place = np.unique(turned, axis=0, return_index=True, return_inverse=True)
    twins = first[place.ravel()]
    others = np.flatnonzero(twins != np.arange(len(members)))
    if not len(others):
        return None
    one, other = int(twins[others[0]]), int(others[0])
    how = (
        "the same members" if (members[one] == members[other]).all() else "each the members that the other model lacks"
    )
    return (
        f"models {one} and {other} have {how}, so a target's memberships follow from those of the other "
        "models. Draw each model's members independently of the other models"
    )
