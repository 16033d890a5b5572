"""The attacks, one family a file, behind one protocol; this module is their registry."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_mia.attacks.attack_p_r import AttackP, AttackR
from pytest_mia.attacks.base_attack import BaseOffline, BaseOnline
from pytest_mia.attacks.class_centred import Centred
from pytest_mia.attacks.combined import Combined
from pytest_mia.attacks.combined_neighbours import CombinedNeighbours
from pytest_mia.attacks.label_noise import Calibrated, LabelNoise
from pytest_mia.attacks.lira import LiraOffline, LiraOnline
from pytest_mia.attacks.mast_watson import Mast, Watson
from pytest_mia.attacks.min_k import MinK
from pytest_mia.attacks.nig_t import NigT
from pytest_mia.attacks.per_class import PerClass
from pytest_mia.attacks.protocol import Attack
from pytest_mia.attacks.quantile_regression import QuantileRegression
from pytest_mia.attacks.rmia import RmiaOffline, RmiaOnline
from pytest_mia.attacks.shokri import Shokri
from pytest_mia.attacks.shokri_classifiers import SHOKRI_BY
from pytest_mia.attacks.threshold import Threshold
from pytest_mia.models.signals import Signals

_LOSS = Threshold("loss", "confidence")
# Those that read the same moments follow each other, so that few moments are in memory at a time.
_WITH_SHADOWS: tuple[Attack, ...] = (LiraOnline(), LiraOffline(), Mast(), Watson(), NigT(), RmiaOnline(), RmiaOffline())
_AUGMENTATION = Threshold("augmentation", "augmented_correct")
_COPIES = ("augmented_confidence",)
_BOUNDARY = Threshold("hop_skip_jump", "boundary_distance")
_GRADIENT = Threshold("gradient_norm", "gradient_norm")

ATTACKS: tuple[Attack, ...] = (
    Threshold("gap", "correct"),
    _LOSS,
    Threshold("modified_entropy", "modified_entropy"),
    Threshold("entropy", "entropy"),
    PerClass("loss_per_class", "confidence"),
    PerClass("modified_entropy_per_class", "modified_entropy"),
    AttackP(),
    Mast("calibrated_gap", ("correct",)),
    LabelNoise(),
    Calibrated(LabelNoise()),
    _AUGMENTATION,
    Calibrated(_AUGMENTATION),
    Shokri(),
    *_WITH_SHADOWS,
    BaseOnline(),
    BaseOffline(),
    AttackR(),
    *(Centred(attack) for attack in (_LOSS, Mast(), NigT(), RmiaOnline())),
    LiraOnline("lira_online_residual", ("residual",)),
    NigT("nig_t_residual", ("residual",)),
    Threshold("loss_augmented", *_COPIES),
    Mast("mast_augmented", _COPIES),
    LiraOnline("lira_online_augmented", _COPIES),
    NigT("nig_t_augmented", _COPIES),
    MinK("min_k", "lowest"),
    MinK("min_k_plus", "lowest_standardised"),
    Combined(),
)
"""Attacks that are run unless others are asked for; where two learn the same advantage the earlier one is chosen."""

_ON_FEATURES: tuple[Attack, ...] = (QuantileRegression(), CombinedNeighbours())

ON_REQUEST: tuple[Attack, ...] = (
    *SHOKRI_BY,
    *_ON_FEATURES,
    _BOUNDARY,
    Calibrated(_BOUNDARY),
    _GRADIENT,
    Calibrated(_GRADIENT),
)
"""Attacks that are run only where they are asked for by name, since they take long or seldom find more."""


DEFAULT = "default"
"""Stands, among names, for all attacks that run unasked."""


def unknown(names: Sequence[str]) -> list[str]:
    """Names that no attack has."""
    return [name for name in names if name not in (DEFAULT, *known())]


def known() -> list[str]:
    """Names of all attacks."""
    return [attack.name for attack in (*ATTACKS, *ON_REQUEST)]


def reads(names: Sequence[str]) -> set[str]:
    """Fields of `Signals` that the attacks of these names read."""
    return {field for attack in (*ATTACKS, *ON_REQUEST) if attack.name in names for field in attack.signals}


def read_features(names: Sequence[str]) -> bool:
    """Whether any of these attacks looks at the records themselves."""
    return any(attack.name in names for attack in _ON_FEATURES)


def read_opinions(names: Sequence[str]) -> bool:
    """Whether any of these attacks asks what members say of each other; see `neighbours`."""
    return CombinedNeighbours().name in names


def _meant(names: Sequence[str]) -> list[Attack]:
    """The attacks that these names stand for, in the registry's order."""
    unasked = [attack for attack in ATTACKS if DEFAULT in names or attack.name in names]
    return unasked + [attack for attack in ON_REQUEST if attack.name in names]


def fitting(
    signals: Signals, *, shadows: int, names: Sequence[str] | None = None, features: bool = False
) -> list[Attack]:
    """Attacks that can be run on these signals with this many shadows, in the registry's order.

    Parameters
    ----------
    signals
        What the models' answers gave.
    shadows
        Shadows per target.
    names
        These, those on request included, and all others where `DEFAULT` is among them; ``None`` for all others.
    features
        Whether the records themselves can be looked at.
    """
    return [
        attack
        for attack in _meant((DEFAULT,) if names is None else names)
        if shadows >= attack.least_shadows
        and (features or attack not in _ON_FEATURES)
        and all(getattr(signals, name) is not None for name in attack.signals)
    ]
