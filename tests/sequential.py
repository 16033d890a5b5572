"""Simulated audits, made one after another until it is plain whether they err as rarely as stated (Wald's test)."""

from typing import Any, NamedTuple

import numpy as np

from pytest_mia.core.seeding import single_threaded

ALPHA = 0.05
FALSE_ALARM, OVERLOOKED = 0.001, 0.01


class Error(NamedTuple):
    """A function that says of a result whether it errs so, in what share it may, and in what share it is to be seen."""

    errs: Any
    seen: float
    allowed: float = ALPHA


def rare(errors, seen, allowed=ALPHA):
    """Whether so many errors are of the share that is allowed, rather than of the other; None if that isn't plain yet.

    Errors of the share that is allowed are called too many once in a thousand times, and those of the other share rare
    once in a hundred times, however many are looked at.
    """
    odds = np.cumsum(np.where(errors, np.log(seen / allowed), np.log((1 - seen) / (1 - allowed))))
    plain = np.flatnonzero((odds <= np.log(OVERLOOKED)) | (odds >= -np.log(FALSE_ALARM)))
    return bool(odds[plain[0]] < 0) if len(plain) else None


def until_plain(audit, kinds):
    """Results of audits with the seeds from 0 on, and whether errors of each kind are rare."""
    results, erred = [], {name: [] for name in kinds}
    found = dict.fromkeys(kinds)
    with single_threaded():
        while None in found.values():
            results.append(audit(len(results)))
            for name, (errs, *shares) in kinds.items():
                erred[name].append(errs(results[-1]))
                # What is plain stays so.
                found[name] = rare(erred[name], *shares)
    return results, found
