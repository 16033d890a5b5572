import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

from pytest_mia import Dataset, MIAUsageError, Target
from pytest_mia.auditing.plan import make_plan
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.settings import Settings
from pytest_mia.training.jobs import Method

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(60, 2)), np.arange(60) % 2
METHOD = Method(None, None, None, "cpu", None)
MODEL = GaussianNB().fit(X, Y)
TARGET = Target(MODEL, (X[:24], Y[:24]), (X[24:40], Y[24:40]))


def planned(dataset=(X, Y), *, threshold=None, confidence=0.95, shadows=3, seed=0, factory=GaussianNB, **others):
    settings = Settings(shadows=shadows, seed=seed, confidence=confidence)
    return make_plan(AuditRequest(factory, dataset, **others), settings, METHOD, threshold=threshold)


class TestRecipe:
    def test_every_model_is_a_target_and_a_shadow_of_the_others(self):
        made = planned()
        assert (made.kind, len(made.jobs), made.shadows, made.target) == ("recipe", 4, 3, None)
        assert made.references.all()
        assert made.known.all()
        assert made.judged.all()
        assert made.members.shape == (4, 60)

    def test_models_train_on_their_own_halves_with_their_own_seeds(self):
        made = planned()
        for job in made.jobs:
            assert (job.members == made.members[job.number]).all()
            assert job.members[Y == 0].sum() == job.members[Y == 1].sum() == 15
        assert len({job.seed for job in made.jobs}) == len({job.members.tobytes() for job in made.jobs}) == 4

    def test_more_shadows_leave_the_first_models_as_they_were(self):
        few, many = planned(shadows=3), planned(shadows=6)
        for one, other in zip(few.jobs, many.jobs, strict=False):
            assert (one.seed, one.members.tolist()) == (other.seed, other.members.tolist())

    def test_another_seed_draws_others(self):
        assert (planned(seed=0).members != planned(seed=1).members).any()

    def test_a_guess_of_the_factory_has_shadows_of_its_own(self):
        guesses = [lambda: GaussianNB(), lambda: GaussianNB(var_smoothing=1.0)]
        made = planned(shadow_factory=guesses)
        assert [job.factory for job in made.jobs] == [GaussianNB] * 4 + [guesses[0], guesses[1], guesses[0]]
        assert made.references.tolist() == [False] * 4 + [True] * 3
        assert made.judged.any(axis=1).tolist() == [True] * 4 + [False] * 3
        assert made.known[4:].all()
        assert not made.known[:4].any()

    def test_an_attacker_with_records_of_his_own_knows_only_these(self):
        made = planned((X[:40], Y[:40]), shadow_dataset=(X[40:], Y[40:]))
        targets, shadows, audited = made.members[:4], made.members[4:], np.arange(60) < 40
        assert not targets[:, ~audited].any()
        assert not shadows[:, audited].any()
        assert (shadows[:, ~audited].sum(axis=1) == 10).all()
        assert (made.known == (~made.judged.any(axis=1))[:, None] & ~audited).all()
        assert (made.judged == made.judged.any(axis=1)[:, None] & audited).all()


class TestRelease:
    def test_shadows_train_on_halves_of_both_sides(self):
        made = planned(None, target=TARGET)
        assert (made.kind, len(made.jobs), made.target) == ("release", 3, MODEL)
        assert made.members[3].tolist() == [True] * 24 + [False] * 16
        assert made.members[:3].sum(axis=1).tolist() == [20] * 3
        assert made.references.tolist() == [True, True, True, False]
        assert made.known.tolist() == [[True] * 40] * 3 + [[False] * 40]
        assert made.judged.tolist() == [[False] * 40] * 3 + [[True] * 40]

    def test_records_that_are_not_audited_teach_but_do_not_judge(self):
        made = planned((X, Y), target=TARGET)
        assert made.members.shape == (4, 60)
        assert made.members[:3, 40:].any(axis=1).all()
        assert made.known[:3].all()
        assert made.judged[3].tolist() == [True] * 40 + [False] * 20
        assert not made.members[3, 40:].any()

    @pytest.mark.parametrize("dataset", [None, (X, Y)])
    def test_without_shadows_one_half_teaches_and_the_other_judges(self, dataset):
        made = planned(dataset, target=TARGET, shadows=0, factory=None)
        taught, judged = made.known[0], made.judged[1]
        assert made.jobs == ()
        assert (taught ^ judged).all()
        assert (made.members[0] == made.members[1]).all()
        assert (taught & made.members[0]).sum() == 12
        assert not made.known[1].any()
        assert not made.judged[0].any()
        assert not made.references.any()
        assert made.members.shape[1] == len(made.records.data.labels) == 40

    def test_without_shadows_groups_stay_on_one_side(self):
        groups = np.arange(60) // 2
        target = Target(MODEL, Dataset(X[:24], Y[:24], groups[:24]), Dataset(X[24:40], Y[24:40], groups[24:40]))
        taught = planned(None, target=target, shadows=0).known[0]
        assert (taught[::2] == taught[1::2]).all()


