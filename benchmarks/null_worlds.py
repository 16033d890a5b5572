"""How often audits err where the truth is known: without any leak, with a known one, and in their negative controls.

Run `python benchmarks/null_worlds.py` to print the tables of benchmarks/README.md; it takes about ten minutes on one
core.

No model is trained: a world makes the answers of all models directly, so its truth is exact. In a null world a model's
answer on a record has nothing to do with that record's membership, and every "leak" is a false one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import sklearn.ensemble  # noqa: F401  (loads the threads that are limited here)

from pytest_mia.attacks.observations import Observations, recipe
from pytest_mia.attacks.registry import ATTACKS, fitting
from pytest_mia.auditing import summary
from pytest_mia.auditing.audit_run import AuditRun
from pytest_mia.auditing.controls import shuffled_memberships
from pytest_mia.auditing.design import AuditDesign
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.seeding import single_threaded
from pytest_mia.core.settings import Settings
from pytest_mia.data.memberships import draw_halves
from pytest_mia.models.answers import Answer, Labels, Logits, Probabilities
from pytest_mia.models.signals import signals_of, stack
from pytest_mia.verdicts.audit_result import AuditResult

EVERY_ATTACK = tuple(attack.name for attack in ATTACKS)
FAST_ATTACKS = tuple(name for name in EVERY_ATTACK if name not in ("shokri", "combined"))
WEIGHED = ("loss", "mast", "rmia_online", "combined")
"""A few attacks beside the combined one, which needs more records than the others."""
FEW = ("gap", "loss", "lira_online", "rmia_online")
CLASSES = 2
GROUP = 4


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def levels(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Logits (records, classes) of records of their own difficulty; 0.7 of them are right."""
    return np.asarray(rng.normal(0, 2, (len(labels), CLASSES)) + 1.5 * (np.arange(CLASSES) == labels[:, None]))


def noisy(rng: np.random.Generator, labels: np.ndarray, members: np.ndarray, leak: float = 0.0) -> np.ndarray:
    """Logits (models, records, classes): a level per record, noise per answer, and `leak` on a member's own class."""
    own = np.arange(CLASSES) == labels[:, None]
    noise = rng.normal(0, 1, (*members.shape, CLASSES))
    return np.asarray(levels(rng, labels) + noise + leak * (members[:, :, None] & own))


def plain(rng: np.random.Generator, labels: np.ndarray, members: np.ndarray) -> list[Answer]:
    """Nothing but levels and noise."""
    return [Logits(logits) for logits in noisy(rng, labels, members)]


def heavy_tails(rng: np.random.Generator, labels: np.ndarray, members: np.ndarray) -> list[Answer]:
    """Noise without a variance, on a scale of each record's own."""
    level, scale = levels(rng, labels), np.exp(rng.normal(0, 1, (len(labels), 1)))
    return [Logits(level + scale * rng.standard_t(2, level.shape)) for _ in members]


def class_shocks(rng: np.random.Generator, labels: np.ndarray, members: np.ndarray) -> list[Answer]:
    """Every model is surer or less sure of whole classes."""
    shocks = rng.normal(0, 2, (len(members), CLASSES, CLASSES))[:, labels]
    return [Logits(logits) for logits in 0.3 * noisy(rng, labels, members) + shocks]


def neighbours(rng: np.random.Generator, labels: np.ndarray, members: np.ndarray) -> list[Answer]:
    """A model knows a record by whether other records were in its training data, never by the record itself."""
    weights = rng.normal(0, 1, (len(labels), len(labels)))
    np.fill_diagonal(weights, 0)
    weights /= np.sqrt((weights**2).sum(axis=1, keepdims=True))
    logits = 0.1 * noisy(rng, labels, members)
    logits[:, np.arange(len(labels)), labels] += (2 * members - 1.0) @ weights.T
    return [Logits(each) for each in logits]


def quarters(rng: np.random.Generator, labels: np.ndarray, members: np.ndarray) -> list[Answer]:
    """Probabilities rounded to quarters."""
    return [Probabilities(np.round(4 * softmax(logits)) / 4) for logits in noisy(rng, labels, members)]


def labels_alone(rng: np.random.Generator, labels: np.ndarray, members: np.ndarray) -> list[Answer]:
    """Guessed labels and nothing else."""
    return [Labels(logits.argmax(axis=1)) for logits in noisy(rng, labels, members)]


