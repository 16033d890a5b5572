"""Small worlds to attack, whose truth is known."""

import dataclasses

import numpy as np
from scipy import special

from pytest_mia.attacks.evaluation import run_attack, split_targets
from pytest_mia.attacks.observations import Observations, recipe
from pytest_mia.data.memberships import draw_halves
from pytest_mia.models.answers import Logits, TokenLogProbabilities
from pytest_mia.models.signals import Signals, signals_of, stack

S = np.array([[0, 1, 2], [1, 3, 2], [4, 5, 0], [6, 5, 4]], dtype=float)
M = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=bool)
T = np.array([3.0, 2.0, 1.0])
"""The vectors of the formula sheet: shadows' log-odds and memberships, and the target's log-odds."""

ANSWERS = np.array([[1.0, 0.0, 0.0], [0.8, 0.1, 0.1], [0.5, 0.4, 0.1], [0.4, 0.3, 0.3]])
LIKELIHOOD = np.array([[0.1, 0.2, 0.3, 0.4], [0.5, 0.3, 0.15, 0.05]])
"""How often non-members and members get each of four answers."""


def released(signals, members, labels=None, *, seed=0):
    """The last model is the target, all others are its shadows."""
    members = np.asarray(members, dtype=bool)
    is_target = np.arange(len(members)) == len(members) - 1
    judged = np.repeat(is_target[:, None], members.shape[1], axis=1)
    labels = np.zeros(members.shape[1], dtype=int) if labels is None else np.asarray(labels)
    return Observations(signals, members, labels, ~is_target, ~judged, judged, seed)


def answering(answers, members, labels, *, seed=0):
    """Every model is a target in turn; one checked answer per model."""
    return recipe(stack([signals_of(answer, labels) for answer in answers]), members, labels, seed=seed)


def trained(leak, *, models=8, records=300, classes=3, seed=0):
    """Models whose logits are the record's own level, plus noise, plus `leak` on the true class of their members.

    Signals of other tasks stand for the log-odds of the true class too.
    """
    rng = np.random.default_rng([seed, 1])
    labels = np.arange(records) % classes
    members = draw_halves(labels, models=models, seed=seed)
    own = np.arange(classes) == labels[:, None]
    level = rng.normal(0, 2, (records, classes)) + 2 * own
    noise = rng.normal(0, 1, (models, records, classes))
    logits = level + noise + leak * (members[:, :, None] & own)
    given = answering([Logits(values) for values in logits], members, labels, seed=seed)
    return dataclasses.replace(given, signals=complete(given.signals, logits, labels), features=level)


def advantages(counts):
    """TPR - FPR of each target."""
    return np.divide(counts.flagged_members, counts.members) - np.divide(counts.flagged_nonmembers, counts.nonmembers)


def advantage(given, attack):
    """That of an attack in rotation, mean over the targets."""
    return advantages(run_attack(attack, given, split_targets(given)).counts).mean()


def complete(signals, logits, labels):
    """The same signals with those that regressions, texts and probes have besides."""
    phi = signals.confidence
    several = np.repeat(phi[..., None], 5, axis=-1)
    others = {"residual": phi, "lowest": several, "lowest_standardised": several}
    others |= {"certain": np.zeros_like(phi), "augmented_certain": np.zeros_like(phi)}
    others |= {"answered": np.argmax(logits, axis=-1).astype(float), "digits": np.round(several), "columns": several}
    return probed(dataclasses.replace(signals, **others), logits, labels)


def probed(signals, logits, labels):
    """The same signals with those that probes would find around records of such logits (models, records, classes)."""
    own = np.arange(logits.shape[-1]) == np.asarray(labels)[:, None]
    margin = (logits * own).sum(axis=-1) - np.where(own, -np.inf, logits).max(axis=-1)
    missing = np.linalg.norm(special.softmax(logits, axis=-1) - own, axis=-1)
    return dataclasses.replace(
        signals,
        noise_robustness=np.round(10 * special.ndtr(margin[..., None] / [0.3, 1.0, 3.0, 10.0])) / 10,
        augmented_correct=np.round(4 * special.ndtr(margin)) / 4,
        augmented_confidence=signals.confidence,
        boundary_distance=np.maximum(margin, 0.0),
        gradient_norm=-np.log(np.maximum(missing, 1e-30)),
    )


def confident(phi, members, labels=None):
    """Signals that hold log-odds alone, and the same at temperature 2, of a recipe."""
    phi = np.asarray(phi, dtype=float)
    labels = np.zeros(phi.shape[1], dtype=int) if labels is None else np.asarray(labels)
    return recipe(Signals(confidence=phi, tempered=phi / 2), np.asarray(members, dtype=bool), labels)


def only(attack, observations):
    """Scores of an attack that has no constant to tune."""
    (scores,) = attack.scores(observations)
    return scores


def attacked(shadows=S, members=M, target=T):
    """Observations of a target that was trained on nothing."""
    phi = np.vstack([shadows, target]).astype(float)
    return released(Signals(confidence=phi, correct=phi), np.vstack([members, np.zeros(len(target), dtype=bool)]))


def gaussian_world(shift, *, inside, outside, records=20_000, seed=0, level=50.0):
    """Shadows in fixed numbers on either side of every record; phi = record's level + shift if a member + N(0, 1)."""
    rng = np.random.default_rng(seed)
    members = np.vstack([np.tile(np.arange(inside + outside) < inside, (records, 1)).T, rng.random((1, records)) < 0.5])
    phi = rng.normal(0, level, records) + shift * members + rng.normal(size=members.shape)
    return released(Signals(confidence=phi), members)


def drawn_answers(likelihood=LIKELIHOOD, *, models=5, records=2000, classes=2, seed=0, members=None):
    """Answers drawn by membership alone."""
    rng = np.random.default_rng(seed)
    members = rng.random((models, records)) < 0.5 if members is None else members
    labels = rng.integers(0, classes, records)
    drawn = (rng.random((models, records))[:, :, None] > likelihood.cumsum(axis=-1)[members.astype(int)]).sum(axis=-1)
    drawn = np.minimum(drawn, 3)
    phi = np.log([1e6, 4, 1, 2 / 3])[drawn]
    signals = Signals(correct=(drawn < 3).astype(float), confidence=phi, shown=ANSWERS[drawn].astype(np.float32))
    every = np.ones((models, records), dtype=bool)
    return Observations(signals, members, labels, every[:, 0], every, every, seed), drawn


def few_trees(attack):
    """The same attack, but for a forest that has 15 trees rather than a hundred: what others have in common, it has."""
    if attack.name != "shokri_random_forest":
        return attack
    return dataclasses.replace(attack, make=lambda seed: attack.make(seed).set_params(n_estimators=15))


class Bigrams:
    """Counts of pairs of tokens, with a little of everything added."""

    def __init__(self, vocabulary, added):
        self.counts = np.full((vocabulary, vocabulary), added)

    def learn(self, texts, _labels):
        for text in texts:
            kept = text[text >= 0]
            np.add.at(self.counts, (kept[:-1], kept[1:]), 1.0)

    def tell(self, texts):
        logs = np.log(self.counts / self.counts.sum(axis=1, keepdims=True))
        means = (np.exp(logs) * logs).sum(axis=1)
        deviations = np.sqrt((np.exp(logs) * logs**2).sum(axis=1) - means**2)
        before, after = texts[:, :-1], texts[:, 1:]
        return TokenLogProbabilities(
            np.where(after < 0, np.nan, logs[before, after]), means[before], np.maximum(deviations[before], 0)
        )
