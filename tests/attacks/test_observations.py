import dataclasses

import numpy as np

from pytest_mia.attacks.observations import Observations, recipe
from pytest_mia.models.signals import Signals


def world(models=5, records=8, seed=0):
    rng = np.random.default_rng(seed)
    members = rng.random((models, records)) < 0.5
    signals = Signals(correct=rng.random((models, records)).round(), confidence=rng.normal(size=(models, records)))
    return recipe(signals, members, rng.integers(0, 3, records), seed=seed)


class TestMoments:
    def test_observations_work_them_out_once(self):
        given = world()
        values = given.signals.confidence
        assert given.moments(values) is given.moments(values)
        flipped = dataclasses.replace(given, members=~given.members)
        assert (flipped.moments(values).without(0)[0].count == given.moments(values).without(0)[1].count).all()


class TestRecipe:
    def test_every_model_is_target_and_shadow(self):
        given = world()
        assert given.targets.tolist() == [0, 1, 2, 3, 4]
        assert given.references.all()
        assert given.known.all()
        assert given.judged.all()


class TestIndependentShare:
    def test_without_groups_every_record_counts(self):
        assert world().independent_share() == 1

    def test_only_judged_records_count_and_only_those_of_the_part(self):
        given = dataclasses.replace(world(), groups=np.array([0, 0, 0, 0, 1, 1, 2, 3]))
        assert given.independent_share() == 8 / (16 + 4 + 1 + 1)
        assert given.independent_share(np.arange(8) < 6) == 6 / (16 + 4)
        judged = np.tile(np.arange(8) >= 4, (5, 1))
        assert dataclasses.replace(given, judged=judged).independent_share() == 4 / (4 + 1 + 1)


class TestLesson:
    def test_the_targets_do_not_occur(self):
        given = world()
        splits = given.leave_out(np.array([1, 3]), most_pairs=10**6)
        assert (splits.members == given.members[[0, 2, 4]]).all()
        assert (splits.signals.confidence == given.signals.confidence[[0, 2, 4]]).all()
        assert splits.signals.shown is None
        assert splits.references.tolist() == [True] * 3
        assert splits.targets.tolist() == [0, 1, 2]
        assert (splits.labels == given.labels).all()

    def test_a_released_target_teaches_nothing(self):
        given = world()
        released = np.arange(5) == 4
        every = np.ones(given.members.shape, dtype=bool)
        given = dataclasses.replace(
            given, references=~released, known=~released[:, None] & every, judged=released[:, None] & every
        )
        assert given.targets.tolist() == [4]
        assert (given.leave_out(given.targets, 10**6).members == given.members[:4]).all()

    def test_a_model_known_in_part_is_learnt_from_in_that_part(self):
        given = world(models=2)
        half = np.arange(8) < 4
        given = Observations(
            given.signals,
            given.members,
            given.labels,
            references=np.zeros(2, dtype=bool),
            known=np.stack([half, half & False]),
            judged=np.stack([half & False, ~half]),
        )
        splits = given.leave_out(given.targets, 10**6)
        assert splits.judged.tolist() == splits.known.tolist() == [half.tolist()]
        assert not splits.references.any()

    def test_a_random_part_of_the_records_is_enough_where_there_are_many(self):
        given = world(models=5, records=1000)
        splits = given.leave_out(np.array([0]), most_pairs=400)
        assert splits.members.shape == (4, 100)
        every = given.signals.confidence[1:].T
        columns = [np.flatnonzero((every == row).all(axis=1)) for row in splits.signals.confidence.T]
        assert all(len(column) == 1 for column in columns)
        assert (np.diff(np.concatenate(columns)) > 0).all()
        assert np.concatenate(columns).max() > 800
        again = given.leave_out(np.array([0]), most_pairs=400)
        assert (again.signals.confidence == splits.signals.confidence).all()
