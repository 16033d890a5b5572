"""The table of all attacks, made from what they say of themselves, for users who choose among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_mia.attacks import registry
from pytest_mia.attacks.protocol import Attack

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
    "answered": "labels",
    "digits": "scores",
    "columns": "numbers",
    "certain": "scores",
    "augmented_certain": "your copies",
}
"""What a signal is made of, in the words of users who know what their model answers."""

HEADINGS = ("attack", "shadows", "reads", "reference")
DEFAULT, ASKED = "Run wherever they fit what a model answers", "Run only where --mia-attacks names them"
ABOUT = """\
shadows: the fewest that it needs
reads: labels, or the scores behind them (probabilities, logits, losses);
       numbers of a regression, or of several labels; tokens of a text;
       answers to changed copies"""


@dataclass(frozen=True)
class Row:
    """One attack.

    Attributes
    ----------
    name
        As ``--mia-attacks`` takes it.
    shadows
        The fewest shadow models that it needs.
    reads
        What it looks at.
    reference
        Authors and year of the paper.
    asked
        Whether it runs only where the user names it.
    place
        Section, equation or algorithm of the paper; empty for the whole of it.
    family
        What it shares with its variants.
    summary
        What it does, in one line.
    """

    name: str
    shadows: int
    reads: str
    reference: str
    asked: bool
    place: str
    family: str
    summary: str


def rows() -> list[Row]:
    """List all attacks, those that run by default first."""
    return [
        *(_row(attack, asked=False) for attack in registry.ATTACKS),
        *(_row(attack, asked=True) for attack in registry.ON_REQUEST),
    ]


def _row(attack: Attack, *, asked: bool) -> Row:
    reference = attack.reference
    return Row(
        attack.name,
        attack.least_shadows,
        _list_inputs(attack),
        reference.paper,
        asked,
        reference.place,
        attack.family,
        attack.summary,
    )


def text() -> str:
    """Write all attacks in two tables, no wider than 80 columns."""
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


def _list_inputs(attack: Attack) -> str:
    words = list(dict.fromkeys(WORDS[signal] for signal in attack.signals))
    if len(words) > 1:
        # An attacker who sees scores sees the labels too.
        words.remove("labels")
    return ", ".join([*words, *(["records"] if attack.needs_features else [])])
