"""What a user changes is trained again, and what doesn't matter isn't: two runs of pytest, a change between them."""

import os
import re

import pytest
from change_table import classes, environment, files, libraries, modules, neutral, settings, unknown, values
from change_table.runs import Runs, Server

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="runs are forks")

MATTER = [settings, values, classes, modules, environment, files, libraries, unknown]
ALWAYS = {
    "a file that another audit reads",
    "a file that another program reads",
    "a file that is opened to be changed",
    "a helper two imports away",
    "a method of a library's class that is reached through its module",
    "a path that appears",
    "a state that training moves on",
    "a touched file",
    "a variable under a made name",
    "an answer that a function kept before training",
    "an unrelated package that is upgraded",
    "the folder above",
}
"""The changes that are tried always: one of each kind."""
PASSING = {"seconds", "cache", "replay", "notes"}
"""What differs between two reports of one audit."""


@pytest.fixture(scope="module")
def servers():
    """Two processes, which hash texts in different ways, and in which values lie at different places."""
    with Server() as one, Server() as other:
        yield one, other


def cases(*modules, often):
    """All changes: one of each kind is tried always, so many more of each module in CI, and the others on request."""
    found = []
    for module in modules:
        names = [*module.CHANGES, *module.VARIANTS]
        for place, name in enumerate(names):
            change = {**module.CHANGES, **module.VARIANTS}[name]
            marks = [] if name in ALWAYS else [pytest.mark.slow, *([pytest.mark.exhaustive] if place >= often else [])]
            found.append(pytest.param(change, id=name, marks=marks))
    return found


def uses(audit):
    """Models that were found in the cache, and models that weren't."""
    return audit["cache"]["hits"], audit["cache"]["misses"]


def figures(audit):
    return {name: value for name, value in audit.items() if name not in PASSING}


def refusals(audit):
    """What notes say of models that can't be cached."""
    return [note for note in audit["notes"] if "not cached" in note]


@pytest.mark.parametrize("change", cases(*MATTER, often=8))
def test_a_change_that_matters(servers, tmp_path, change):
    """All models are trained again; where none can be cached, a note names what can't be told."""
    runs = Runs(servers, tmp_path, change)
    (first,), (changed,) = runs.audits(after=False), runs.audits(after=True)
    said = refusals(first)

    assert (uses(first), uses(changed)) == ((0, 4), (0, 4)), "models of before the change pass from the cache"
    assert figures(changed) != figures(first), "nothing changes"
    assert not said or (change.thing and any(re.search(change.thing, note) for note in said)), said


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("change", cases(*MATTER, often=0))
def test_no_change(servers, tmp_path, change):
    """Each of these repositories is cached, or a note says why it can't be."""
    runs = Runs(servers, tmp_path, change)
    (first,), (again,) = runs.audits(after=False), runs.audits(after=False)

    assert uses(again) == (4, 0) or refusals(first), (uses(again), first["notes"])


@pytest.mark.parametrize("change", cases(neutral, often=20))
def test_a_change_that_does_not_matter(servers, tmp_path, change):
    """No model is trained again."""
    runs = Runs(servers, tmp_path, change)
    first, changed = [runs.audits(after=after) for after in (False, True)]

    assert {uses(audit)[0] for audit in first} == {0}
    assert [(uses(audit), refusals(audit)) for audit in changed] == [((4, 0), []) for _ in changed]


def test_how_many_changes_there_are():
    """None is lost because two have the same name."""
    for parts, often, least in ((MATTER, 8, 60), ([neutral], 20, 20)):
        found = cases(*parts, often=often)
        assert len({each.id for each in found}) == len(found)
        assert sum(pytest.mark.exhaustive not in each.marks for each in found) >= least
    assert {each.id for each in cases(*MATTER, neutral, often=8)} >= ALWAYS
