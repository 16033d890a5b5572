import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from worlds import advantages, confident, only, released, trained

from pytest_mia.attacks.evaluation import (
    MANY,
    MOST_SPLITS,
    SPLITS_OF_MANY,
    choose,
    pick,
    run_all,
    run_attack,
    split_targets,
    target_scores,
)
from pytest_mia.attacks.mast_watson import Mast
from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.probability_ratios import OFFLINE_CONSTANTS, RmiaOffline
from pytest_mia.attacks.protocol import OURS, Scored, Scorer
from pytest_mia.attacks.registry import ATTACKS
from pytest_mia.attacks.threshold import LOSS
from pytest_mia.attacks.thresholds import FALSE_POSITIVE_RATES
from pytest_mia.models.signals import Signals
from pytest_mia.statistics import auc
from pytest_mia.statistics.counts import Counts


class Toy(Scored):
    """What attacks say of themselves, which means nothing here."""

    family = "toy"
    summary = "is a toy"
    reference = OURS


@dataclass(frozen=True)
class Chance(Toy):
    """Knows nothing, but has many constants to tune: random signs per record, times the shadows' memberships.

    Each two models that are shadows of each other agree by chance to the same extent, so a constant that was tuned on
    models which the target is a shadow of suits the target too.
    """

    settings: int = 40
    name: str = "chance"
    signals: tuple[str, ...] = ()
    least_shadows: int = 1

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield one scorer per setting."""
        signs = 2.0 * observations.members - 1
        shadows = np.where(observations.references[:, None], signs, 0)
        rng = np.random.default_rng(0)
        for _ in range(self.settings):
            yield (rng.choice([-1.0, 1.0], signs.shape[1]) * (shadows.sum(axis=0) - shadows)).__getitem__


@dataclass(frozen=True)
class Doubled(Toy):
    """Guesses as the loss does, with other scores."""

    name: str = "doubled"
    signals: tuple[str, ...] = ("confidence",)
    least_shadows: int = 0

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield one scorer."""
        yield (2 * observations.signals.confidence).__getitem__


class Remembered:
    """Scores of two settings, of which the second tells; all shifted by how many models were learnt from."""

    def __init__(self, labelled: Observations) -> None:
        self.models = len(labelled.members)
        self.labelled_scores = self.both(labelled.signals.confidence)

    def both(self, confidence: np.ndarray) -> np.ndarray:
        return np.stack([0 * confidence, confidence + 100 * self.models])

    def scores(self, observations: Observations, models: np.ndarray, setting: int) -> np.ndarray:
        return self.both(observations.signals.confidence[models])[setting]


@dataclass(frozen=True)
class Remembering(Doubled):
    """Learns which labelled it had."""

    name: str = "remembering"
    most_splits: int = 2

    def fit(self, labelled: Observations) -> Remembered:
        """Learn from labelled models."""
        return Remembered(labelled)


class TestFittedAttacks:
    def test_targets_are_scored_by_what_was_learnt_in_the_attack_s_own_number_of_lessons(self):
        given = trained(1.0, models=5, records=60)
        run = run_attack(Remembering(), given, split_targets(given))
        assert [each.fitted.models for each in run.learned] == [2, 2, 2, 3, 3]
        assert len({id(each.fitted) for each in run.learned}) == 2
        assert [each.setting for each in run.learned] == [1] * 5
        assert run.name == "remembering"
        found = target_scores(Remembering(), given, run.learned, np.array([4, 0, 1]))
        expected = given.signals.confidence[[4, 0, 1]] + 100 * np.array([[3], [2], [2]])
        assert (found == expected).all()
        for target, learned in enumerate(run.learned):
            flagged = given.signals.confidence[target] + 100 * learned.fitted.models >= learned.threshold
            assert run.counts.flagged_members[target] == (flagged & given.members[target]).sum()