class TestOnly:
    def test_a_recipe_of_fewer_models(self):
        made = planned(shadows=6).only(range(4))
        whole = planned(shadows=3)
        assert made.shadows == 3
        assert (made.members == whole.members).all()
        assert made.judged.shape == made.known.shape == (4, 60)

    def test_a_release_keeps_its_target(self):
        made = planned(None, target=TARGET, shadows=6).only([0, 2, 3, 5])
        assert (made.shadows, [job.number for job in made.jobs]) == (4, [0, 2, 3, 5])
        assert made.members[-1].tolist() == [True] * 24 + [False] * 16
        assert made.judged.any(axis=1).tolist() == [False] * 4 + [True]

    def test_targets_that_wait_for_their_shadows_have_no_order(self):
        assert planned().in_order
        assert planned(None, target=TARGET).in_order
        assert not planned(shadow_factory=GaussianNB).in_order


class TestSizes:
    def test_too_few_records_for_any_verdict(self):
        with pytest.raises(MIAUsageError, match=r"^2 records are too few for any verdict; at least 3 are needed"):
            planned((X[:2], Y[:2]), threshold=0.05)

    def test_groups_count_as_one_record(self):
        data = Dataset(X, Y, np.arange(60) // 30)
        with pytest.raises(MIAUsageError, match=r"^2 independent records .* are too few"):
            planned(data, threshold=0.05)

    def test_the_smaller_side_of_a_release_counts(self):
        target = Target(MODEL, (X[:57], Y[:57]), (X[57:], Y[57:]))
        planned(None, target=target, threshold=0.05)
        with pytest.raises(MIAUsageError, match=r"^3 records are too few for any verdict; at least 6"):
            planned(None, target=target, threshold=0.05, shadows=0)

    def test_halves_that_would_be_empty(self):
        """Of three groups with a class each, one model in eight gets none."""
        data, found = Dataset(X[:9], np.arange(9) // 3, np.arange(9) // 3), set()
        for seed in range(20):
            try:
                assert planned(data, seed=seed).members.any(axis=1).all()
            except MIAUsageError as error:
                found |= {str(error).partition(" ")[2].partition(" ")[2]}
        assert found == {"would train on nothing: its half of the 3 groups of records is empty; give more groups"}

    def test_halves_of_a_record_per_class_say_what_would_fill_them(self):
        remedy = r"its half of the 2 records is empty; give at least two records of one class$"
        with pytest.raises(MIAUsageError, match=r"^model \d+ would train on nothing: " + remedy):
            planned((X[:2], Y[:2]), shadows=15)
        for seed in range(20):
            planned((X[:3], Y[:3]), shadows=15, seed=seed)

    @pytest.mark.parametrize(
        ("threshold", "note"),
        [
            (None, ()),
            (0.02, ("no model can pass at 0.02 with 60 records, however little it leaks; 149 are needed",)),
            (0.5, ()),
        ],
    )
    def test_what_can_be_expected_is_said_before_training(self, threshold, note):
        assert planned(threshold=threshold).outlook == note

    def test_a_size_at_which_luck_decides(self):
        (note,) = planned(threshold=0.1).outlook
        assert note.startswith("even a model without any leak may fail to pass at 0.1 with 60 records; with ")

    def test_more_confidence_needs_more(self):
        (note,) = planned(threshold=0.02, confidence=0.99).outlook
        assert int(note.split()[-3]) > 149


class TestProblems:
    def problems(self, *arguments, **parts):
        with pytest.raises(MIAUsageError) as error:
            planned(*arguments, **parts)
        return error.value.problems

    def test_a_recipe_needs_shadows(self):
        (problem,) = self.problems(shadows=0)
        assert problem.startswith("shadows must be at least 3 to audit a recipe, got 0")

    def test_all_are_named_at_once(self):
        settings = Settings(attacks=("loss", "lyra"), shadows=3)
        with pytest.raises(MIAUsageError) as error:
            make_plan(AuditRequest(lambda: MODEL, (X, Y[:9])), settings, METHOD, threshold=0.05)
        attack, lengths, factory = error.value.problems
        assert attack.startswith("unknown attack 'lyra'; the attacks are gap, loss, ")
        assert lengths == "mia_dataset: X holds 60 records and y 9; both need the same number"
        assert factory.startswith("mia_model_factory returned the same object twice")

    def test_what_asks_more_does_not_go_with_default(self):
        settings = Settings(attacks=("default", "hop_skip_jump"))
        with pytest.raises(MIAUsageError) as error:
            make_plan(AuditRequest(GaussianNB, (X, Y)), settings, METHOD, threshold=None)
        (problem,) = error.value.problems
        assert problem.startswith("hop_skip_jump asks about changed records, so it can't be combined with default")

    def test_nothing_but_the_factory_is_called(self):
        class Counted(GaussianNB):
            fits = 0

            def fit(self, X, y):
                Counted.fits += 1
                return super().fit(X, y)

        planned(factory=Counted)
        assert Counted.fits == 0


def test_the_line_before_training_says_what_is_to_come():
    assert planned(threshold=0.5).line == "4 models to train, recipe of 60 records"