def grouped(rng: np.random.Generator, labels: np.ndarray, members: np.ndarray) -> list[Answer]:
    """Groups of four copies, in or out of the training data together and answered alike."""
    logits = noisy(rng, labels, members)[:, ::GROUP]
    return [Logits(np.repeat(each, GROUP, axis=0)) for each in logits]


def luckier_members(rng: np.random.Generator, labels: np.ndarray, members: np.ndarray) -> list[Answer]:
    """Labels alone, right on 0.8 of the members and 0.6 of the others: no attack can have an advantage above 0.2."""
    right = rng.random(members.shape) < np.where(members, 0.8, 0.6)
    return [Labels(np.where(row, labels, 1 - labels)) for row in right]


def leaking(rng: np.random.Generator, labels: np.ndarray, members: np.ndarray) -> list[Answer]:
    """Members' labels get a logit that is 1.5 higher."""
    return [Logits(logits) for logits in noisy(rng, labels, members, leak=1.5)]


World = Callable[[np.random.Generator, np.ndarray, np.ndarray], list[Answer]]
"""Answers of all models from a generator, labels (records,) and memberships (models, records)."""

NULL_WORLDS: tuple[World, ...] = (plain, heavy_tails, class_shocks, neighbours, quarters, labels_alone, grouped)
LEAKS: tuple[World, ...] = (luckier_members, leaking)


class Design(NamedTuple):
    """An audit: how many models, of how many records, by which attacks; in a release the last model is the target."""

    kind: str
    models: int
    records: int = 60
    attacks: tuple[str, ...] = FAST_ATTACKS

    def __str__(self) -> str:
        size = f"{self.models} models" if self.kind == "recipe" else f"{self.models - 1} shadows"
        named = {EVERY_ATTACK: ", with Shokri", WEIGHED: f", combined, {self.records} records"}
        return f"{self.kind}, {size}{named.get(self.attacks, '')}"


DESIGNS = (
    (Design("recipe", 4), 250, NULL_WORLDS),
    (Design("recipe", 8), 100, NULL_WORLDS),
    (Design("recipe", 16), 40, NULL_WORLDS),
    (Design("recipe", 8, attacks=EVERY_ATTACK), 60, (plain,)),
    (Design("recipe", 8, 160, WEIGHED), 60, (plain, heavy_tails, neighbours)),
    (Design("release", 4), 300, NULL_WORLDS),
    (Design("release", 8), 200, NULL_WORLDS),
)
"""Audits, the number of runs of each, and where."""

CONTROLLED = ((Design("recipe", 8, attacks=FEW), 300), (Design("release", 8, attacks=FEW), 300))
"""Audits whose negative controls are looked at, in all worlds, and the number of runs of each."""


def observed(world: World, design: Design, seed: int) -> tuple[Observations, AuditDesign]:
    """New models on new records."""
    labels = np.arange(design.records) // GROUP % CLASSES
    groups = np.arange(design.records) // GROUP if world is grouped else None
    rng = np.random.default_rng([seed, design.models, design.records])
    members = draw_halves(labels, models=design.models, seed=seed, groups=groups)
    signals = stack([signals_of(answer, labels) for answer in world(rng, labels, members)])
    audited = AuditDesign(design.kind, design.records, design.models - 1, design.models)
    if design.kind == "recipe":
        return recipe(signals, members, labels, seed=seed, groups=groups), audited
    is_target = np.arange(design.models) == design.models - 1
    judged = np.repeat(is_target[:, None], design.records, axis=1)
    return Observations(signals, members, labels, ~is_target, ~judged, judged, seed, groups), audited


def audit(world: World, design: Design, seed: int) -> AuditResult:
    """One audit of them."""
    observations, audited = observed(world, design, seed)
    chosen = fitting(observations.signals, shadows=design.models - 1, names=design.attacks)
    return summary.summarise(chosen, observations, audited, Settings(seed=seed))


def audits(world: World, design: Design, runs: int) -> list[AuditResult]:
    """Audits with the seeds from 0 on."""
    with single_threaded():
        return [audit(world, design, seed) for seed in range(runs)]


