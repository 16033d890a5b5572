"""Attacks R and P of Ye et al. (2022): where a loss stands among those of other models, or of other records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Reference, Scored, Scorer
from pytest_mia.attacks.shadow_attack import BLOCK
from pytest_mia.core.types import BoolArray, FloatArray
from pytest_mia.statistics import ranks


@dataclass(frozen=True)
class AttackR(Scored):
    """Share of the shadows that never saw the record whose loss is above the target's (Ye et al. 2022, attack R).

    Ties count half, and a record that every shadow had has 1/2. The share is as coarse as shadows are few.
    """

    name: str = "attack_r"
    signals: tuple[str, ...] = ("confidence",)
    least_shadows: int = 1
    family = "attacks R and P"
    summary = "counts the shadows without the record whose loss on it is higher"
    reference = Reference("Ye et al. 2022", "attack R")

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the share; phi falls as the loss rises, and a model isn't counted among its own shadows."""
        outside = ~observations.members & observations.references[:, None]
        yield _shares_below(observations.signal(self.signals[0]), outside).__getitem__


def _shares_below(values: FloatArray, counted: BoolArray) -> FloatArray:
    """Of the other models that count (models, records), the share whose value is below a model's own; 1/2 for none."""
    shares = np.empty(values.shape)
    together = max(1, BLOCK // len(values))
    for first in range(0, values.shape[1], together):
        part = np.s_[:, first : first + together]
        weights = np.ascontiguousarray(counted[part].T, dtype=np.float64)
        below = ranks.weight_below(np.ascontiguousarray(values[part].T), weights) - weights / 2
        others = weights.sum(axis=1, keepdims=True) - weights
        shares[part] = np.divide(below, others, out=np.full_like(below, 0.5), where=others > 0).T
    return shares


@dataclass(frozen=True)
class AttackP(Scored):
    """Percentile of the record's loss among those of a population under the same model (Ye et al. 2022, attack P).

    The paper's population are non-members. Here it is all records of the audit, members too, since an attacker doesn't
    know who of them is one; the order is the same, and so is the advantage of the best threshold.
    """

    name: str = "attack_p"
    signals: tuple[str, ...] = ("confidence",)
    least_shadows: int = 0
    family = "attacks R and P"
    summary = "counts the records whose loss under the same model is higher"
    reference = Reference("Ye et al. 2022", "attack P")

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the share of records with a higher loss, ties counted half."""
        phi = observations.signal(self.signals[0])
        yield lambda models: ranks.rank_within_rows(phi[models])
