"""What each attack finds with seven shadows, on many kinds of model: the table of benchmarks/README.md.

    python benchmarks/strength.py [--data ../shared/data/location30.npz] [--keep FOLDER] [--only NAME ...]

Eight models of every case are trained on random halves stratified by class, and every one is a target in turn. All
figures are means over the targets, at thresholds learnt on the other models; nothing is chosen on the model that it is
judged on but the column "best in hindsight". The last table sets seven shadows against sixty-three. Takes about half an
hour on two cores, most of it for the sixty-four networks of the last table (left out without --many).
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from pytest_mia import TorchTraining
from pytest_mia.attacks import evaluation, registry
from pytest_mia.attacks.likelihood_ratios import LiraOnline
from pytest_mia.attacks.observations import Observations, recipe
from pytest_mia.core.seeding import generator_for, seed_for, single_threaded
from pytest_mia.data import numeric
from pytest_mia.data.memberships import draw_halves, strata_of
from pytest_mia.data.records import Data
from pytest_mia.models.signals import Signals, stack
from pytest_mia.statistics import auc
from pytest_mia.training.backends.loky import Loky
from pytest_mia.training.jobs import Job, Method
from pytest_mia.training.train import train_all

MODELS = 8
MANY = 64
SEED = 0
LARGE = 1500
OURS = {"combined", "nig_t", "calibrated_gap", "selected"}
"""Attacks of our own, besides the class-centred variants of others; the rest is published."""


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Scikit-learn's digits, scaled."""
    X, y = load_digits(return_X_y=True)
    return X / 16, y


def location(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Location-30."""
    with np.load(path) as archive:
        return archive["X"].astype(np.float32), archive["y"].astype(int)


def texts() -> tuple[list[str], np.ndarray]:
    """Two thousand texts of forty words, half of them typical of one of ten topics."""
    rng = generator_for(SEED, "texts")
    topics, y = rng.dirichlet(np.full(3000, 0.05), size=10), rng.integers(10, size=2000)
    mixed = 0.5 * topics[y] + 0.5 * topics.mean(axis=0)
    return [" ".join(f"w{word}" for word in rng.choice(3000, size=40, p=each / each.sum())) for each in mixed], y


def network(activation: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """446-128-30."""
    return torch.nn.Sequential(torch.nn.Linear(446, 128), activation(), torch.nn.Linear(128, 30))


def squared_error(model: Any, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What a regression is audited by."""
    return np.asarray((y - model.predict(X)) ** 2)


@dataclass(frozen=True)
class Case:
    """A kind of model on some records."""

    name: str
    records: Callable[[], tuple[Any, np.ndarray]]
    factory: Callable[[], Any]
    training: Any = None
    loss: Any = None


def cases(data: Path) -> list[Case]:
    """All cases; those on Location-30 only where it is there."""
    found = [
        Case("digits, forest", digits, RandomForestClassifier),
        Case("digits, forest, leaves of 5", digits, partial(RandomForestClassifier, min_samples_leaf=5)),
        Case("digits, tree", digits, DecisionTreeClassifier),
        Case("digits, 1-NN", digits, partial(KNeighborsClassifier, 1)),
        Case("digits, logistic regression C=0.05", digits, partial(LogisticRegression, C=0.05)),
        Case("digits, naive Bayes", digits, partial(BernoulliNB, binarize=0.5)),
        Case("digits, boosting", digits, partial(HistGradientBoostingClassifier, max_iter=30, max_leaf_nodes=8)),
        Case("texts, logistic regression", texts, lambda: make_pipeline(TfidfVectorizer(), LogisticRegression())),
        Case("breast cancer, forest", partial(load_breast_cancer, return_X_y=True), RandomForestClassifier),
        Case(
            "diabetes, forest, leaves of 5",
            partial(load_diabetes, return_X_y=True),
            partial(RandomForestRegressor, min_samples_leaf=5),
            loss=squared_error,
        ),
    ]
    if not data.is_file():
        return found
    where = partial(location, data)
    return [
        *found,
        Case("Location-30, network", where, partial(network, torch.nn.ReLU), TorchTraining(epochs=50)),
        Case(
            "Location-30, network, weight decay",
            where,
            partial(network, torch.nn.Tanh),
            TorchTraining(epochs=40, batch_size=100, weight_decay=1e-2),
        ),
        Case("Location-30, logistic regression C=0.01", where, partial(LogisticRegression, C=0.01, max_iter=1000)),
        Case("Location-30, naive Bayes", where, BernoulliNB),
        Case("Location-30, forest", where, RandomForestClassifier),
    ]


def observed(case: Case, keep: Path | None, models: int = MODELS) -> Observations:
    """Train models of a case, or take what was kept of them."""
    X, y = case.records()
    labels = y if case.loss is None else strata_of(y, len(y))
    members = draw_halves(labels, models=models, seed=SEED)
    kept = None if keep is None else keep / f"{case.name}, {models}.npz"
    if kept is not None and kept.is_file():
        with np.load(kept) as archive:
            return recipe(Signals(**archive), members, labels, seed=SEED)
    jobs = [Job(k, seed_for(SEED, "model", k), case.factory, members[k]) for k in range(models)]
    classes = np.unique(y) if case.loss is None else np.array([])
    method = Method(case.training, None, case.loss, "cpu", 1, probes=None, seed=SEED)
    trained = train_all(jobs, Data(X, y, classes, labels), method, backend=Loky(joblib.cpu_count()))
    signals = stack([one.signals for one in trained], losses=case.loss is not None)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        arrays = {field.name: getattr(signals, field.name) for field in dataclasses.fields(signals)}
        np.savez(kept, **{name: array for name, array in arrays.items() if array is not None})
    return recipe(signals, members, labels, seed=SEED)


@dataclass(frozen=True)
class Found:
    """What an attack reached on each target: advantage at the learnt threshold, TPR at 1% FPR, AUC."""

    advantage: np.ndarray
    tpr: np.ndarray
    auc: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, members: np.ndarray, thresholds: Sequence[float]) -> Found:
        """Judge scores (targets, records)."""
        rows = list(zip(scores, members, thresholds, strict=True))
        return cls(
            np.array([(row[mask] >= cut).mean() - (row[~mask] >= cut).mean() for row, mask, cut in rows]),
            np.array([(row[mask] > np.quantile(row[~mask], 0.99, method="higher")).mean() for row, mask, _ in rows]),
            np.array([auc(row, mask) for row, mask, _ in rows]),
        )