class TestLessons:
    @pytest.mark.parametrize(
        ("models", "number"), [(4, 4), (MOST_SPLITS, MOST_SPLITS), (21, MOST_SPLITS), (MANY, SPLITS_OF_MANY)]
    )
    def test_every_target_is_left_out_of_its_own_labelled_answers(self, models, number):
        given = trained(1.0, models=models, records=30)
        splits = split_targets(given)
        assert len(splits) == number
        assert np.concatenate([group for group, _ in splits]).tolist() == list(range(models))
        for group, labelled in splits:
            rest = np.setdiff1d(np.arange(models), group)
            assert (labelled.members == given.members[rest]).all()
            assert (labelled.signals.confidence == given.signals.confidence[rest]).all()

    def test_targets_that_are_nobody_s_shadows_share_one_labelled_answers(self):
        given = trained(1.0, models=6, records=30)
        is_target, pairs = np.arange(6) < 4, np.ones(given.members.shape, dtype=bool)
        given = dataclasses.replace(
            given, references=~is_target, known=~is_target[:, None] & pairs, judged=is_target[:, None] & pairs
        )
        ((group, labelled),) = split_targets(given)
        assert group.tolist() == [0, 1, 2, 3]
        assert (labelled.members == given.members[4:]).all()

    def test_targets_of_which_others_learn_without_taking_them_for_shadows_are_left_out_too(self):
        given = trained(1.0, models=4, records=30)
        given = dataclasses.replace(given, references=np.zeros(4, dtype=bool))
        assert [group.tolist() for group, _ in split_targets(given)] == [[0], [1], [2], [3]]

    @pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
    def test_nothing_that_is_learnt_for_a_target_depends_on_it(self, attack):
        given = trained(1.0, models=4, records=336)
        changed = given.members.copy()
        changed[3] = ~changed[3]
        noise = np.random.default_rng(9).normal(size=336)
        fields = {field.name: getattr(given.signals, field.name).copy() for field in dataclasses.fields(Signals)}
        for values in fields.values():
            values[3] = (values[3].T + noise).T
        other = dataclasses.replace(given, members=changed, signals=Signals(**fields))
        before, after = (run_attack(attack, each, split_targets(each)).learned for each in (given, other))
        assert before[3] == after[3]
        assert before != after

    def world(self, seed, models=5, records=60):
        members = np.random.default_rng(seed).random((models, records)) < 0.5
        return confident(np.zeros((models, records)), members)

    def test_an_attack_that_tunes_on_chance_reaches_nothing(self):
        found = [
            advantages(run_attack(Chance(), given, split_targets(given)).counts).mean() for given in self.many_worlds()
        ]
        assert np.mean(found) == pytest.approx(0, abs=4 * np.std(found) / np.sqrt(len(found)))

    def test_with_the_target_among_the_shadows_of_its_lesson_it_would_seem_to_leak(self):
        """The world of the test above does show the mistake: the target is neither known nor judged, only a shadow."""
        found = []
        for given in self.many_worlds():
            splits = []
            for target in range(len(given.members)):
                others = (np.arange(len(given.members)) != target)[:, None] & given.known
                labelled = dataclasses.replace(given, known=others, judged=others)
                splits.append((np.array([target]), labelled))
            found.append(advantages(run_attack(Chance(), given, splits).counts).mean())
        assert np.mean(found) > 10 * np.std(found) / np.sqrt(len(found))

    def many_worlds(self):
        return [self.world(seed) for seed in range(40)]


