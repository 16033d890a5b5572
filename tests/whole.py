"""Whole audits that take a second or less, and what to look at in their results."""

import numpy as np
from sklearn.tree import DecisionTreeClassifier

_RNG = np.random.default_rng(0)
NOISE = _RNG.normal(size=(120, 4)), _RNG.integers(0, 3, 120)
"""Records of three classes, of which nothing can be learnt but by heart."""

DEPTH = 3


def tree():
    return DecisionTreeClassifier(max_depth=DEPTH)


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