def leaks(result: AuditResult, truth: float) -> bool:
    """Whether any lower bound that can fail a build is above the truth."""
    return max(result.advantage.low, *(attack.advantage.low for attack in result.attacks)) > truth


def share_of_leaks(results: Sequence[AuditResult], truth: float = 0.0) -> float:
    """How often an audit calls an advantage that isn't there a leak."""
    return float(np.mean([leaks(result, truth) for result in results]))


def share_of_misses(results: Sequence[AuditResult], truth: float = 0.0) -> float:
    """How often the upper bound is below the truth."""
    return float(np.mean([result.advantage.high < truth for result in results]))


def mean_with_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def areas(results: Sequence[AuditResult]) -> Iterator[tuple[str, float, float]]:
    """Mean AUC of each attack with its standard error."""
    for name in sorted(attack.name for attack in results[0].attacks):
        found = [attack.auc for result in results for attack in result.attacks if attack.name == name]
        yield (name, *mean_with_error(found))


def null_row(world: World, design: Design, runs: int) -> str:
    """A line of the table of null worlds."""
    results = audits(world, design, runs)
    advantage, error = mean_with_error([result.advantage.estimate for result in results])
    name, area, area_error = max(areas(results), key=lambda found: abs(found[1] - 0.5) / max(found[2], 1e-9))
    cells = (
        world.__name__.replace("_", " "),
        str(design),
        f"{runs}",
        f"{share_of_leaks(results):.3f}",
        f"{share_of_misses(results):.3f}",
        f"{advantage:+.4f} ± {error:.4f}",
        f"{area:.4f} ± {area_error:.4f} ({name})",
    )
    return f"| {' | '.join(cells)} |"


def leak_row(world: World, design: Design, runs: int) -> str:
    """A line of the table of known leaks; the truth of an attack that is chosen anew each time is its mean."""
    results = audits(world, design, runs)
    mean, error = mean_with_error([result.advantage.estimate for result in results])
    truth = 0.2 if world is luckier_members else mean
    cells = (
        world.__name__.replace("_", " "),
        str(design),
        f"{runs}",
        f"{truth:.3f}",
        f"{mean:.4f} ± {error:.4f}",
        f"{np.mean([result.advantage.low <= truth for result in results]):.3f}",
        f"{1 - share_of_misses(results, truth):.3f}",
    )
    return f"| {' | '.join(cells)} |"


def control_row(world: World, design: Design, runs: int) -> str:
    """A line of the table of negative controls, of which each that fails accuses a sound audit."""
    found = []
    for seed in range(runs):
        observations, audited = observed(world, design, seed)
        run = AuditRun.start(AuditRequest(None, None), Settings(seed=seed, attacks=design.attacks))
        found.append(shuffled_memberships.measure(run, observations, audited))
    failed = np.mean([shuffled_memberships.find_failure(interval) is not None for interval in found])
    advantage, error = mean_with_error([interval.estimate for interval in found])
    cells = world.__name__.replace("_", " "), str(design), f"{runs}", f"{failed:.3f}", f"{advantage:+.4f} ± {error:.4f}"
    return f"| {' | '.join(cells)} |"


def table(heads: Sequence[str], rows: Iterable[str]) -> None:
    """Print a table, row by row as they are found."""
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in rows:
        print(row, flush=True)
    print()


def main() -> None:
    """Print the tables."""
    heads = [
        "world",
        "audit",
        "runs",
        "false leaks",
        "upper bound below 0",
        "mean advantage",
        "mean AUC furthest from 0.5",
    ]
    table(heads, (null_row(world, design, runs) for design, runs, worlds in DESIGNS for world in worlds))
    heads = ["world", "audit", "runs", "truth", "mean advantage", "lower bound holds", "upper bound holds"]
    table(heads, (row for models in (4, 8) for row in known_leaks(models)))
    heads = ["world", "audit", "runs", "failed controls", "mean advantage"]
    worlds = (*NULL_WORLDS, leaking)
    table(heads, (control_row(world, design, runs) for design, runs in CONTROLLED for world in worlds))


def known_leaks(models: int) -> Iterator[str]:
    """Lines of the table of known leaks."""
    yield leak_row(luckier_members, Design("recipe", models, attacks=("gap",)), 1000)
    yield leak_row(leaking, Design("recipe", models), 200)


if __name__ == "__main__":
    main()
