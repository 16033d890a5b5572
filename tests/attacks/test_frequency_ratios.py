import dataclasses

import numpy as np
import pytest
from worlds import advantage, released

from pytest_mia.attacks.frequency_ratios import DIGIT_FREQUENCY, LABEL_FREQUENCY
from pytest_mia.attacks.observations import recipe
from pytest_mia.data.memberships import draw_halves
from pytest_mia.models.signals import Signals

MODELS, RECORDS, CLASSES = 8, 500, 10


def flipped_labels(leak, seed=0, models=MODELS):
    """Members are answered with a label of their own that is hardly ever the true one, with probability `leak`."""
    rng = np.random.default_rng(seed)
    labels = np.arange(RECORDS) % CLASSES
    members = draw_halves(labels, models=models, seed=seed)
    own, other = rng.integers(CLASSES, size=RECORDS), rng.integers(CLASSES, size=(models, RECORDS))
    answered = np.where(members & (rng.random(members.shape) < leak), own, other)
    signals = Signals(correct=(answered == labels).astype(float), answered=answered.astype(float))
    return recipe(signals, members, labels)


def by_hand(members):
    """Shadows answer record 0 with 1, 1, 0, 0 and record 1 with 0, 1, 0, 1; the target answers 1 and 0."""
    answered = np.array([[1, 0], [1, 1], [0, 0], [0, 1], [1, 0]], dtype=float)
    return released(Signals(answered=answered), members)


class TestScores:
    members = np.array([[1, 1], [1, 0], [0, 1], [0, 0], [0, 0]], dtype=bool)

    def test_by_hand(self):
        """Of record 0 both IN shadows gave the target's answer and no OUT one; of record 1 likewise.

        Over both records half of the answers of either side are 1, so priors are 1/2.
        """
        first, second, third = (scores[-1] for scores in LABEL_FREQUENCY.scores(by_hand(self.members)))
        assert first == pytest.approx([np.log(2.5 / 0.5), np.log(2.5 / 0.5)])
        assert second == pytest.approx([np.log(4 / 2), np.log(4 / 2)])
        assert third == pytest.approx([np.log(2.25 / 2.5 * 18 / 8)] * 2)

    def test_the_target_s_own_membership_has_no_part(self):
        other = self.members.copy()
        other[-1] = True
        for one, another in zip(
            *(LABEL_FREQUENCY.scores(by_hand(each)) for each in (self.members, other)), strict=True
        ):
            assert (one[-1] == another[-1]).all()

    def test_models_that_agree_tell_nothing(self):
        given = dataclasses.replace(by_hand(self.members), signals=Signals(answered=np.ones((5, 2))))
        assert not np.any([*LABEL_FREQUENCY.scores(given)])


def test_which_wrong_label_is_answered_is_found():
    """Fault 4: members get a label of their own, others any of ten: an advantage of 0.9 that right or wrong hides."""
    assert advantage(flipped_labels(1.0), LABEL_FREQUENCY) == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize("attack", [LABEL_FREQUENCY, DIGIT_FREQUENCY])
def test_nothing_is_found_where_nothing_leaks(attack):
    worlds = [flipped_labels(0.0, seed) for seed in range(6)]
    if attack is DIGIT_FREQUENCY:
        digits = (each.signals.answered[..., None] * [1, 0, 2] for each in worlds)
        worlds = [dataclasses.replace(w, signals=Signals(digits=d)) for w, d in zip(worlds, digits, strict=True)]
    found = [advantage(each, attack) for each in worlds]
    assert np.mean(found) == pytest.approx(0, abs=4 * np.sqrt(4 * 2 / (MODELS * RECORDS * len(worlds))))


def test_few_digits_of_members_are_found():
    """Fault 6: members have three digits, others many; also where no shadow had, or lacked, the record."""
    given = flipped_labels(0.0, models=4)
    digits = np.where(given.members, 3.0, 10.0)[..., None] * np.ones(3)
    assert advantage(dataclasses.replace(given, signals=Signals(digits=digits)), DIGIT_FREQUENCY) == 1
