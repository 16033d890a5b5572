"""How often claims of differential privacy are refuted, where the truth is known: true ones, and broken mechanisms.

Run `python benchmarks/epsilon.py` to print the table of benchmarks/README.md. DP-SGD is trained with Opacus (extra
`dp`), and left out where that is missing.

Every run is a whole audit: coins are drawn, targets and shadows made, and what is guessed is learnt on the shadows.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

import pytest_mia
from pytest_mia import gates
from pytest_mia.attacks import registry
from pytest_mia.attacks.observations import recipe
from pytest_mia.auditing import summary
from pytest_mia.auditing.design import AuditDesign
from pytest_mia.core.settings import Settings
from pytest_mia.data.memberships import draw_coins
from pytest_mia.models.signals import Signals
from pytest_mia.statistics.tradeoff_curves import Gaussian
from pytest_mia.verdicts.audit_result import AuditResult

DELTA = 1e-5
TARGETS, SHADOWS = 4, 4
RECORDS = 500
RUNS = 500
TRAININGS, BROKEN = 200, 50
"""Runs of DP-SGD as it should be, and of DP-SGD with a part left out."""

Mechanism = Callable[[np.random.Generator, np.ndarray], np.ndarray]
"""From memberships (models, records), what the outputs say of each record (models, records)."""


@dataclass(frozen=True)
class Response:
    """Randomised response: a note of who is a member, each entry of which is right with e^eps / (1 + e^eps)."""

    epsilon: float

    def __call__(self, rng: np.random.Generator, members: np.ndarray) -> np.ndarray:
        """The note, with next to no noise that breaks ties."""
        true = rng.random(members.shape) < 1 / (1 + math.exp(-self.epsilon))
        return np.asarray((members == true) + 1e-3 * rng.random(members.shape))


@dataclass(frozen=True)
class Mean:
    """A sum of unit vectors (so a mean, where their number is known) with Gaussian noise, told along each record.

    `outliers` is the norm of one record in ten, where clipping was left out.
    """

    noise: float
    outliers: float = 1.0
    columns: int = 1000

    def __call__(self, rng: np.random.Generator, members: np.ndarray) -> np.ndarray:
        """Inner products of the noisy sum with each record."""
        records = rng.normal(size=(members.shape[1], self.columns))
        records /= np.linalg.norm(records, axis=1, keepdims=True)
        records[::10] *= self.outliers
        told = members @ records + self.noise * rng.normal(size=(len(members), self.columns))
        return told @ records.T


def audit(mechanism: Mechanism, seed: int) -> AuditResult:
    """One audit of a mechanism's outputs, by the attacks that look at one number per record."""
    members = draw_coins(RECORDS, models=TARGETS + SHADOWS, seed=seed)
    told = mechanism(np.random.default_rng([29, seed]), members)
    given = recipe(Signals(confidence=told, tempered=told), members, np.zeros(RECORDS, dtype=int), seed=seed)
    shadow = np.arange(len(members)) >= TARGETS
    given = dataclasses.replace(
        given,
        references=shadow,
        known=given.known & shadow[:, None],
        judged=given.judged & ~shadow[:, None],
        drawn=True,
    )
    audited = AuditDesign("recipe", RECORDS, SHADOWS, len(members))
    chosen = registry.fitting(given.signals, shadows=SHADOWS, names=("loss", "lira_online"))
    return summary.summarise(chosen, given, audited, Settings(seed=seed))


def row(name: str, claimed: float, delta: float, results: Sequence[AuditResult]) -> str:
    """A line of the table: how often a claim is refuted, by (epsilon, delta) alone and by the Gaussian curve."""
    judged = [gates.epsilon(result, claimed, delta=delta) for result in results]
    cells = [name, f"{claimed:g}", f"{delta:g}", f"{len(results)}"]
    cells += [mean_bound(judged), share(judged)]
    if delta:
        curves = [gates.epsilon(result, claimed, delta=delta, mechanism="gaussian") for result in results]
        cells += [mean_bound(curves), share(curves)]
    return f"| {' | '.join(cells + ['-'] * (8 - len(cells)))} |"


def mean_bound(judged: Sequence[AuditResult]) -> str:
    """The mean of what these audits measured."""
    return f"{np.mean([each.judged.low for each in judged if each.judged is not None]):.2f}"


