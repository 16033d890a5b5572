import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pytest_mia.attacks.evaluation import run_attack, split_targets
from pytest_mia.attacks.mast_watson import Mast
from pytest_mia.attacks.observations import recipe
from pytest_mia.attacks.threshold import GAP, LOSS
from pytest_mia.attacks.thresholds import grid, learn
from pytest_mia.models.signals import Signals
from pytest_mia.statistics import auc
from pytest_mia.statistics.counts import Counts
from pytest_mia.statistics.error_budget import levels, selected_interval
from pytest_mia.statistics.ranks import rank_within_rows
from pytest_mia.strategies import memberships


@st.composite
def worlds(draw):
    """Whole numbers as log-odds, so that ties are common; four to six models, each with both sides."""
    members = draw(memberships())
    values = draw(arrays.arrays(np.float64, members.shape, elements=st.integers(-4, 4).map(float)))
    labels = np.zeros(members.shape[1], dtype=int)
    return recipe(Signals(correct=(values > 0).astype(float), confidence=values), members, labels)


def rates(counts):
    return np.divide(counts.flagged_members, counts.members), np.divide(counts.flagged_nonmembers, counts.nonmembers)


@given(worlds())
def test_strictly_rising_transforms_change_neither_areas_nor_what_is_learnt(world):
    risen = dataclasses.replace(world, signals=Signals(confidence=np.exp(world.signals.confidence) - 7))
    one, other = (run_attack(LOSS, each, split_targets(each)) for each in (world, risen))
    assert (one.auc == other.auc).all()
    for before, after in zip(one.learned, other.learned, strict=True):
        assert (before.advantage, before.tail_rates) == (after.advantage, after.tail_rates)


@given(worlds(), st.sampled_from([0.25, 1.0, 8.0]), st.integers(-9, 9))
def test_another_unit_changes_no_guess(world, unit, zero):
    scaled = dataclasses.replace(world, signals=Signals(confidence=unit * world.signals.confidence + zero))
    one, other = (run_attack(LOSS, each, split_targets(each)) for each in (world, scaled))
    assert one.counts == other.counts
    assert one.tail_counts == other.tail_counts


@given(worlds(), st.randoms())
def test_the_order_of_the_records_changes_nothing(world, random):
    order = np.array(random.sample(range(len(world.labels)), len(world.labels)))
    moved = recipe(Signals(confidence=world.signals.confidence[:, order]), world.members[:, order], world.labels[order])
    one, other = (run_attack(LOSS, each, split_targets(each)) for each in (world, moved))
    assert one.counts == other.counts
    assert (one.auc == other.auc).all()


@given(worlds())
def test_the_gap_is_train_accuracy_minus_test_accuracy_wherever_it_is_used(world):
    run = run_attack(GAP, world, split_targets(world))
    tpr, fpr = rates(run.counts)
    for model, learned in enumerate(run.learned):
        correct, members = world.signals.correct[model], world.members[model]
        gap = correct[members].mean() - correct[~members].mean()
        if 0 < learned.threshold <= 1:
            assert tpr[model] - fpr[model] == pytest.approx(gap)
        else:
            assert tpr[model] == fpr[model]
        assert run.auc[model] == pytest.approx(0.5 + gap / 2)


@given(worlds(), st.integers(0, 3))
def test_swapping_the_sides_of_a_target_negates_what_is_found_on_it(world, target):
    """Nothing was learnt on it, so the same records are flagged."""
    flipped = world.members.copy()
    flipped[target] = ~flipped[target]
    swapped = dataclasses.replace(world, members=flipped)
    one, other = (run_attack(Mast(), each, split_targets(each)) for each in (world, swapped))
    assert one.learned[target] == other.learned[target]
    counts = [
        Counts(*((side[target],) for side in (c.flagged_members, c.members, c.flagged_nonmembers, c.nonmembers)))
        for c in (one.counts, other.counts)
    ]
    mirrored = Counts(counts[1].flagged_nonmembers, counts[1].nonmembers, counts[1].flagged_members, counts[1].members)
    assert counts[0] == mirrored
    plain, turned = (selected_interval(each, levels(0.95, attacks=1)) for each in counts)
    assert (turned.estimate, turned.low, turned.high) == pytest.approx((-plain.estimate, -plain.high, -plain.low))
    assert one.auc[target] == pytest.approx(1 - other.auc[target])


@given(worlds(), st.integers(0, 3), st.data())
def test_what_is_learnt_for_a_target_does_not_depend_on_it(world, target, data):
    members, values = world.members.copy(), world.signals.confidence.copy()
    members[target] = data.draw(arrays.arrays(np.bool_, members.shape[1]))
    members[target, :2] = True, False
    values[target] = data.draw(arrays.arrays(np.float64, values.shape[1], elements=st.floats(-9, 9)))
    changed = dataclasses.replace(world, members=members, signals=Signals(confidence=values))
    one, other = (run_attack(Mast(), each, split_targets(each)) for each in (world, changed))
    assert one.learned[target] == other.learned[target]


@given(worlds())
@settings(max_examples=50)
def test_the_learnt_threshold_is_the_best_of_all(world):
    found = learn([world.signals.confidence], world)
    scores, members = world.signals.confidence.ravel(), world.members.ravel()
    every = [(scores[members] >= cut).mean() - (scores[~members] >= cut).mean() for cut in [*scores, np.inf]]
    assert found.advantage == pytest.approx(max(every))
    reached = (scores[members] >= found.threshold).mean() - (scores[~members] >= found.threshold).mean()
    assert reached == pytest.approx(found.advantage)


@given(arrays.arrays(np.float64, st.integers(1, 30), elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_a_grid_tells_all_scores_apart(scores):
    thresholds = grid(scores)
    assert (np.diff(thresholds) < 0).all()
    flagged = (scores[:, None] >= thresholds).sum(axis=0)
    assert len(set(flagged.tolist())) == len(thresholds) == len(np.unique(scores)) + 1


@given(arrays.arrays(np.float64, st.integers(1, 30), elements=st.integers(-3, 3).map(float)), st.data())
def test_ranks_give_the_area(scores, data):
    """AUC is the mean rank of the members above that of the others, plus a half."""
    members = data.draw(arrays.arrays(np.bool_, len(scores)))
    found = rank_within_rows(scores)
    assert found.mean() == pytest.approx(0.5)
    if members.any() and not members.all():
        assert auc(scores, members) == pytest.approx(0.5 + found[members].mean() - found[~members].mean())
