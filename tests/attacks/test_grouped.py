import dataclasses

import numpy as np
import pytest
from worlds import only

from pytest_mia.attacks.combined import Combined
from pytest_mia.attacks.evaluation import run_attack, split_targets
from pytest_mia.attacks.grouped import Grouped, averaged, grouped
from pytest_mia.attacks.mast_watson import Mast
from pytest_mia.attacks.observations import recipe
from pytest_mia.attacks.protocol import needs_fitting
from pytest_mia.attacks.threshold import LOSS
from pytest_mia.auditing.design import AuditDesign
from pytest_mia.auditing.summary import summarise
from pytest_mia.core.settings import Settings
from pytest_mia.data.memberships import draw_halves
from pytest_mia.models.signals import Signals
from pytest_mia.statistics import auc


def people(leak, *, seed=0, models=8, number=100, alike=1.0, most=7):
    """People with 1 to `most` records each, drawn whole; a model errs alike on a person, and on each record anew."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(number), rng.integers(1, most + 1, number))
    records = len(groups)
    none = np.zeros(records, dtype=int)
    members = draw_halves(none, models=models, seed=seed, groups=groups)
    noise = alike * rng.normal(size=(models, number))[:, groups] + rng.normal(size=(models, records))
    phi = rng.normal(0, 2, records) + noise + leak * members
    return recipe(Signals(confidence=phi), members, none, seed=seed, groups=groups)


def found(observations, attack):
    design = AuditDesign("recipe", len(observations.labels), 7, 8)
    return summarise([attack], observations, design, Settings())


def test_the_mean_over_the_records_of_a_person():
    phi = np.array([[1.0, 2.0, 3.0, 6.0], [0.0, 4.0, 0.0, 2.0]])
    groups = np.array([7, 2, 7, 2])
    given = recipe(Signals(confidence=phi), phi > 1, np.zeros(4, dtype=int), groups=groups)
    assert only(Grouped(LOSS), given).tolist() == [[2, 4, 2, 4], [0, 3, 0, 3]]


def test_records_that_stand_for_themselves_keep_their_scores():
    given = dataclasses.replace(people(1.0), groups=None)
    assert (only(Grouped(Mast()), given) == only(Mast(), given)).all()
    by_one = dataclasses.replace(given, groups=np.arange(len(given.labels)))
    assert only(Grouped(Mast()), by_one) == pytest.approx(only(Mast(), given))


def test_it_is_named_as_the_attack_and_needs_what_that_needs():
    assert (Grouped(Mast()).name, Grouped(Mast()).signals, Grouped(Mast()).least_shadows) == (
        Mast().name,
        Mast().signals,
        Mast().least_shadows,
    )


def test_what_is_fitted_is_averaged_too():
    given = people(1.0, models=6)
    attack = grouped(Combined())
    assert needs_fitting(attack)
    fitted, alone = (
        attack.fit(given.leave_out(np.array([0]), 10**6)),
        Combined().fit(given.leave_out(np.array([0]), 10**6)),
    )
    targets = np.array([0])
    expected = averaged(alone.scores(given, targets, 2), given)
    assert fitted.scores(given, targets, 2) == pytest.approx(expected)
    assert fitted.labelled_scores[1] == pytest.approx(averaged(alone.labelled_scores[1], given))
    assert type(grouped(Mast())) is Grouped


def test_people_keep_together_in_what_is_learnt():
    given = people(1.0)
    for _, labelled in split_targets(given):
        assert (labelled.groups == given.groups).all()


def test_a_lesson_of_some_records_holds_whole_people():
    given = people(1.0)
    labelled = given.leave_out(np.array([0]), 7 * 50)
    whole, splits = np.bincount(given.groups), np.bincount(labelled.groups, minlength=100)
    assert len(labelled.groups) == 50
    assert (splits[splits > 0] < whole[splits > 0]).sum() <= 1


def test_a_target_s_scores_do_not_depend_on_its_own_membership():
    given = people(1.0)
    flipped = given.members.copy()
    flipped[3] = ~flipped[3]
    before, after = (only(Grouped(Mast()), dataclasses.replace(given, members=m)) for m in (given.members, flipped))
    assert (before[3] == after[3]).all()


def test_several_records_betray_a_person_more_than_one():
    given = people(1.0, alike=0.0)
    together, alone = (
        np.mean([auc(*pair) for pair in zip(only(attack, given), given.members, strict=True)])
        for attack in (Grouped(Mast()), Mast())
    )
    assert together > alone + 0.1


def test_an_audit_of_people_scores_them_together():
    given = people(1.0)
    result = found(given, Mast())
    run = run_attack(Grouped(Mast()), given, split_targets(given))
    assert result.selected == run.counts
    assert result.advantage.estimate > found(dataclasses.replace(given, groups=None), Mast()).advantage.estimate + 0.04


def test_people_of_one_size_are_counted_as_people():
    """Each holds three records, of which a guess flags all or none."""
    given = people(1.0, number=60, most=1)
    thrice = np.repeat(np.arange(60), 3)
    given = recipe(
        given.signals.of(np.arange(8), thrice), given.members[:, thrice], given.labels[thrice], groups=thrice
    )
    counts = found(given, Mast()).selected
    assert counts.share == pytest.approx(1 / 3)
    assert all(flagged % 3 == 0 for flagged in (*counts.flagged_members, *counts.flagged_nonmembers))


@pytest.mark.slow
@pytest.mark.parametrize("attack", [LOSS, Mast()])
def test_models_without_a_leak_are_accused_no_more_than_stated(attack):
    """5% of 150 worlds are 7.5; above 15 the rate would be higher with a certainty of 99.6%."""
    results = [found(people(0.0, seed=seed), attack) for seed in range(150)]
    assert sum(result.advantage.low > 0 for result in results) <= 15
    estimates = [result.advantage.estimate for result in results]
    assert np.mean(estimates) == pytest.approx(0, abs=4 * np.std(estimates) / np.sqrt(150))
