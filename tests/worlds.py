"""Small worlds to attack, whose truth is known."""

import numpy as np

from pytest_mia.answers import Logits
from pytest_mia.memberships import draw_halves
from pytest_mia.observations import Observations, recipe
from pytest_mia.signals import Signals, signals_of, stack


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
    """Models whose logits are the record's own level, plus noise, plus `leak` on the true class of their members."""
    rng = np.random.default_rng([seed, 1])
    labels = np.arange(records) % classes
    members = draw_halves(labels, models=models, seed=seed)
    own = np.arange(classes) == labels[:, None]
    level = rng.normal(0, 2, (records, classes)) + 2 * own
    noise = rng.normal(0, 1, (models, records, classes))
    logits = level + noise + leak * (members[:, :, None] & own)
    return answering([Logits(values) for values in logits], members, labels, seed=seed)


def confident(phi, members, labels=None):
    """Signals that hold log-odds alone, and the same at temperature 2, of a recipe."""
    phi = np.asarray(phi, dtype=float)
    labels = np.zeros(phi.shape[1], dtype=int) if labels is None else np.asarray(labels)
    return recipe(Signals(confidence=phi, tempered=phi / 2), np.asarray(members, dtype=bool), labels)


def only(attack, observations):
    """Scores of an attack that has no constant to tune."""
    (scores,) = attack.scores(observations)
    return scores
