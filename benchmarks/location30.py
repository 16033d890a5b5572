"""The attacks on Location-30, beside the figures that an independent implementation reached.

    python benchmarks/location30.py [--data ../shared/data/location30.npz] [--keep FOLDER]

Seven kinds of model are trained on random halves of the 5,010 records, and every model is a target in turn, attacked
with the others. Three tables are printed, those of benchmarks/README.md: with as many shadows as the reference and
halves drawn regardless of the classes, as there; with 8 shadows and such halves; and with 8 shadows and halves
stratified by class, as the plugin draws them. Takes ten to twenty minutes on two cores. The combined attack, which
would take far longer, is left out; benchmarks/strength.py has it.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from pytest_mia import TorchTraining
from pytest_mia.attacks import evaluation
from pytest_mia.attacks.likelihood_ratios import LiraOnline
from pytest_mia.attacks.observations import Observations, recipe
from pytest_mia.attacks.probability_ratios import OFFLINE_CONSTANTS, SCALES, BaseOffline, RmiaOffline, RmiaOnline
from pytest_mia.attacks.protocol import Attack, Scorer, needs_fitting
from pytest_mia.attacks.registry import fitting
from pytest_mia.attacks.variant import Variant
from pytest_mia.core.seeding import seed_for
from pytest_mia.data.memberships import draw_halves
from pytest_mia.data.records import Data
from pytest_mia.models.signals import Signals, stack
from pytest_mia.training.backends.loky import Loky
from pytest_mia.training.jobs import Job, Method
from pytest_mia.training.train import train_all

SHADOWS = 8
SEED = 0


def network() -> torch.nn.Module:
    """446-128-30 with tanh."""
    return torch.nn.Sequential(torch.nn.Linear(446, 128), torch.nn.Tanh(), torch.nn.Linear(128, 30))


def in_float32(model: Any, X: np.ndarray) -> np.ndarray:
    """Probabilities of which no more than 1e-7 can be told apart."""
    return np.asarray(model.predict_proba(X), dtype=np.float32)


@dataclass(frozen=True)
class Kind:
    """A kind of model: how one is made and trained, and what the reference says of it.

    `reference` holds the advantage of each attack with so many `shadows`; `predict` is how the model is asked, where
    not as the plugin does by itself.
    """

    name: str
    factory: Callable[[], Any]
    training: Any
    reference: Mapping[str, float]
    shadows: int = 16
    predict: Any = None


@dataclass(frozen=True)
class Fixed(Variant):
    """An attack with its constant left at a published value, the number of a `setting`."""

    setting: int
    constant: str

    @property
    def name(self) -> str:
        """The attack's name and its constant."""
        return f"{self.attack.name}, {self.constant}"

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the scorer at that setting alone."""
        yield next(itertools.islice(self.attack.scorers(observations), self.setting, None))


FIXED = (
    Fixed(LiraOnline(), 0, "shared variances"),
    Fixed(LiraOnline(), 1, "variances per record"),
    Fixed(RmiaOnline(), 0, "temperature 2"),
    Fixed(RmiaOffline(), OFFLINE_CONSTANTS.index(0.3), "a = 0.3, temperature 2"),
    Fixed(BaseOffline(), SCALES.index(0.33), "scale 0.33, temperature 2"),
)
TOLD = ("gap", "loss", "modified_entropy", "watson", "mast", "attack_r", "nig_t", *(fixed.name for fixed in FIXED))


def reference(*advantages: float) -> dict[str, float]:
    """One column of the reference table."""
    return dict(zip(TOLD, advantages, strict=True))


KINDS = (
    Kind(
        "MLP",
        network,
        TorchTraining(epochs=100, batch_size=100),
        reference(0.345, 0.737, 0.736, 0.608, 0.738, 0.582, 0.778, 0.767, 0.661, 0.723, 0.701, 0.744),
        shadows=8,
    ),
    Kind(
        "MLP, weight decay",
        network,
        TorchTraining(epochs=40, batch_size=100, weight_decay=1e-2),
        reference(0.264, 0.328, 0.338, 0.562, 0.621, 0.545, 0.609, 0.612, 0.589, 0.613, 0.345, 0.387),
    ),
    Kind(
        "LogisticRegression(C=0.01)",
        lambda: LogisticRegression(C=0.01, max_iter=1000),
        None,
        reference(0.176, 0.172, 0.174, 0.551, 0.573, 0.528, 0.567, 0.570, 0.548, 0.574, 0.178, 0.229),
    ),
    Kind(
        "BernoulliNB",
        BernoulliNB,
        None,
        reference(0.208, 0.263, 0.263, 0.546, 0.601, 0.554, 0.584, 0.593, 0.576, 0.547, 0.472, 0.498),
    ),
    Kind(
        "BernoulliNB, float32",
        BernoulliNB,
        None,
        reference(0.208, 0.263, 0.263, 0.546, 0.601, 0.554, 0.584, 0.593, 0.576, 0.547, 0.472, 0.498),
        predict=in_float32,
    ),
    Kind(
        "RandomForest",
        RandomForestClassifier,
        None,
        reference(0.483, 0.966, 0.966, 0.984, 0.998, 0.902, 0.998, 0.998, 0.996, 0.998, 0.982, 0.990),
    ),
    Kind(
        "DecisionTree",
        DecisionTreeClassifier,
        None,
        reference(0.749, 0.749, 0.749, 0.747, 0.749, 0.747, 0.749, 0.729, 0.747, 0.749, 0.749, 0.749),
    ),
    Kind("1-NN", lambda: KNeighborsClassifier(1), None, {}),
)


def observed(
    kind: Kind, X: np.ndarray, y: np.ndarray, *, models: int, stratified: bool, keep: Path | None
) -> Observations:
    """Train models of a kind, or take what was kept of them."""
    strata = y if stratified else np.zeros(len(y), dtype=int)
    members = draw_halves(strata, models=models, seed=SEED)
    kept = None if keep is None else keep / f"{kind.name}, {models} {'stratified' if stratified else 'plain'}.npz"
    if kept is not None and kept.is_file():
        with np.load(kept) as archive:
            return recipe(Signals(**archive), members, y, seed=SEED)
    jobs = [Job(k, seed_for(SEED, "model", k), kind.factory, members[k]) for k in range(models)]
    method = Method(kind.training, kind.predict, None, "cpu", 1)
    trained = train_all(jobs, Data(X, y, np.arange(30), y), method, backend=Loky(joblib.cpu_count()))
    signals = stack([one.signals for one in trained])
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        fields = {field.name: getattr(signals, field.name) for field in dataclasses.fields(signals)}
        np.savez(kept, **{name: values for name, values in fields.items() if values is not None})
    return recipe(signals, members, y, seed=SEED)


def first(observations: Observations, models: int) -> Observations:
    """The first models alone; each half depends on its own number only."""
    rows, records = np.arange(models), np.arange(len(observations.labels))
    signals = observations.signals.of(rows, records)
    return recipe(signals, observations.members[:models], observations.labels, seed=SEED)


@dataclass(frozen=True)
class Found:
    """What an attack reached: the advantage of its learnt thresholds and the AUC, means over the targets."""

    advantage: float
    auc: float


def attacked(observations: Observations) -> dict[str, Found]:
    """Every single attack, and what the rotation selects among those of the registry."""
    suited = fitting(observations.signals, shadows=len(observations.members) - 1)
    single = [attack for attack in suited if not needs_fitting(attack)]
    splits = evaluation.split_targets(observations)
    attacks: list[Attack] = [*single, *FIXED]
    runs = [evaluation.run_attack(attack, observations, splits) for attack in attacks]
    found = {run.name: Found(advantage(run.counts), float(run.auc.mean())) for run in runs}
    chosen = evaluation.choose([[each.advantage for each in run.learned] for run in runs[: len(single)]])
    selected = evaluation.pick([run.counts for run in runs], chosen)
    return {**found, "selected": Found(advantage(selected), math.nan)}


def advantage(counts: Any) -> float:
    """TPR - FPR, mean over the targets."""
    tpr = np.divide(counts.flagged_members, counts.members)
    return float(np.mean(tpr - np.divide(counts.flagged_nonmembers, counts.nonmembers)))


def accuracy(observations: Observations) -> tuple[float, float]:
    """Share of right answers on members and on others."""
    correct = observations.signals.correct
    assert correct is not None
    return float(correct[observations.members].mean()), float(correct[~observations.members].mean())


@dataclass(frozen=True)
class Column:
    """What was found of one kind of model in one design: accuracies, and every attack."""

    kind: Kind
    accuracy: tuple[float, float]
    attacks: Mapping[str, Found]

    @classmethod
    def of(cls, kind: Kind, observations: Observations) -> Column:
        """Attack some models."""
        return cls(kind, accuracy(observations), attacked(observations))


def compared(column: Column, name: str) -> str:
    """An advantage, and how far it is from the reference."""
    here = column.attacks[name].advantage
    return f"{here:.3f} ({here - column.kind.reference[name]:+.3f})" if name in column.kind.reference else f"{here:.3f}"


def with_area(column: Column, name: str) -> str:
    """An advantage and an AUC."""
    found = column.attacks[name]
    return f"{found.advantage:.3f}" if math.isnan(found.auc) else f"{found.advantage:.3f} / {found.auc:.3f}"


def table(columns: Sequence[Column], cell: Callable[[Column, str], str]) -> str:
    """Attacks down, kinds of models across, in Markdown."""
    names = list(columns[0].attacks)
    accuracies = ["accuracy", *(f"{column.accuracy[0]:.3f} / {column.accuracy[1]:.3f}" for column in columns)]
    rows = [accuracies, *([name, *(cell(column, name) for column in columns)] for name in names)]
    lines = [["", *(column.kind.name for column in columns)], ["---"] * (len(columns) + 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Train, attack, and print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("../shared/data/location30.npz"))
    parser.add_argument("--keep", type=Path, help="folder that keeps what trained models answered, for the next run")
    given = parser.parse_args()
    with np.load(given.data) as archive:
        X, y = archive["X"].astype(np.float32), archive["y"].astype(int)
    same, fewer, stratified = [], [], []
    for kind in KINDS:
        plain = observed(kind, X, y, models=kind.shadows + 1, stratified=False, keep=given.keep)
        same.append(Column.of(kind, plain))
        fewer.append(Column.of(kind, first(plain, SHADOWS + 1)))
        halves = observed(kind, X, y, models=SHADOWS + 1, stratified=True, keep=given.keep)
        stratified.append(Column.of(kind, halves))
    print(f"As the reference (in brackets: how far from it):\n\n{table(same, compared)}\n")
    print(f"8 shadows, advantage / AUC:\n\n{table(fewer, with_area)}\n")
    print(f"8 shadows, halves stratified by class, advantage / AUC:\n\n{table(stratified, with_area)}")


if __name__ == "__main__":
    main()
