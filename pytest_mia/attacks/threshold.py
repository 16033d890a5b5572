"""Attacks on the target alone: one threshold on one signal, no shadows needed to score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Reference, Scored, Scorer


@dataclass(frozen=True)
class Threshold(Scored):
    """Guess "member" where one signal is high."""

    name: str
    signals: tuple[str, ...]
    reference: Reference
    summary: str = "guesses member where the signal is high"
    least_shadows: int = 0
    family: str = "threshold"

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield the signal itself."""
        yield observations.signal(self.signals[0]).__getitem__


GAP = Threshold(
    "gap",
    ("correct",),
    Reference("Yeom et al. 2018", "section 3.2"),
    "guesses member where the answer is right; its advantage is train accuracy less test accuracy",
)
LOSS = Threshold(
    "loss",
    ("confidence",),
    Reference("Yeom et al. 2018", "section 3.3"),
    "guesses member where the loss is low; the log-odds of the true class rank records as the loss does",
)
MODIFIED_ENTROPY = Threshold(
    "modified_entropy",
    ("modified_entropy",),
    Reference("Song and Mittal 2021", "section 4.2.2"),
    "guesses member where the probabilities have a low entropy that is modified by the true label",
)
ENTROPY = Threshold(
    "entropy",
    ("entropy",),
    Reference("Song and Mittal 2021"),
    "guesses member where the probabilities have a low entropy, whatever the label is",
)
LOSS_AUGMENTED = Threshold(
    "loss_augmented",
    ("augmented_confidence",),
    Reference("Yeom et al. 2018", "section 3.3"),
    "guesses member where the log-odds of the true class are high on average over the user's copies of the record",
)
AUGMENTATION = Threshold(
    "augmentation",
    ("augmented_correct",),
    Reference("Choquette-Choo et al. 2021"),
    "guesses member where many of the user's copies of the record get the right label",
)
HOP_SKIP_JUMP = Threshold(
    "hop_skip_jump",
    ("boundary_distance",),
    Reference("Chen et al. 2020"),
    "guesses member where the record lies far from the decision boundary, which is searched by asking for labels",
)
GRADIENT_NORM = Threshold(
    "gradient_norm",
    ("gradient_norm",),
    Reference("Nasr et al. 2019"),
    "guesses member where the gradient of the loss is small",
)
