"""All attacks in a table, for those who choose among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_mia.attacks import registry
from pytest_mia.attacks.attack_p_r import AttackP, AttackR
from pytest_mia.attacks.base_attack import BaseOffline, BaseOnline
from pytest_mia.attacks.class_centred import Centred
from pytest_mia.attacks.combined import Combined
from pytest_mia.attacks.combined_neighbours import CombinedNeighbours
from pytest_mia.attacks.label_noise import Calibrated, LabelNoise
from pytest_mia.attacks.lira import LiraOffline, LiraOnline
from pytest_mia.attacks.mast_watson import Mast, Watson
from pytest_mia.attacks.nig_t import NigT
from pytest_mia.attacks.per_class import PerClass
from pytest_mia.attacks.protocol import Attack
from pytest_mia.attacks.quantile_regression import QuantileRegression
from pytest_mia.attacks.rmia import RmiaOffline, RmiaOnline
from pytest_mia.attacks.shokri import Shokri
from pytest_mia.attacks.shokri_classifiers import ShokriBy

BY_FAMILY: dict[type, str] = {
    AttackP: "Ye et al. 2022",
    AttackR: "Ye et al. 2022",
    BaseOffline: "Lassila et al. 2025",
    BaseOnline: "Lassila et al. 2025",
    Combined: "ours",
    CombinedNeighbours: "ours",
    LabelNoise: "Choquette-Choo et al. 2021",
    LiraOffline: "Carlini et al. 2022",
    LiraOnline: "Carlini et al. 2022",
    Mast: "Sablayrolles et al. 2019",
    NigT: "ours, after LiRA",
    PerClass: "Song and Mittal 2021",
    QuantileRegression: "Bertran et al. 2023",
    RmiaOffline: "Zarifzadeh et al. 2024",
    RmiaOnline: "Zarifzadeh et al. 2024",
    Shokri: "Shokri et al. 2017",
    ShokriBy: "Shokri et al. 2017",
    Watson: "Watson et al. 2022",
}
BY_NAME = {
    "gap": "Yeom et al. 2018",
    "loss": "Yeom et al. 2018",
    "entropy": "Song and Mittal 2021",
    "modified_entropy": "Song and Mittal 2021",
    "loss_augmented": "Yeom et al. 2018",
    "augmentation": "Choquette-Choo et al. 2021",
    "hop_skip_jump": "Chen et al. 2020",
    "gradient_norm": "Nasr et al. 2019",
    "min_k": "Shi et al. 2024",
    "min_k_plus": "Zhang et al. 2025",
}
"""References of attacks whose family has several."""

WORDS = {
    "correct": "labels",
    "confidence": "scores",
    "tempered": "scores",
    "modified_entropy": "scores",
    "shown": "scores",
    "entropy": "scores",
    "residual": "numbers",
    "lowest": "tokens",
    "lowest_standardised": "tokens",
    "noise_robustness": "noisy copies",
    "augmented_correct": "your copies",
    "augmented_confidence": "your copies",
    "boundary_distance": "copies",
    "gradient_norm": "gradients",
}
"""What a signal is made of, for those who know what their model answers."""

HEADINGS = ("attack", "shadows", "reads", "reference")
DEFAULT, ASKED = "Run wherever they fit what a model answers", "Run only where --mia-attacks names them"
ABOUT = """\
shadows: the fewest that it needs
reads: labels, or the scores behind them (probabilities, logits, losses);
       numbers of a regression; tokens of a text; answers to changed copies"""


@dataclass(frozen=True)
class Row:
    """One attack.

    Attributes
    ----------
    name
        As ``--mia-attacks`` takes it.
    shadows
        The fewest that it needs.
    reads
        What it looks at.
    reference
        Where it is from.
    asked
        Whether it runs only where it is named.
    """

    name: str
    shadows: int
    reads: str
    reference: str
    asked: bool


def rows() -> list[Row]:
    """All attacks, those that run by default first."""
    return [
        Row(attack.name, attack.least_shadows, _reads(attack), reference(attack), attack in registry.ON_REQUEST)
        for attack in (*registry.ATTACKS, *registry.ON_REQUEST)
    ]


def reference(attack: Attack) -> str:
    """Where an attack is from; a variant is from where the attack itself is."""
    if isinstance(attack, Centred | Calibrated):
        return reference(attack.attack)
    return BY_NAME.get(attack.name) or BY_FAMILY[type(attack)]


def text() -> str:
    """All attacks in two tables, no wider than 80 columns."""
    tables = {
        title: [row for row in rows() if row.asked == asked] for asked, title in ((False, DEFAULT), (True, ASKED))
    }
    cells = {
        title: [(row.name, str(row.shadows), row.reads, row.reference) for row in found]
        for title, found in tables.items()
    }
    everything = [HEADINGS, *(row for found in cells.values() for row in found)]
    widths = [max(map(len, column)) for column in zip(*everything, strict=True)]
    lines = []
    for title, found in cells.items():
        lines += [title, "", *(_line(row, widths) for row in [HEADINGS, *found]), ""]
    return "\n".join([*lines, ABOUT])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _reads(attack: Attack) -> str:
    words = list(dict.fromkeys(WORDS[signal] for signal in attack.signals))
    if len(words) > 1:
        # Who sees scores sees the labels too.
        words.remove("labels")
    return ", ".join([*words, *(["records"] if registry.read_features([attack.name]) else [])])
