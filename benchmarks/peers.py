"""Beside another tool: ART's shadow attack and this package's, on the same released models, with the same shadows.

    tox -e peers                                                           # installs what it needs, and runs
    python benchmarks/peers.py [--data ../shared/data/location30.npz] [--targets 2] [--case NAME]

ART is the Adversarial Robustness Toolbox. Each target is trained on a random half of the records; both attackers train
7 shadows on random halves of all of them, one after another, and guess about the same members and non-members. Seconds
are processor time, on one thread (OMP_NUM_THREADS=1). Takes about ten minutes on one core. The table is that of
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from art.attacks.inference.membership_inference import MembershipInferenceBlackBox, ShadowModels
from art.estimators.classification.scikitlearn import SklearnClassifier
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve

import pytest_mia

SHADOWS = 7
ATTACK_MODELS = ("nn", "rf")
"""ART's default, a network, and a random forest."""
IMPORTS = {
    "ours": "import pytest_mia.auditing.run",
    "ART": "from art.attacks.inference.membership_inference import ShadowModels",
}


@dataclass(frozen=True)
class Case:
    """Records and a model."""

    name: str
    X: Any
    y: Any
    factory: Callable[[int], Any]


@dataclass(frozen=True)
class Found:
    """What one attacker found of one target, in how many seconds of processor time.

    `advantage` is that of its own guesses, `best` that of the best threshold on its scores, chosen on the judged
    records themselves.
    """

    tool: str
    training: float
    attack: float
    advantage: float
    auc: float
    best: float | None


def theirs(case: Case, target: Any, members: Any, seed: int, kinds: Sequence[str]) -> Iterator[Found]:
    """ART's attack, with each of these attack models on the same shadows."""
    start = time.process_time()
    shadows = ShadowModels(SklearnClassifier(target), num_shadow_models=SHADOWS, random_state=seed)
    one_hot = np.eye(len(np.unique(case.y)))[case.y]
    inside, outside = shadows.generate_shadow_dataset(case.X, one_hot)
    training = time.process_time() - start
    for kind in kinds:
        start = time.process_time()
        np.random.seed(seed)  # noqa: NPY002 - what its attack models draw from
        attack = MembershipInferenceBlackBox(SklearnClassifier(target), attack_model_type=kind)
        attack.fit(inside[0], inside[1], outside[0], outside[1], inside[2], outside[2])
        guessed = np.ravel(attack.infer(case.X, case.y)) > 0.5
        seconds = time.process_time() - start
        scores = np.reshape(attack.infer(case.X, case.y, probabilities=True), (len(case.y), -1))[:, -1]
        fpr, tpr, _ = roc_curve(members, scores)
        advantage = guessed[members].mean() - guessed[~members].mean()
        yield Found(f"ART, {kind}", training, seconds, advantage, roc_auc_score(members, scores), (tpr - fpr).max())


def ours(case: Case, target: Any, members: Any, seed: int) -> Found:
    """The attack that this package selects on the shadows."""
    released = pytest_mia.Target(target, (case.X[members], case.y[members]), (case.X[~members], case.y[~members]))
    marks = [time.process_time()]
    result = pytest_mia.audit(
        lambda: case.factory(0),
        None,
        target=released,
        shadows=SHADOWS,
        seed=seed,
        jobs=1,
        progress=lambda _done, _models, _seconds: marks.append(time.process_time()),
    )
    training, attack = marks[-1] - marks[0], time.process_time() - marks[-1]
    return Found("ours", training, attack, result.advantage.estimate, result.auc, None)


def found(case: Case, targets: int, kinds: Sequence[str]) -> Iterator[Found]:
    """What both find of so many targets."""
    # Copies of a record would stand on both sides.
    _, first = np.unique(np.c_[case.X, case.y], axis=0, return_index=True)
    case = Case(case.name, case.X[np.sort(first)], case.y[np.sort(first)], case.factory)
    for seed in range(targets):
        members = np.random.default_rng(seed).permutation(len(case.y)) < len(case.y) // 2
        target = case.factory(seed).fit(case.X[members], case.y[members])
        yield ours(case, target, members, seed)
        yield from theirs(case, target, members, seed, kinds)


def cases(data: Path) -> Iterator[Case]:
    """All of them; Location-30 only where it is there."""
    digits, tumours = load_digits(), load_breast_cancer()
    X, y = digits.data / 16, digits.target
    yield Case(
        "digits, forest, leaves of 5", X, y, lambda seed: RandomForestClassifier(min_samples_leaf=5, random_state=seed)
    )
    yield Case("digits, LogisticRegression(C=0.05)", X, y, lambda _seed: LogisticRegression(C=0.05))
    yield Case(
        "breast cancer, forest", tumours.data, tumours.target, lambda seed: RandomForestClassifier(random_state=seed)
    )
    if not data.is_file():
        print(f"Location-30 is left out: there is no {data}", file=sys.stderr)
        return
    with np.load(data) as archive:
        X, y = archive["X"].astype(np.float32), archive["y"].astype(int)
    yield Case("Location-30, LogisticRegression(C=0.01)", X, y, lambda _seed: LogisticRegression(C=0.01))


@functools.cache
def import_seconds(code: str) -> float:
    """What an import costs a fresh process, beside what scikit-learn's costs; the median of three."""
    before = "import sklearn.ensemble, sklearn.linear_model, time; start = time.process_time()"
    command = [sys.executable, "-W", "ignore", "-c", f"{before}; {code}; print(time.process_time() - start)"]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(3)]
    return statistics.median(float(run.stdout.split()[-1]) for run in runs)


def row(case: Case, tool: str, results: list[Found]) -> str:
    """Means over the targets."""
    loading = import_seconds(IMPORTS[tool.partition(",")[0]])
    training, attack, advantage, auc = (
        statistics.fmean(getattr(each, name) for each in results) for name in ("training", "attack", "advantage", "auc")
    )
    best = "" if results[0].best is None else f"{statistics.fmean(each.best or 0.0 for each in results):.3f}"
    cells = [f"{seconds:.1f}" for seconds in (loading, training, attack, loading + training + attack)]
    return f"| {case.name} | {tool} | {' | '.join(cells)} | {advantage:.3f} | {auc:.3f} | {best} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("../shared/data/location30.npz"))
    parser.add_argument("--targets", type=int, default=2)
    parser.add_argument("--case", default="", help="those cases alone whose name holds this")
    parser.add_argument("--attack-models", nargs="+", default=ATTACK_MODELS, choices=ATTACK_MODELS)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| case | tool | import, s | training, s | attack, s | all, s | advantage | AUC | best threshold |")
    print("|---|---|---|---|---|---|---|---|---|")
    for case in (each for each in cases(given.data) if given.case in each.name):
        results = list(found(case, given.targets, given.attack_models))
        for tool in dict.fromkeys(each.tool for each in results):
            print(row(case, tool, [each for each in results if each.tool == tool]), flush=True)


if __name__ == "__main__":
    main()