def attacked(observations: Observations, names: Sequence[str] | None = None) -> dict[str, Found]:
    """Every attack that fits, or those named, and what the rotation selects among them."""
    features, shadows = observations.features is not None, len(observations.members) - 1
    fitting = registry.fitting(observations.signals, shadows=shadows, names=names, features=features)
    splits, found, learned = evaluation.split_targets(observations), {}, []
    everything = np.arange(len(observations.members))
    with single_threaded():
        for attack in fitting:
            run = evaluation.run_attack(attack, observations, splits)
            scores = evaluation.target_scores(attack, observations, run.learned, everything)
            thresholds = [each.threshold for each in run.learned]
            found[attack.name] = Found.of(scores, observations.members, thresholds)
            learned.append([each.advantage for each in run.learned])
    chosen = [list(found.values())[place] for place in evaluation.choose(learned)]
    parts = {
        field.name: np.array([getattr(each, field.name)[target] for target, each in enumerate(chosen)])
        for field in dataclasses.fields(Found)
    }
    return {**found, "selected": Found(**parts)}


def published(found: Mapping[str, Found]) -> dict[str, Found]:
    """The attacks that others published."""
    return {name: each for name, each in found.items() if name not in OURS and not name.endswith("_centred")}


def best(found: Mapping[str, Found], figure: str) -> str:
    """The published attack that is best in hindsight."""
    return max(published(found), key=lambda name: float(getattr(found[name], figure).mean()))


