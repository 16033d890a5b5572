"""The grounds of a verdict, in words: what it rests on, and what would decide where nothing is decided."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pytest_mia.core.text import counted
from pytest_mia.results.values import SliceResult
from pytest_mia.statistics import rate_bounds, records_to_leak, records_to_pass
from pytest_mia.statistics.counts import CoinGuesses, Counts, Interval
from pytest_mia.verdicts import subgroups

POWER = 0.8
NAMED = 10
"""Parts of the records that are named among the reasons at the most."""


def right_guesses(guesses: CoinGuesses, bound: str, delta: float) -> str:
    """What a measured epsilon rests on, in words."""
    if not guesses.guessed:
        return "no guess was expected to be right more often than by chance, so none was made"
    kind = "planted records" if guesses.planted else "records"
    which = f"of two {kind} was a member" if guesses.swapped else f"{kind} were members"
    right = (
        f"{guesses.right:,} of {guesses.guessed:,} guesses which {which} were right; {guesses.coins:,} coins were drawn"
    )
    return f"{right} (bound: {bound}; delta {delta:g})"


def flagged_nonmembers(counts: Counts, alpha: float) -> str:
    """At which false-positive rate a tail was measured in fact, in words."""
    rate, low, high = rate_bounds(counts.flagged_nonmembers, counts.nonmembers, alpha=alpha, share=counts.share)
    accused = f"{sum(counts.flagged_nonmembers):,} of {sum(counts.nonmembers):,} non-members were accused wrongly"
    return f"{accused}: the threshold, learnt on the shadows, has an FPR of {rate:.4f} ({low:.4f} to {high:.4f})"


def what_would_decide(
    counts: Counts, records: int, kind: str, threshold: float, interval: Interval, *, fpr: float | None = None
) -> list[str]:
    """How many records, or shadows, would decide an inconclusive result, if the advantage is what it seems.

    Parameters
    ----------
    counts, records
        The guesses, and the records that they are about.
    kind
        "recipe" or "release".
    threshold
        The limit.
    interval
        What is neither clearly below nor clearly above it: the advantage, or the TPR where `fpr` says at which rate.
    fpr
        The false-positive rate of a tail.
    """
    targets, alpha = len(counts.members), 1 - interval.confidence
    name = "advantage" if fpr is None else "TPR"
    fpr = min(max(_fpr(counts), 0.05), 0.95) if fpr is None else 0.0
    advantage = max(interval.estimate, 0.0)
    side = records_to_pass if advantage < threshold else records_to_leak
    if is_near(advantage, threshold):
        return [f"the {name} {advantage:.3f} lies too near the limit {threshold:g} for more records to decide"]
    fpr = min(fpr, 0.98 - advantage) if advantage < 0.93 else 0.01
    needed = side(threshold, targets=targets, alpha=alpha, advantage=advantage, fpr=fpr, power=POWER)
    needed = math.ceil(needed / counts.share)
    needed = max(needed, records + 1)
    enough = "{needed:,} records would be enough for a pass"
    if side is records_to_leak:
        enough = "more records can't lead to a pass; {needed:,} would show a leak"
    reason = f"if the {name} is {advantage:.3f}, {enough.format(needed=needed)} (there are {records:,})"
    return [reason + _or_shadows(targets, records, needed, kind)]


def is_near(advantage: float, threshold: float) -> bool:
    """Whether an advantage lies so near the limit that no number of records that anybody has decides."""
    return math.isclose(advantage, threshold, abs_tol=0.1 * threshold)


def of_parts(judged: Sequence[SliceResult], kind: str, threshold: float) -> list[str]:
    """Why these parts of the records don't pass, each in a line."""
    lines = [_of_part(part, kind, threshold) for part in judged[:NAMED]]
    left = len(judged) - len(lines)
    return [*lines, *([f"{left} other parts of the records do not pass either"] if left else [])]


def _of_part(part: SliceResult, kind: str, threshold: float) -> str:
    name, records = subgroups.label(part), counted(part.records, "record")
    if part.verdict == "leak":
        return f"{name} is above the limit: {part.advantage}"
    targets = len(part.counts.members)
    if part.needed is not None:
        more = f"{part.needed:,} are needed{_or_shadows(targets, part.records, part.needed, kind)}"
        return f"{name} has {records}, too few for any model to pass at {threshold:g}: {more}"
    hint = what_would_decide(part.counts, part.records, kind, threshold, part.advantage)
    return f"{name} reaches {part.advantage}: {'; '.join(hint)}"


def _or_shadows(targets: int, records: int, needed: int, kind: str) -> str:
    """How many shadows make up for records that are not there; each is a target too."""
    if kind != "recipe" or not records:
        return ""
    return f", or {math.ceil(targets * needed / records) - 1} shadows on these records"


def _fpr(counts: Counts) -> float:
    return sum(counts.flagged_nonmembers) / max(sum(counts.nonmembers), 1)
