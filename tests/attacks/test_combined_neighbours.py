"""The combined attack on answers less what other members explain, against worlds whose influence is known."""

import dataclasses

import numpy as np
import pytest
from scipy import stats
from worlds import advantage, confident

from pytest_mia.attacks.combined import Combined
from pytest_mia.attacks.combined_features import evidence
from pytest_mia.attacks.combined_neighbours import CombinedNeighbours, adjusted
from pytest_mia.attacks.kernel_support import opinions, with_opinions
from pytest_mia.data.memberships import draw_halves


def influenced(leak, slope, *, models=6, records=300, seed=0):
    """Log-odds of N(0, 1), higher by `leak` for members, and by `slope` times the others' support for the class."""
    rng = np.random.default_rng([seed, 4])
    labels, features = np.arange(records) % 2, rng.normal(size=(records, 6))
    members = draw_halves(labels, models=models, seed=seed)
    support = opinions(features, labels, members, seed)[..., 0]
    given = confident(slope * support + rng.normal(size=members.shape) + leak * members, members)
    return dataclasses.replace(given, features=features, labels=labels)


def test_what_others_explain_is_taken_off():
    """With true opinions for guesses, what is left is leak x membership + N(0, 1), and is told apart as such."""
    given = with_opinions(influenced(2.0, 10.0, records=1000))
    knowing = dataclasses.replace(given, opinions=np.concatenate([given.opinions, given.opinions], axis=2))
    likelihoods = adjusted(knowing, np.arange(6))[..., -2]
    found = [
        (row[mask] > 0).mean() - (row[~mask] > 0).mean() for row, mask in zip(likelihoods, given.members, strict=True)
    ]
    # Means over two or three shadows, drawn towards the middle that all records share, cost next to nothing.
    assert np.mean(found) == pytest.approx(2 * stats.norm.cdf(1) - 1, abs=0.04)


@pytest.mark.slow
def test_where_others_matter_it_finds_more_than_without_them():
    given = influenced(3.0, 12.0, models=4, records=450)
    noise = np.sqrt(2 * 0.25 / given.members.size)
    assert advantage(given, CombinedNeighbours()) > advantage(given, Combined()) + 2 * noise


@pytest.mark.slow
def test_no_advantage_where_other_members_than_these_have_the_influence():
    """Answers that follow the members of another draw tell nothing of this one: a mean of 0 over 2 worlds.

    The members of their own draw they do tell of: each record moves the answers on those that are like it.
    """
    found = []
    for seed in range(2):
        given = influenced(0.0, 8.0, models=4, records=840, seed=seed)
        members = draw_halves(given.labels, models=4, seed=seed + 100)
        found.append(advantage(dataclasses.replace(given, members=members), CombinedNeighbours()))
    assert np.mean(found) == pytest.approx(0, abs=4 * np.sqrt(2 * 2 * 0.25 / (2 * 4 * 420)))
    assert np.std(found) < 0.1


def test_a_target_s_true_members_are_not_asked():
    """What they say stands among the opinions too, for its part as a shadow: it moves nothing, bit for bit."""
    given = with_opinions(influenced(2.0, 8.0, models=5))
    target = np.array([2])
    learnt = CombinedNeighbours().fit(given.leave_out(target, 100_000))
    said = given.opinions.copy()
    said[2] = np.random.default_rng(0).normal(size=said[2].shape)
    other = dataclasses.replace(given, opinions=said)
    assert (learnt.scores(given, target, 1) == learnt.scores(other, target, 1)).all()


def test_answers_that_are_all_alike_tell_nothing():
    given = influenced(0.0, 0.0)
    same = dataclasses.replace(given.signals, confidence=np.ones(given.members.shape))
    alike = dataclasses.replace(given, signals=same)
    assert (adjusted(alike, np.arange(6)) == evidence(alike, np.arange(6))).all()
