"""Whole audits that take a second or less, and what to look at in their results."""

import hashlib

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

import pytest_mia
from pytest_mia import MembershipLeakError
from pytest_mia.attacks.registry import ATTACKS

rng = np.random.default_rng(0)
NOISE = rng.normal(size=(120, 4)), rng.integers(0, 3, 120)
"""Records of three classes, of which nothing can be learnt but by heart."""

RECORDS = 200
rng = np.random.default_rng(0)
X = rng.normal(size=(RECORDS, 4))
Y = (np.argsort(np.argsort(X[:, 0] + rng.normal(size=RECORDS))) >= RECORDS // 2).astype(int)
"""Records of two classes, as many of each, which the first feature tells apart now and then."""

INSIDE, OUTSIDE = slice(0, 100), slice(100, 200)
QUICK = {"shadows": 3, "jobs": 1, "attacks": ["gap", "loss", "lira_online", "mast"]}
SINGLE = [
    attack.name
    for attack in ATTACKS
    if attack.name != "combined" and not attack.name.endswith(("label_noise", "augmentation", "augmented"))
]
"""Attacks that learn nothing of what others find, and ask about no changed copies: those take most of the time."""

DEPTH = 3
Tree = DecisionTreeClassifier


class Counted(Tree):
    """Counts what it is trained on, but for the few records by which a class of the user's own is controlled."""

    sizes = []  # noqa: RUF012

    def fit(self, X, y):
        if len(X) > 20:
            Counted.sizes.append(len(X))
        return super().fit(X, y)


def tree():
    return DecisionTreeClassifier(max_depth=DEPTH)


def finish(events, seen=None):
    """What an audit returns once it has yielded its last event; the events are put into the list `seen`."""
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            return end.value
        if seen is not None:
            seen.append(event)


def recipe(factory=Tree, dataset=(X, Y), **arguments):
    return pytest_mia.audit(factory, dataset, **QUICK | arguments)


def release(model=None, inside=INSIDE, outside=OUTSIDE, factory=Tree, dataset=None, **arguments):
    model = Tree(random_state=0).fit(X[inside], Y[inside]) if model is None else model
    target = pytest_mia.Target(model, (X[inside], Y[inside]), (X[outside], Y[outside]))
    return pytest_mia.audit(factory, dataset, **QUICK | {"target": target} | arguments)


def audit(factory, dataset, *, attacks=SINGLE, **given):
    """An audit of a model of any kind, by many attacks."""
    return pytest_mia.audit(factory, dataset, jobs=1, device="cpu", attacks=attacks, **given)


def assert_leaks(result, at_least=0.05):
    assert not result.findings
    with pytest.raises(MembershipLeakError):
        result.assert_membership_advantage_below(at_least)


def assert_not_accused(result):
    assert not result.findings
    assert result.advantage.low < 0.03
    assert all(attack.advantage.low < 0.05 for attack in result.attacks)


def other_than(X):
    """A generator that differs from half to half, and knows nothing else of the records."""
    return np.random.default_rng(list(hashlib.sha256(np.asarray(X).tobytes()).digest()))


def names(result):
    return {attack.name for attack in result.attacks}


def figures(result):
    """Everything that an audit found: not the time that it took, nor the cache, nor the command."""
    found = result.to_dict()
    return {name: value for name, value in found.items() if name not in ("seconds", "cache", "replay")}


def uses(result):
    """Models that were found in the cache, and models that weren't."""
    return result.cache.hits, result.cache.misses


def entries(folder):
    """Files of the cache in this folder, the oldest first."""
    return sorted((folder / "cache").glob("*.entry"), key=lambda path: path.stat().st_mtime_ns)
