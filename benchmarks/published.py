"""Two published experiments on Location-30 that can be run here, with the plugin's own audit of a release.

    python benchmarks/published.py [--data ../shared/data/location30.npz] [--repetitions 4]

Shokri et al. (2017, section VI): a target trained on 1,200 records, non-members apart, shadows on other records.
Song & Mittal (2021, table 2): a target trained on 1,000 records, one shadow model's worth of knowledge; an attack's
accuracy on as many members as non-members is (1 + advantage) / 2. Prints the tables of benchmarks/README.md; takes
about five minutes on two cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

import pytest_mia
from pytest_mia import Target, TorchTraining
from pytest_mia.results.values import AttackResult
from pytest_mia.verdicts.audit_result import AuditResult

TRAINING = TorchTraining(epochs=100, batch_size=100)


def network() -> torch.nn.Module:
    """446-128-30 with tanh."""
    return torch.nn.Sequential(torch.nn.Linear(446, 128), torch.nn.Tanh(), torch.nn.Linear(128, 30))


def regression() -> LogisticRegression:
    """Scikit-learn's defaults."""
    return LogisticRegression(max_iter=2000)


@dataclass(frozen=True)
class Records:
    """Location-30."""

    X: np.ndarray
    y: np.ndarray

    def part(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Some rows."""
        return self.X[rows], self.y[rows]


def released(
    records: Records, make: Callable[[], Any], size: int, *, shadows: int, attacks: tuple[str, ...], seed: int
) -> AuditResult:
    """The audit of one target that was trained on `size` records, by shadows that were trained on others."""
    order = np.random.default_rng(seed).permutation(len(records.y))
    inside, outside, others = (records.part(rows) for rows in np.split(order, [size, 2 * size]))
    torch.manual_seed(seed)
    model, training = make(), TRAINING if make is network else None
    trained = TRAINING(model, *inside) if training else model.fit(*inside)
    return pytest_mia.audit(
        make,
        None,
        target=Target(trained, members=inside, nonmembers=outside),
        shadow_dataset=others,
        training=training,
        shadows=shadows,
        attacks=list(attacks),
        seed=seed,
    )


def figures(attack: AttackResult) -> tuple[float, float, float, float]:
    """Precision, recall, advantage and AUC."""
    right, wrong = sum(attack.counts.flagged_members), sum(attack.counts.flagged_nonmembers)
    recall = right / sum(attack.counts.members)
    return right / max(right + wrong, 1), recall, attack.advantage.estimate, attack.auc


def mean_of(results: list[AuditResult], name: str) -> np.ndarray:
    """Figures of an attack, mean over repetitions."""
    found = [figures(attack) for result in results for attack in result.attacks if attack.name == name]
    return np.asarray(np.mean(found, axis=0))


def shokri(records: Records, repetitions: int) -> None:
    """Print the first table."""
    print("| target | shadows | accuracy, members / others | attack | precision | recall | advantage | AUC |")
    print("|---|---|---|---|---|---|---|---|")
    for make, shadows in ((network, 3), (network, 7), (network, 20), (regression, 7)):
        found = [
            released(records, make, 1200, shadows=shadows, attacks=("gap", "loss", "shokri"), seed=seed)
            for seed in range(repetitions)
        ]
        train, test = (np.mean([getattr(result.accuracy, side) for result in found]) for side in ("train", "test"))
        for name in ("gap", "loss", "shokri"):
            shown = " | ".join(f"{value:.3f}" for value in mean_of(found, name))
            print(f"| {make.__name__} | {shadows} | {train:.3f} / {test:.3f} | {name} | {shown} |", flush=True)


def song(records: Records, repetitions: int) -> None:
    """Print the second table."""
    names = {
        "gap": 0.687,
        "loss_per_class": 0.763,
        "entropy": 0.616,
        "modified_entropy_per_class": 0.781,
    }
    asked, seeds = tuple(names), range(100, 100 + repetitions)
    found = [released(records, network, 1000, shadows=3, attacks=asked, seed=seed) for seed in seeds]
    print("\n| attack | accuracy here | published |\n|---|---|---|")
    for name, published in names.items():
        accuracy = (1 + mean_of(found, name)[2]) / 2
        print(f"| {name} | {accuracy:.3f} | {published} |", flush=True)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).parents[1] / ".." / "shared" / "data" / "location30.npz"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--repetitions", type=int, default=4)
    given = parser.parse_args()
    with np.load(given.data) as file:
        records = Records(file["X"].astype(np.float32), file["y"])
    shokri(records, given.repetitions)
    song(records, given.repetitions)


if __name__ == "__main__":
    main()
