import numpy as np
import pytest
from whole import RECORDS, Tree, X, Y, finish, recipe

from pytest_mia import InvalidAuditError, MIAUsageError, audit_outputs
from pytest_mia.auditing.run import train
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.settings import Settings

rng = np.random.default_rng(1)


def tree():
    return Tree(min_samples_leaf=3)


def test_models_trained_elsewhere_give_the_figures_of_those_trained_here():
    kept = finish(train(AuditRequest(tree, (X, Y)), Settings(shadows=3)))
    answers, members = np.stack([one.model.predict_proba(X) for one in kept]), [one.members for one in kept]
    theirs = audit_outputs(answers, members, Y)
    ours = recipe(tree, attacks=[attack.name for attack in theirs.attacks])
    assert theirs.attacks == ours.attacks
    assert (theirs.advantage, theirs.accuracy, theirs.device) == (ours.advantage, ours.accuracy, "none")
    assert theirs.replay == "pytest_mia.audit_outputs(outputs, members, labels, seed=0)"


def test_memberships_that_give_each_other_away_are_invalid():
    members = np.argsort(rng.random((6, RECORDS)), axis=0) < 3
    with pytest.raises(InvalidAuditError, match="every record is a member of exactly 3 of the 6 models"):
        audit_outputs(rng.random((6, RECORDS, 2)), members, Y).assert_membership_advantage_below(0.9)


def test_answers_that_are_all_alike_are_invalid():
    answers = np.tile(rng.random((RECORDS, 2)), (5, 1, 1))
    with pytest.raises(InvalidAuditError, match="5 models trained on different halves give exactly the same"):
        audit_outputs(answers, rng.random((5, RECORDS)) < 0.5, Y).assert_membership_advantage_below(0.9)


def test_answers_that_ignore_membership_are_no_leak():
    result = audit_outputs(rng.random((5, RECORDS, 2)), rng.random((5, RECORDS)) < 0.5, Y, confidence=0.99)
    assert result.advantage.low < 0
    assert result.advantage.confidence == 0.99


def test_no_claim_of_privacy_is_refuted_without_a_leak():
    lows = []
    for seed in range(10):
        world = np.random.default_rng(seed)
        result = audit_outputs(
            world.random((5, RECORDS, 2)), world.random((5, RECORDS)) < 0.5, Y, attacks=["loss", "mast"]
        )
        lows.append(result.assert_epsilon_below(0.5).judged.low)
    assert sum(low > 0 for low in lows) <= 1


def test_an_unknown_attack():
    with pytest.raises(MIAUsageError, match="unknown attack 'lyra'"):
        audit_outputs(rng.random((5, RECORDS, 2)), rng.random((5, RECORDS)) < 0.5, Y, attacks=["lyra"])


def test_seeds_of_one_split_are_invalid():
    """Their memberships can be read off each other's, which is no leak of the models."""
    rng = np.random.default_rng(0)
    answers, labels = rng.dirichlet([1, 1], (6, 200)), np.arange(200) % 2
    members = np.repeat(rng.random((1, 200)) < 0.5, 6, axis=0)
    result = audit_outputs(answers, members, labels, attacks=["gap", "attack_r"])
    with pytest.raises(InvalidAuditError, match=r"models\s+0\s+and\s+1\s+have\s+the\s+same\s+members"):
        result.assert_membership_advantage_below(0.5)
