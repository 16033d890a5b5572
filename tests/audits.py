"""Results of audits with known counts, as the engine would make them."""

from pytest_mia.results.values import Accuracy, AttackResult, Exposure, Seconds, SliceResult
from pytest_mia.statistics import error_budget
from pytest_mia.statistics.counts import Counts, Selected
from pytest_mia.verdicts.audit_result import AuditResult

RATES = ("0.001", "0.01", "0.1")


def counted(tpr, fpr, *, records=1000, targets=4, share=1.0):
    """Guesses that flag exactly these shares of so many members and as many non-members, on every target."""
    all_records = (records,) * targets
    return Counts((round(tpr * records),) * targets, all_records, (round(fpr * records),) * targets, all_records, share)


NONE, LEAK = counted(0.5, 0.5), counted(0.6, 0.4)

PASS, LEAKS, UNDECIDED = 0.3, 0.1, 0.2
"""Limits that the advantage 0.2 of `LEAK` is below, above, and not to be told from."""


def attack(name, counts, levels, tail):
    return AttackResult(
        name,
        error_budget.other_interval(counts, levels),
        0.61,
        dict.fromkeys(RATES, 0.25),
        counts,
        dict.fromkeys(RATES, tail),
    )


def audited(selected=NONE, *others, tail=None, slices=None, looks=1, **changes):
    """A result whose selected attack is "loss", and whose others are "other1", "other2"..."""
    tail = counted(0.0, 0.0) if tail is None else tail
    levels = error_budget.levels(0.95, attacks=1 + len(others), looks=looks)
    parts = {} if slices is None else slices
    given = {
        "kind": "recipe",
        "attack": "loss",
        "advantage": error_budget.selected_interval(selected, levels),
        "selected": selected,
        "tails": dict.fromkeys(RATES, Selected("loss", tail)),
        "attacks": tuple(
            attack(name, counts, levels, tail)
            for name, counts in [("loss", selected), *((f"other{n + 1}", counts) for n, counts in enumerate(others))]
        ),
        "shadows": 3,
        "models": 4,
        "records": 2000,
        "accuracy": Accuracy(0.95, 0.8),
        "slices": tuple(
            SliceResult(by, value, sum(counts.members), counts, error_budget.other_interval(counts, levels))
            for (by, value), counts in parts.items()
        ),
        "most_exposed": tuple(Exposure(record, 0.9) for record in (17, 4, 8, 15)),
        "seed": 0,
        "device": "cpu",
        "seconds": Seconds(12.34, 0.56),
        "looks": looks,
        "detectable": error_budget.detectable(selected, levels),
    }
    return AuditResult(**given | changes)
