"""The combined attack, against worlds whose best attack is known."""

import dataclasses

import numpy as np
import pytest
from scipy import special, stats
from worlds import advantage, confident, only, trained

from pytest_mia.attacks.combined import FEWEST_ROWS, SETTINGS, UNDECIDED, Combined, _normal_scale
from pytest_mia.attacks.combined_features import evidence
from pytest_mia.attacks.evaluation import run_attack, split_targets
from pytest_mia.attacks.likelihood_ratios import LiraOnline, NigT
from pytest_mia.attacks.mast_watson import Mast
from pytest_mia.attacks.protocol import needs_fitting
from pytest_mia.data.memberships import draw_halves
from pytest_mia.statistics import auc


def shifted(leak, *, models=8, records=600, spread=0.0, seed=0):
    """Log-odds of N(level, 1), higher by `leak` for members; levels differ between records by `spread`."""
    rng = np.random.default_rng([seed, 3])
    members = draw_halves(np.zeros(records, dtype=int), models=models, seed=seed)
    return confident(spread * rng.normal(size=records) + rng.normal(size=members.shape) + leak * members, members)


def test_it_needs_fitting_and_others_do_not():
    assert needs_fitting(Combined())
    assert not needs_fitting(LiraOnline())


def test_where_the_level_is_known_it_reaches_the_best_advantage_there_is():
    """Two Gaussians apart by d are told apart with an advantage of 2 Phi(d / 2) - 1, and no better."""
    best = 2 * stats.norm.cdf(1.0 / 2) - 1
    noise = np.sqrt(2 * 0.25 / (4 * 600))
    assert advantage(shifted(1.0, models=4, records=1200), Combined()) == pytest.approx(best, abs=3 * noise)


def test_where_records_differ_it_is_no_weaker_than_the_attacks_that_it_combines():
    given = shifted(2.0, spread=3.0, models=4, records=2000)
    noise = np.sqrt(2 * 0.25 / (4 * 1000))
    assert advantage(given, Combined()) > max(advantage(given, attack) for attack in (LiraOnline(), NigT())) - noise


@pytest.mark.slow
def test_no_advantage_without_a_leak():
    """A mean of 0 over 4 worlds in rotation, within what their own spread allows."""
    found = [advantage(trained(0.0, models=4, records=504, classes=2, seed=seed), Combined()) for seed in range(4)]
    assert np.mean(found) == pytest.approx(0, abs=3.5 * np.std(found) / np.sqrt(len(found)))
    assert np.std(found) < 0.1


def test_no_model_of_a_lesson_has_a_part_in_what_scores_it():
    """The memberships of one model turned round: its own scores stay as they were, those of the other parts don't."""
    given = trained(2.0, models=6, records=240)
    turned = given.members.copy()
    turned[1] = ~turned[1]
    plain = Combined().fit(given).labelled_scores
    other = Combined().fit(dataclasses.replace(given, members=turned)).labelled_scores
    assert (plain[:, 1] == other[:, 1]).all()
    assert (plain[:, 0] != other[:, 0]).any()


def test_two_parts_that_leave_each_other_out_share_what_is_learnt(monkeypatch):
    """Of six parts there are fifteen pairs; each of thirty fits needs one of them."""
    learnt = []

    def counted(_read, labelled):
        learnt.append(labelled)
        return UNDECIDED

    monkeypatch.setattr("pytest_mia.attacks.combined.fit_judge", counted)
    run = run_attack(Combined(), given := trained(2.0, records=300), split_targets(given))
    assert len(learnt) == 15
    assert sorted(len(labelled.members) for labelled in learnt) == [4] + [5] * 8 + [6] * 6
    assert len({id(each.fitted) for each in run.learned}) == 6


def test_settings_are_linear_boosted_and_their_sum():
    fitted = Combined().fit(trained(2.0, models=4, records=300))
    linear, boosted, both = fitted.labelled_scores
    assert len(SETTINGS) == 3
    np.testing.assert_allclose(both, linear + boosted)


def test_a_lesson_with_members_alone_teaches_nothing():
    given = trained(2.0, models=4, records=300)
    fitted = Combined().fit(dataclasses.replace(given, members=np.ones_like(given.members)))
    assert not fitted.labelled_scores.any()


def test_few_pairs_teach_nothing():
    fitted = Combined().fit(trained(2.0, models=4, records=FEWEST_ROWS // 4 - 1))
    assert not fitted.labelled_scores.any()
    assert not fitted.scores(trained(2.0, models=5, records=50), np.array([4]), 0).any()


def test_models_that_answer_alike_are_no_evidence():
    given = confident(np.tile(np.arange(40.0), (4, 1)), np.random.default_rng(0).random((4, 40)) < 0.5)
    assert not evidence(given, np.arange(4)).any()


def test_evidence_holds_what_single_attacks_say():
    given = trained(1.0, models=5, records=50)
    columns = evidence(given, np.arange(5)).astype(float)
    nig, shared = (next(attack.scores(given)) for attack in (NigT(), LiraOnline()))
    for scores in (nig, shared, given.signals.confidence, given.signals.entropy):
        assert np.isclose(columns, scores[:, :, None], rtol=1e-4, atol=1e-4).all(axis=(0, 1)).any()


def test_evidence_of_copies_is_set_against_the_shadows_too():
    given = trained(1.0, models=5, records=50)
    copies = trained(1.0, models=5, records=50, seed=1).signals.confidence
    given = dataclasses.replace(given, signals=dataclasses.replace(given.signals, augmented_confidence=copies))
    columns, alone = evidence(given, np.arange(5)).astype(float), confident(copies, given.members)
    for scores in (next(NigT().scores(alone)), only(Mast(), alone)):
        assert np.isclose(columns, scores[:, :, None], rtol=1e-4, atol=1e-4).all(axis=(0, 1)).any()


def test_quantiles_are_made_normal_and_ties_stand_in_their_middle():
    rng = np.random.default_rng(0)
    values, normal = _normal_scale(np.exp(rng.normal(size=100_000)))
    np.testing.assert_allclose(normal, np.log(values), atol=0.05)
    values, normal = _normal_scale(np.repeat([0.0, 1.0], 500))
    assert values.tolist() == [0.0, 1.0]
    half = special.ndtri((np.arange(100) + 0.5) / 100)[50:].mean()
    np.testing.assert_allclose(normal, [-half, half])


def test_in_rotation_members_score_higher():
    given = trained(2.0, models=4, records=375)
    for scores in Combined().scores(given):
        assert np.mean([auc(row, mask) for row, mask in zip(scores, given.members, strict=True)]) > 0.75
