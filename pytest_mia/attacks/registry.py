"""The registry of attacks: one line an attack, in the order in which they run."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_mia.attacks.attack_p_r import AttackP, AttackR
from pytest_mia.attacks.class_centred import Centred
from pytest_mia.attacks.combined import Combined
from pytest_mia.attacks.combined_neighbours import CombinedNeighbours
from pytest_mia.attacks.frequency_ratios import DIGIT_FREQUENCY, LABEL_FREQUENCY
from pytest_mia.attacks.label_noise import Calibrated, LabelNoise
from pytest_mia.attacks.likelihood_ratios import LiraOffline, LiraOnline, NigT
from pytest_mia.attacks.mast_watson import Mast, Watson
from pytest_mia.attacks.min_k import MIN_K, MIN_K_PLUS
from pytest_mia.attacks.per_class import PerClass
from pytest_mia.attacks.probability_ratios import BaseOffline, BaseOnline, RmiaOffline, RmiaOnline
from pytest_mia.attacks.protocol import Attack
from pytest_mia.attacks.quantile_regression import QuantileRegression
from pytest_mia.attacks.shokri import Shokri
from pytest_mia.attacks.shokri_classifiers import SHOKRI_BY
from pytest_mia.attacks.single_columns import SingleColumns
from pytest_mia.attacks.threshold import (
    AUGMENTATION,
    ENTROPY,
    GAP,
    GRADIENT_NORM,
    HOP_SKIP_JUMP,
    LOSS,
    LOSS_AUGMENTED,
    MODIFIED_ENTROPY,
)
from pytest_mia.models.signals import Signals

ATTACKS: tuple[Attack, ...] = (
    GAP,
    LOSS,
    MODIFIED_ENTROPY,
    ENTROPY,
    PerClass("loss_per_class", ("confidence",)),
    PerClass("modified_entropy_per_class", ("modified_entropy",)),
    AttackP(),
    Mast("calibrated_gap", ("correct",)),
    LabelNoise(),
    Calibrated(LabelNoise()),
    AUGMENTATION,
    Calibrated(AUGMENTATION),
    Shokri(),
    # Attacks that use the same moments follow each other, so that few moments are in memory at a time.
    LiraOnline(),
    LiraOffline(),
    Mast(),
    Watson(),
    NigT(),
    RmiaOnline(),
    RmiaOffline(),
    BaseOnline(),
    BaseOffline(),
    AttackR(),
    Centred(LOSS),
    Centred(Mast()),
    Centred(NigT()),
    Centred(RmiaOnline()),
    LiraOnline("lira_online_residual", ("residual",)),
    NigT("nig_t_residual", ("residual",)),
    LOSS_AUGMENTED,
    Mast("mast_augmented", ("augmented_confidence",)),
    LiraOnline("lira_online_augmented", ("augmented_confidence",)),
    NigT("nig_t_augmented", ("augmented_confidence",)),
    MIN_K,
    MIN_K_PLUS,
    Combined(),
)
"""Attacks that run unless others are asked for; where two reach the same advantage, the earlier one is chosen."""

ON_REQUEST: tuple[Attack, ...] = (
    LABEL_FREQUENCY,
    DIGIT_FREQUENCY,
    SingleColumns(),
    *SHOKRI_BY,
    QuantileRegression(),
    CombinedNeighbours(),
    HOP_SKIP_JUMP,
    Calibrated(HOP_SKIP_JUMP),
    GRADIENT_NORM,
    Calibrated(GRADIENT_NORM),
)
"""Attacks that run only where they are asked for by name, since they take long or seldom find more."""

DEFAULT = "default"
"""Stands, among names, for all attacks that run unasked."""


def unknown(names: Sequence[str]) -> list[str]:
    """List the names that no attack has."""
    return [name for name in names if name not in (DEFAULT, *known())]


def known() -> list[str]:
    """List the names of all attacks."""
    return [attack.name for attack in (*ATTACKS, *ON_REQUEST)]


def named(names: Sequence[str]) -> list[Attack]:
    """List the attacks of these names, in the registry's order; `DEFAULT` stands for all that run unasked."""
    unasked = [attack for attack in ATTACKS if DEFAULT in names or attack.name in names]
    return unasked + [attack for attack in ON_REQUEST if attack.name in names]


def reads(names: Sequence[str]) -> set[str]:
    """Collect the `Signals` fields that the attacks of these names use; those that `DEFAULT` stands for don't count."""
    return {field for attack in (*ATTACKS, *ON_REQUEST) if attack.name in names for field in attack.signals}


def read_features(names: Sequence[str]) -> bool:
    """Tell whether any of these attacks uses the records themselves."""
    return any(attack.needs_features for attack in named(names))


def read_opinions(names: Sequence[str]) -> bool:
    """Tell whether any of these attacks uses what members say of each other; see `kernel_support`."""
    return any(attack.needs_opinions for attack in named(names))


def fitting(
    signals: Signals, *, shadows: int, names: Sequence[str] | None = None, features: bool = False
) -> list[Attack]:
    """List the attacks that can be run on these signals with so many shadows, in the registry's order.

    Parameters
    ----------
    signals
        What the models' answers were reduced to.
    shadows
        Shadows per target.
    names
        These, those on request included, and all others where `DEFAULT` is among them; ``None`` for all others.
    features
        Whether the records themselves are there.
    """
    return [
        attack
        for attack in named((DEFAULT,) if names is None else names)
        if shadows >= attack.least_shadows
        and (features or not attack.needs_features)
        and all(getattr(signals, name) is not None for name in attack.signals)
    ]
