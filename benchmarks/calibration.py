"""How often verdicts are wrong: simulated audits whose true advantage is known, judged at that and at half of it.

    python benchmarks/calibration.py [--runs 1000] [--only WORD]

Prints the table of benchmarks/README.md; a thousand runs of all rows take about an hour and a half on one core. No
model is trained: worlds make the answers of all models, as in null_worlds.py.

A verdict of *leak* is false when the limit is at or above the truth, one of *pass* when it is at or below. The truth
is exact in worlds of labels alone, where members are right more often by 0.2 than others, so that no attack can have a
larger advantage, and `gap` has just that. Where an attack is looked for among many, or answers say more, the truth is
the mean over the runs of what was selected and measured.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field

import null_worlds as worlds
import numpy as np
from null_worlds import Design
from scipy import stats

from pytest_mia.attacks.observations import Observations, recipe
from pytest_mia.attacks.registry import fitting
from pytest_mia.auditing import summary
from pytest_mia.auditing.design import AuditDesign
from pytest_mia.core.seeding import single_threaded
from pytest_mia.core.settings import Settings
from pytest_mia.data.memberships import draw_halves
from pytest_mia.models.answers import Answer, Labels
from pytest_mia.models.signals import signals_of, stack
from pytest_mia.verdicts import early_stop
from pytest_mia.verdicts.audit_result import AuditResult
from pytest_mia.verdicts.gates import MembershipAdvantageBelow

ADVANTAGE = 0.2
FAMILIES = {
    "gap, loss, entropy": ("gap", "loss", "modified_entropy", "entropy"),
    "per class": ("loss_per_class", "modified_entropy_per_class"),
    "Attacks P and R": ("attack_p", "attack_r"),
    "difficulty calibration": ("mast", "watson", "calibrated_gap"),
    "LiRA": ("lira_online", "lira_offline"),
    "RMIA": ("rmia_online", "rmia_offline"),
    "BASE": ("base_online", "base_offline"),
    "NIG-t": ("nig_t",),
    "class-centred": ("mast_centred", "rmia_online_centred", "nig_t_centred"),
    "Shokri": ("shokri",),
    "combined": ("loss", "rmia_online", "combined"),
}
GAP = ("gap",)
SOME = ("gap", "loss", "lira_online", "rmia_online")


def lucky(rng: np.random.Generator, labels: np.ndarray, members: np.ndarray, shared: float = 0.0) -> list[Answer]:
    """Labels alone, right on 0.8 of the members and 0.6 of the others.

    A share of what decides is the record's own difficulty, which all models have in common.
    """
    difficulty = rng.normal(0, 1, len(labels))
    noise = np.sqrt(shared) * difficulty + np.sqrt(1 - shared) * rng.normal(0, 1, members.shape)
    right = noise < stats.norm.ppf(np.where(members, 0.6 + ADVANTAGE, 0.6))
    return [Labels(np.where(row, labels, 1 - labels)) for row in right]


def lucky_models(rng: np.random.Generator, labels: np.ndarray, members: np.ndarray) -> list[Answer]:
    """The same, but models leak from 0.1 to 0.3, each as much as it does."""
    leak = rng.uniform(0.5, 1.5, (len(members), 1)) * ADVANTAGE
    right = rng.random(members.shape) < 0.6 + leak * members
    return [Labels(np.where(row, labels, 1 - labels)) for row in right]


@dataclass(frozen=True)
class Row:
    """A line of the table: a world, an audit of it, and what is particular about it.

    Attributes
    ----------
    name
        What is particular.
    world, design
        The world, and the audit.
    truth
        The true advantage; ``None`` for the mean of what was measured.
    minority
        The share of records in the smaller class.
    members
        The share of the target's members among its records, in a release.
    looks
        Whether the audit may stop early.
    """

    name: str
    world: worlds.World
    design: Design
    truth: float | None = ADVANTAGE
    minority: float = 0.5
    members: float = 0.5
    looks: bool = False
    settings: Settings = field(default_factory=Settings)

    def audits(self, seed: int) -> Iterator[AuditResult]:
        """The audit of a new world, look by look."""
        design = self.design
        labels = (np.arange(design.records) < self.minority * design.records).astype(int)
        rng = np.random.default_rng([seed, design.models, design.records])
        members = draw_halves(labels, models=design.models, seed=seed)
        if self.members != 0.5:
            members[-1] = rng.permutation(design.records) < self.members * design.records
        answers = [signals_of(answer, labels) for answer in self.world(rng, labels, members)]
        stops = early_stop.looks(design.models) if self.looks else (design.models,)
        for models in stops:
            signals = stack(answers[:models])
            if design.kind == "recipe":
                observed = recipe(signals, members[:models], labels, seed=seed)
            else:
                observed = _release(signals, members, labels, seed)
            audited = AuditDesign(design.kind, len(labels), models - 1, models, looks=len(stops))
            chosen = fitting(signals, shadows=models - 1, names=design.attacks)
            yield summary.summarise(chosen, observed, audited, self.settings)


def _release(signals: object, members: np.ndarray, labels: np.ndarray, seed: int) -> Observations:
    is_target = np.arange(len(members)) == len(members) - 1
    judged = np.repeat(is_target[:, None], len(labels), axis=1)
    return Observations(signals, members, labels, ~is_target, ~judged, judged, seed)  # type: ignore[arg-type]


def verdict(results: list[AuditResult], limit: float) -> str:
    """What the audit says: leak at any look, or what the last look says."""
    if limit <= 0:
        return "leak" if any(worlds.leaks(result, 0.0) for result in results) else "other"
    if any(early_stop.leaks(result, limit) for result in results[:-1]):
        return "leak"
    # Of the gate's judgement alone, without the words: those take most of its time.
    return str(MembershipAdvantageBelow(limit).compare(results[-1]).verdict)


def rates(row: Row, runs: int) -> tuple[float, float, dict[str, float]]:
    """The truth, its error, and shares of verdicts.

    Returns
    -------
    float, float, dict
        Truth and standard error; the shares of leaks and passes at the truth, of passes at half of it, and of leaks at
        half of it, for a world with a leak; of leaks at 0, and of passes at 0.05, for one without.
    """
    with single_threaded():
        found = [list(row.audits(seed)) for seed in range(runs)]
    mean, error = worlds.mean_with_error([results[-1].advantage.estimate for results in found])
    truth, error = (mean, error) if row.truth is None else (row.truth, 0.0)

    def shares(limit: float) -> tuple[float, float]:
        verdicts = [verdict(results, limit) for results in found]
        leaks, passes = (float(np.mean([each == wanted for each in verdicts])) for wanted in ("leak", "pass"))
        return leaks, passes

    if truth == 0:
        power = shares(0.05)[1]
        return truth, error, {"leak at": shares(0.0)[0], "pass at": 0.0, "pass below": 0.0, "power": power}
    (leak, passed), (power, below) = shares(truth), shares(truth / 2)
    return truth, error, {"leak at": leak, "pass at": passed, "pass below": below, "power": power}


def rows() -> Iterator[Row]:
    """All of the table."""
    for models, records in ((4, 60), (4, 1000), (8, 60), (8, 500), (16, 200), (64, 60), (4, 5000)):
        yield Row("no leak", worlds.plain, Design("recipe", models, records, SOME), truth=0.0)
        yield Row("leak", lucky, Design("recipe", models, records, GAP))
    for models, records in ((4, 60), (8, 500), (8, 5000)):
        yield Row("no leak", worlds.plain, Design("release", models, records, SOME), truth=0.0)
        yield Row("leak", lucky, Design("release", models, records, GAP))
    shared = functools.partial(lucky, shared=0.7)
    for kind in ("recipe", "release"):
        yield Row("ties", worlds.quarters, Design(kind, 8, 200, SOME), truth=0.0)
        yield Row("imbalance 9 to 1", worlds.plain, Design(kind, 8, 200, SOME), truth=0.0, minority=0.1)
        yield Row("imbalance 9 to 1, leak", lucky, Design(kind, 8, 200, GAP), minority=0.1)
        yield Row("correlated models", worlds.neighbours, Design(kind, 8, 100, SOME), truth=0.0)
        yield Row("correlated models, leak", shared, Design(kind, 8, 200, GAP))
    yield Row("one member to four others", lucky, Design("release", 8, 500, GAP), members=0.2)
    yield Row("models leak 0.1 to 0.3", lucky_models, Design("recipe", 8, 500, GAP))
    yield Row("stops early", worlds.plain, Design("recipe", 16, 100, SOME), truth=0.0, looks=True)
    yield Row("stops early, leak", lucky, Design("recipe", 16, 200, GAP), looks=True)
    for name, attacks in FAMILIES.items():
        records = 160 if name == "combined" else 80
        yield Row(name, worlds.plain, Design("recipe", 8, records, attacks), truth=0.0)
        yield Row(f"{name}, leak", worlds.leaking, Design("recipe", 8, records, attacks), truth=None)


def line(row: Row, runs: int) -> str:
    """A row of the table, by so many runs."""
    truth, error, found = rates(row, runs)
    known = f"{truth:.3f}" if row.truth is not None else f"{truth:.3f} ± {error:.3f}"
    size = f"{row.design.kind}, {row.design.models} models, {row.design.records} records"
    shares = [f"{found[each]:.3f}" if truth or each in ("leak at", "power") else "" for each in found]
    return f"| {row.name} | {size} | {known} | {' | '.join(shares)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--only", default="", help="only rows with this word in their name")
    given = parser.parse_args()
    print("| world | audit | truth | leak at the truth | pass at the truth | pass at half | right verdicts |")
    print("|---|---|---|---|---|---|---|")
    for row in rows():
        if given.only in row.name:
            print(line(row, given.runs), flush=True)


if __name__ == "__main__":
    main()
