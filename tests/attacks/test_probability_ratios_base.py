import numpy as np
import pytest
from scipy import special
from worlds import confident, released

from pytest_mia.attacks.evaluation import run_attack, split_targets
from pytest_mia.attacks.probability_ratios import OFFLINE_CONSTANTS, SCALES, BaseOffline, BaseOnline, RmiaOffline
from pytest_mia.models.signals import Signals
from pytest_mia.statistics import auc

SHADOWS = np.array([[0.9, 0.5], [0.7, 0.4], [0.2, 0.6]])
TARGET = np.array([0.8, 0.5])
MEMBERS = np.array([[1, 0], [0, 1], [0, 0]], dtype=bool)


def attacked(members=MEMBERS):
    """Probabilities of the true class at temperature 2, and their squares' odds at temperature 1."""
    log_odds = special.logit(np.vstack([SHADOWS, TARGET]))
    members = np.vstack([members, np.zeros(2, dtype=bool)])
    return released(Signals(confidence=2 * log_odds, tempered=log_odds), members)


def at_one(p):
    return special.expit(2 * special.logit(p))


class TestOnline:
    def test_by_hand(self):
        """The means over all shadows are 0.6 and 0.5, whoever of them was trained on the record."""
        for members in (MEMBERS, ~MEMBERS):
            tempered, plain = (scores[-1] for scores in BaseOnline().scores(attacked(members)))
            assert np.exp(tempered) == pytest.approx([0.8 / 0.6, 1])
            assert np.exp(plain) == pytest.approx(at_one(TARGET) / at_one(SHADOWS).mean(axis=0))

    def test_a_model_is_no_shadow_of_its_own(self):
        tempered, _ = BaseOnline().scores(attacked())
        assert np.exp(tempered[0]) == pytest.approx([0.9 / 0.45, 0.5 / 0.5])


class TestOffline:
    def test_by_hand(self):
        """The means over the shadows that never saw the record are 0.45 and 0.55."""
        found = [scores[-1] for scores in BaseOffline().scores(attacked())]
        assert len(found) == 2 * len(SCALES)
        outside = np.array([(at_one(0.7) + at_one(0.2)) / 2, (at_one(0.5) + at_one(0.6)) / 2])
        for scale, tempered, plain in zip(SCALES, found[:4], found[4:], strict=True):
            assert np.exp(tempered) == pytest.approx(TARGET / np.array([0.45, 0.55]) ** scale)
            assert np.exp(plain) == pytest.approx(at_one(TARGET) / outside**scale)

    def test_in_shadows_have_no_part(self):
        given = attacked()
        changed = Signals(*(None,), *(np.where(given.members, 5.0, given.signals.confidence),) * 2)
        same = Signals(None, given.signals.confidence, given.signals.confidence)
        members = given.members
        for one, other in zip(
            BaseOffline().scores(released(changed, members)), BaseOffline().scores(released(same, members)), strict=True
        ):
            assert (one[-1] == other[-1]).all()

    def test_at_full_scale_it_is_rmia_with_nothing_expected_of_a_member(self):
        base, rmia = list(BaseOffline().scores(attacked())), list(RmiaOffline().scores(attacked()))
        for one, other in zip(base[3::4], rmia[8::9], strict=True):
            assert one == pytest.approx(other)
        assert OFFLINE_CONSTANTS[8] == 1

    def test_the_scale_is_tuned_on_the_shadows(self):
        """Members get p = 0.9 whatever the record: scale 0. Where membership doubles every probability: scale 1."""
        rng = np.random.default_rng(0)
        members, level = rng.random((8, 400)) < 0.5, rng.uniform(0.05, 0.45, 400)
        noise = np.exp(rng.normal(0, 0.05, members.shape))
        chosen = []
        for p in (np.where(members, 0.9, level) * noise, np.where(members, 2 * level, level) * noise):
            given = confident(2 * special.logit(np.clip(p, 0.01, 0.99)), members)
            learned = run_attack(BaseOffline(), given, split_targets(given)).learned
            assert min(each.advantage for each in learned) > 0.9
            chosen.append({SCALES[each.setting % len(SCALES)] for each in learned})
        assert chosen == [{0.0}, {1.0}]


class TestLeaks:
    def areas(self, attack, shift):
        """AUC at each setting, on records whose own levels are far from each other."""
        rng = np.random.default_rng(0)
        members = rng.random((8, 5000)) < 0.5
        given = confident(rng.normal(0, 4, 5000) + shift * members + 0.5 * rng.normal(size=members.shape), members)
        return [
            np.mean([auc(row, mask) for row, mask in zip(scores, members, strict=True)])
            for scores in attack.scores(given)
        ]

    @pytest.mark.parametrize("attack", [BaseOnline(), BaseOffline()])
    def test_none(self, attack):
        assert np.array(self.areas(attack, 0.0)) == pytest.approx(0.5, abs=0.015)

    @pytest.mark.parametrize("attack", [BaseOnline(), BaseOffline()])
    def test_far_below_the_levels_of_the_records(self, attack):
        assert max(self.areas(attack, 3.0)) > 0.9