def summary(rows: Mapping[str, tuple[int, Mapping[str, Found]]]) -> str:
    """A row per case: the best published attack in hindsight, and what is selected without hindsight."""
    lines = [
        ["case", "best published", "its advantage", "selected", "difference", "best TPR at 1% FPR", "selected"],
        ["---"] * 7,
    ]
    gains = []
    for name, (records, found) in rows.items():
        by_advantage, by_tail = best(found, "advantage"), best(found, "tpr")
        top, chosen = float(found[by_advantage].advantage.mean()), float(found["selected"].advantage.mean())
        tails = float(found[by_tail].tpr.mean()), float(found["selected"].tpr.mean())
        gains += [(chosen - top, tails[1] - tails[0])] if records >= LARGE else []
        figures = [f"{top:.3f}", f"{chosen:.3f}", f"{chosen - top:+.3f}", *(f"{tail:.3f}" for tail in tails)]
        lines.append([name, by_advantage, *figures])
    lines.append(
        [f"mean gain, {LARGE:,} records or more", *[""] * 3, *(f"{gain:+.3f}" for gain in np.mean(gains, 0)), ""]
    )
    return as_table(lines)


def whole(rows: Mapping[str, tuple[int, Mapping[str, Found]]]) -> str:
    """An attack a row, a case a column: advantage / AUC; the best published one in hindsight is marked by a star."""
    names = list(dict.fromkeys(name for _, found in rows.values() for name in found))
    cells = [[name, *(cell(found, name) for _, found in rows.values())] for name in names]
    return as_table([["", *rows], ["---"] * (len(rows) + 1), *cells])


def cell(found: Mapping[str, Found], name: str) -> str:
    """Advantage / AUC of an attack in a case."""
    if name not in found:
        return ""
    mark = "*" if name == best(found, "advantage") else ""
    return f"{found[name].advantage.mean():.3f}{mark} / {found[name].auc.mean():.3f}"


def as_table(lines: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def few_against_many(case: Case, keep: Path | None) -> str:
    """The first eight models as targets: by seven shadows, and by sixty-three."""
    many = observed(case, keep, MANY)
    rows = np.arange(MODELS)
    few = recipe(many.signals.of(rows, np.arange(len(many.labels))), many.members[:MODELS], many.labels, seed=SEED)
    few = dataclasses.replace(few, features=numeric.to_matrix(*case.records()))
    with single_threaded():
        # The scores of the attack as published: shared variances at few shadows, each record's own at many.
        shared, own = LiraOnline().scores(many)
        wide = {"LiRA, 63 shadows, shared variances": shared, "LiRA, 63 shadows, each record's own": own}
    found = {name: Found.of(scores[:MODELS], few.members, [0.0] * MODELS) for name, scores in wide.items()}
    names = ("lira_online", "combined", "combined_neighbours")
    found |= {f"{name}, 7 shadows": each for name, each in attacked(few, names).items() if name in names}
    lines = [["", "AUC", "TPR at 1% FPR"], ["---"] * 3]
    lines += [[name, f"{each.auc.mean():.4f}", f"{each.tpr.mean():.3f}"] for name, each in found.items()]
    return as_table(lines)


def main() -> None:
    """Train, attack, and print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("../shared/data/location30.npz"))
    parser.add_argument("--keep", type=Path, help="folder that keeps what trained models answered, for the next run")
    parser.add_argument("--only", nargs="*", help="names of the cases to run")
    parser.add_argument("--many", action="store_true", help="train sixty-four networks too")
    given = parser.parse_args()
    rows = {}
    for case in cases(given.data):
        if given.only is None or case.name in given.only:
            observations = observed(case, given.keep)
            rows[case.name] = len(observations.labels), attacked(observations)
            found = rows[case.name][1]["selected"]
            print(f"{case.name}: selected {found.advantage.mean():.3f}, AUC {found.auc.mean():.3f}", flush=True)
    print(f"\n{summary(rows)}\n\nAdvantage / AUC:\n\n{whole(rows)}\n")
    if given.many:
        networks = [case for case in cases(given.data) if case.name == "Location-30, network"]
        print("\n".join(few_against_many(case, given.keep) for case in networks))


if __name__ == "__main__":
    main()