def share(judged: Sequence[AuditResult]) -> str:
    """How many of these are leaks."""
    return f"{np.mean([each.verdict == 'leak' for each in judged]):.3f}"


def mechanisms() -> list[tuple[str, float, float, Mechanism]]:
    """Names, claims and mechanisms."""
    noise = 1 / Gaussian.through(2.0, DELTA).mu
    return [
        ("randomised response", 1.0, 0.0, Response(1.0)),
        ("randomised response of epsilon 1.5", 1.0, 0.0, Response(1.5)),
        ("randomised response, small", 0.1, 0.0, Response(0.1)),
        ("noisy mean", 2.0, DELTA, Mean(noise)),
        ("noisy mean, half of the noise", 2.0, DELTA, Mean(noise / 2)),
        ("noisy mean, a quarter of the noise", 2.0, DELTA, Mean(noise / 4)),
        ("noisy mean, one in ten not clipped from 5 to 1", 2.0, DELTA, Mean(noise, outliers=5.0)),
    ]


@dataclass(frozen=True)
class Private:
    """DP-SGD by Opacus, of which a part can be broken while the claim stays what it was.

    Attributes
    ----------
    noise, clip
        Noise multiplier and clipping norm that are claimed.
    divided
        By how much the noise is too small.
    clipped
        Whether gradients are clipped.
    """

    noise: float = 5.0
    clip: float = 1.0
    divided: float = 1.0
    clipped: bool = True
    steps: int = 40
    rate: float = 0.25
    lr: float = 2.0

    def __call__(self, model: Any, X: Any, y: Any) -> None:
        """Train the model in place."""
        import torch
        from opacus import GradSampleModule
        from opacus.optimizers import DPOptimizer

        X, y = torch.as_tensor(X), torch.as_tensor(y)
        norm = self.clip if self.clipped else 1e3
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wrapped = GradSampleModule(model)
            optimizer = DPOptimizer(
                torch.optim.SGD(model.parameters(), lr=self.lr),
                noise_multiplier=self.noise * self.clip / norm / self.divided,
                max_grad_norm=norm,
                expected_batch_size=int(self.rate * len(y)),
            )
            for _ in range(self.steps):
                drawn = torch.rand(len(y)) < self.rate
                optimizer.zero_grad()
                loss: Any = torch.nn.functional.cross_entropy(wrapped(X[drawn]), y[drawn])
                loss.backward()
                optimizer.step()
            wrapped.remove_hooks()

    @property
    def epsilon(self) -> float:
        """What Opacus' accountant says of the claim."""
        from opacus.accountants import RDPAccountant

        accountant = RDPAccountant()
        accountant.history = [(self.noise, self.rate, self.steps)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(accountant.get_epsilon(DELTA))


def train_and_audit(training: Private, seed: int, *, shadows: int = 3, records: int = 400) -> AuditResult:
    """An audit of a linear classifier of noise with labels at random: it can do nothing but learn by heart."""
    from torch import nn

    rng = np.random.default_rng([31, seed])
    X = rng.normal(size=(records, 400)).astype(np.float32) / 5
    return pytest_mia.audit(
        lambda: nn.Linear(400, 2),
        (X, rng.integers(0, 2, records)),
        training=training,
        shadows=shadows,
        seed=seed,
        coins=True,
        jobs=1,
        attacks=["loss", "lira_online", "rmia_online", "mast"],
    )


TRAININGS_TRIED = (
    ("DP-SGD", Private()),
    ("DP-SGD, noise divided by the batch", Private(divided=50)),
    ("DP-SGD, a quarter of the noise", Private(divided=4)),
    ("DP-SGD, not clipped", Private(clipped=False)),
)


def main() -> None:
    """Print the table."""
    heads = ["mechanism", "claimed epsilon", "delta", "runs"]
    heads += ["mean bound", "refuted", "mean bound, gaussian", "refuted, gaussian"]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name, claimed, delta, mechanism in mechanisms():
        print(row(name, claimed, delta, [audit(mechanism, seed) for seed in range(RUNS)]), flush=True)
    if not find_spec("opacus"):
        return
    for name, training in TRAININGS_TRIED:
        runs = TRAININGS if training == Private() else BROKEN
        results = [train_and_audit(training, seed) for seed in range(runs)]
        print(row(name, training.epsilon, DELTA, results), flush=True)


if __name__ == "__main__":
    main()
