import numpy as np
import pytest
from worlds import released

from pytest_mia.attacks.evaluation import run_attack, split_targets
from pytest_mia.attacks.min_k import MIN_K, MIN_K_PLUS
from pytest_mia.attacks.observations import recipe
from pytest_mia.attacks.threshold import LOSS
from pytest_mia.models.answers import TokenLogProbabilities
from pytest_mia.models.signals import LOWEST_PERCENTS, signals_of, stack
from pytest_mia.statistics import auc

both = pytest.mark.parametrize("attack", [MIN_K, MIN_K_PLUS])


def observed(values, members, means=None, deviations=None, make=recipe):
    """Models (models, records, tokens) on texts."""
    moments = [(None, None)] * len(values) if means is None else list(zip(means, deviations, strict=True))
    none = np.zeros(values.shape[1], dtype=int)
    parts = [signals_of(TokenLogProbabilities(each, *pair), none) for each, pair in zip(values, moments, strict=True)]
    return make(stack(parts), members, none)


def texts(models=5, records=400, tokens=50, seed=0, leak=0.0):
    """Log-probabilities of texts of 20 tokens and more; a surprise in ten is one no more where the text is known."""
    rng = np.random.default_rng(seed)
    members = rng.random((models, records)) < 0.5
    values = -rng.gamma(2, 1, (models, records, tokens))
    surprise = rng.random((models, records, tokens)) < 0.1
    values -= np.where(surprise, 6 - leak * members[:, :, None], 0)
    values[np.broadcast_to(np.arange(tokens) >= rng.integers(20, tokens, records)[:, None], values.shape)] = np.nan
    return values, members


def test_the_mean_of_the_k_percent_least_likely_tokens():
    values = -np.array([[[1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10], [2, 2, 2, 2, 2, 2, 2, 2, 2, 12]]])
    given = observed(values, np.zeros((1, 2), dtype=bool))
    found = [scores[0].tolist() for scores in MIN_K.scores(given)]
    assert found == [[-10, -12], [-10, -12], [-9.5, -7], [-8.5, -4.5], [-5.5, -3]]


def test_at_a_hundred_percent_it_is_the_loss():
    given = observed(*texts())
    *_, whole = MIN_K.scores(given)
    (loss,) = LOSS.scores(given)
    assert (whole == loss).all()


def test_plus_plus_standardises_each_token_over_the_vocabulary():
    values = -np.array([[[1.0, 4.0, 6.0]]])
    means, deviations = -np.array([[[2.0, 2.0, 5.0]]]), np.array([[[1.0, 2.0, 0.5]]])
    given = observed(values, np.zeros((1, 1), dtype=bool), means, deviations)
    assert [scores.item() for scores in MIN_K_PLUS.scores(given)] == pytest.approx([-2, -2, -2, -2, (1 - 1 - 2) / 3])


def test_vocabularies_of_one_scale_everywhere_make_both_attacks_one():
    values, members = texts()
    given = observed(values, members, np.full(values.shape, -1.0), np.full(values.shape, 0.5))
    for plain, standardised in zip(MIN_K.scores(given), MIN_K_PLUS.scores(given), strict=True):
        assert standardised == pytest.approx((plain + 1) / 0.5)


@both
def test_no_leak(attack):
    """AUC 1/2 at every k, over 10 worlds of 5 models."""
    areas = []
    for seed in range(10):
        values, members = texts(seed=seed)
        given = observed(values, members, np.zeros(values.shape), np.ones(values.shape))
        areas.append([[auc(*pair) for pair in zip(scores, members, strict=True)] for scores in attack.scores(given)])
    noise = np.sqrt(401 / (12 * 200 * 200) / 50)
    assert np.mean(areas, axis=(0, 2)) == pytest.approx([0.5] * len(LOWEST_PERCENTS), abs=4 * noise)


def test_known_surprises_betray_a_text_and_k_is_tuned_to_see_them():
    """The whole mean holds the noise of all the tokens that don't matter."""
    values, members = texts(leak=4.0)
    given = observed(values, members)
    areas = [np.mean([auc(*pair) for pair in zip(scores, members, strict=True)]) for scores in MIN_K.scores(given)]
    run = run_attack(MIN_K, given, split_targets(given))
    assert max(areas[1:4]) > 0.9 > areas[-1] > 0.7
    assert all(LOWEST_PERCENTS[learned.setting] in (10, 20) for learned in run.learned)
    advantage = np.divide(run.counts.flagged_members, run.counts.members)
    advantage -= np.divide(run.counts.flagged_nonmembers, run.counts.nonmembers)
    assert advantage.min() > 0.6


def test_it_needs_no_shadows():
    values, members = texts(models=2, leak=4.0)
    given = observed(values, members, make=released)
    assert auc(list(MIN_K.scores(given))[2][1], members[1]) > 0.9