class TestRunAttack:
    def test_counts_are_the_guesses_at_each_target_s_threshold(self):
        given = trained(2.0)
        run = run_attack(Mast(), given, split_targets(given))
        scores = only(Mast(), given)
        for model, learned in enumerate(run.learned):
            members = given.members[model]
            for counts, threshold in (
                (run.counts, learned.threshold),
                *zip(run.tail_counts, learned.tail_thresholds, strict=True),
            ):
                flagged = scores[model] >= threshold
                assert counts.flagged_members[model] == (flagged & members).sum()
                assert counts.flagged_nonmembers[model] == (flagged & ~members).sum()
                assert (counts.members[model], counts.nonmembers[model]) == (members.sum(), (~members).sum())
            assert run.auc[model] == auc(scores[model], members)
        assert len(run.tail_counts) == len(FALSE_POSITIVE_RATES)

    def test_a_score_at_the_threshold_is_flagged(self):
        """Between neighbours among the numbers there is none, so that a threshold is the upper one."""
        members = np.random.default_rng(0).random((5, 40)) < 0.5
        given = confident(np.where(members, np.nextafter(1, 2), 1), members)
        counts = run_attack(LOSS, given, split_targets(given)).counts
        assert counts.flagged_members == counts.members
        assert not any(counts.flagged_nonmembers)

    def test_only_judged_records_count(self):
        rng = np.random.default_rng(0)
        members = rng.random((5, 40)) < 0.5
        given = released(Signals(confidence=rng.normal(size=(5, 40)) + members), members)
        part = np.arange(40) < 30
        given = dataclasses.replace(given, judged=given.judged & part)
        run = run_attack(LOSS, given, split_targets(given))
        assert (run.counts.members[0], run.counts.nonmembers[0]) == (members[4, :30].sum(), (~members[4, :30]).sum())
        assert run.auc == [auc(given.signals.confidence[4, :30], members[4, :30])]

    def test_a_group_counts_as_one_record(self):
        given = dataclasses.replace(trained(1.0, records=60), groups=np.arange(60) // 3)
        run = run_attack(LOSS, given, split_targets(given))
        assert run.counts.share == run.tail_counts[0].share == pytest.approx(1 / 3)
        assert pick([run.counts], np.zeros(8, dtype=int)).share == run.counts.share

    @pytest.mark.parametrize(("most", "areas"), [(40 * 30, 40), (1000, 20), (300, 10), (1, 1)])
    def test_many_targets_have_their_areas_averaged_over_some(self, most, areas, monkeypatch):
        monkeypatch.setattr("pytest_mia.attacks.evaluation.MOST_SORTED", most)
        given = trained(1.0, models=40, records=30)
        run = run_attack(LOSS, given, split_targets(given))
        assert len(run.auc) == areas
        assert len(run.counts.members) == 40

    def test_the_constant_is_the_one_that_did_best_on_the_others(self):
        given = trained(1.0)
        splits = split_targets(given)
        run = run_attack(RmiaOffline(), given, splits)
        for (group, labelled), learned in zip(splits, run.learned, strict=True):
            reached = []
            for scores in RmiaOffline().scores(labelled):
                inside, outside = scores[labelled.members], scores[~labelled.members]
                cuts = np.concatenate([inside, outside, [np.inf]])
                reached.append(max((inside >= cut).mean() - (outside >= cut).mean() for cut in cuts[::7]))
            assert reached[learned.setting] == pytest.approx(max(reached), abs=0.01)
            assert len(group) == 1
            assert len(reached) == 2 * len(OFFLINE_CONSTANTS)

    def test_a_target_is_scored_with_its_own_constant(self):
        given = trained(1.0)
        learned = run_attack(RmiaOffline(), given, split_targets(given)).learned
        learned = [dataclasses.replace(each, setting=number % 3) for number, each in enumerate(learned)]
        by_setting = list(RmiaOffline().scores(given))
        found = target_scores(RmiaOffline(), given, learned, np.array([7, 2]))
        assert (found[0] == by_setting[7 % 3][7]).all()
        assert (found[1] == by_setting[2][2]).all()


class TestChoice:
    def test_the_best_on_the_shadows_for_each_target_and_the_first_of_several(self):
        assert choose([[0.1, 0.5, 0.2], [0.3, 0.5, 0.1], [0.2, 0.4, 0.2]]).tolist() == [1, 0, 0]

    def test_each_target_gets_the_guesses_of_its_attack(self):
        one, two = Counts((1, 2), (3, 4), (5, 6), (7, 8)), Counts((10, 20), (30, 40), (50, 60), (70, 80))
        assert pick([one, two], np.array([1, 0])) == Counts((10, 2), (30, 4), (50, 6), (70, 8))
        assert pick([Counts((1,), (2,), (3,), (4,), 0.5)], np.array([0])) == Counts((1,), (2,), (3,), (4,), 0.5)


def test_the_truth_of_a_threshold_learnt_on_others():
    """Members N(1, 1), others N(0, 1): the advantage is that of the learnt threshold, a little below the best one."""
    rng = np.random.default_rng(3)
    members = rng.random((8, 4000)) < 0.5
    given = confident(rng.normal(size=(8, 4000)) + members, members)
    found = advantages(run_attack(LOSS, given, split_targets(given)).counts)
    assert found.mean() == pytest.approx(0.3829, abs=4 * np.sqrt(0.5 / 16000))


def test_of_all_attacks_the_scores_of_the_chosen_are_kept():
    given = trained(0.3, models=8, records=120)
    splits, fitting = split_targets(given), [LOSS, RmiaOffline(), Mast(), LOSS]
    runs, kept = run_all(fitting, given, splits)
    assert runs[1].counts == run_attack(RmiaOffline(), given, splits).counts
    chosen = choose([[each.advantage for each in run.learned] for run in runs])
    assert len({*chosen}) > 1
    for target, index in enumerate(chosen):
        expected = target_scores(fitting[index], given, runs[index].learned, np.array([target]))
        assert (kept[target] == expected[0]).all()


def test_of_attacks_that_did_equally_well_the_scores_of_the_first_are_kept():
    given = trained(1.0, models=4, records=60)
    _, kept = run_all([LOSS, Doubled()], given, split_targets(given))
    assert (kept == given.signals.confidence).all()
