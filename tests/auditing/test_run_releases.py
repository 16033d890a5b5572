import numpy as np
import pytest
from whole import INSIDE, OUTSIDE, QUICK, RECORDS, Counted, Tree, X, Y, recipe, release

from pytest_mia import InvalidAuditError, ModelTrainingError, Target, audit

rng = np.random.default_rng(1)


class TestRelease:
    @pytest.mark.parametrize("shadows", [0, 3])
    def test_a_tree_that_was_released_is_caught(self, shadows):
        result = release(shadows=shadows, attacks=None)
        assert (result.kind, result.models, result.shadows) == ("release", shadows + 1, shadows)
        assert result.records == RECORDS
        assert result.advantage.low > 0.1

    def test_without_shadows_nothing_is_trained(self):
        Counted.sizes.clear()
        release(factory=Counted, dataset=(X, Y), shadows=0, attacks=None)
        assert Counted.sizes == []

    def test_attacks_that_were_asked_for_and_lack_their_shadows_are_named(self):
        assert {*QUICK["attacks"]} == {"gap", "loss", "lira_online", "mast"}
        missing = (
            "attacks that were not run, because the answers, the records or the number of shadows don't allow them: "
        )
        missing += "lira_online, mast"
        assert missing in release(shadows=0).notes
        assert not any("attacks that were not run" in note for note in release().notes)

    @pytest.mark.parametrize("shadows", [0, 3])
    def test_a_model_of_other_records_is_no_leak(self, shadows):
        other = rng.normal(size=(100, 4))
        model = Tree(random_state=0).fit(other, other[:, 0] > 0)
        assert release(model, shadows=shadows).advantage.low < 0.1

    def test_shadows_train_on_what_else_the_dataset_holds(self):
        Counted.sizes.clear()
        result = release(inside=slice(0, 50), outside=slice(50, 100), factory=Counted, dataset=(X, Y))
        assert Counted.sizes == [100, 100, 100]
        assert result.records == 100
        assert sum(result.selected.members) == sum(result.selected.nonmembers) == 50

    def test_shadows_train_on_the_attackers_own_records(self):
        Counted.sizes.clear()
        model = Tree(random_state=0).fit(X[:60], Y[:60])
        result = release(model, slice(0, 60), slice(60, 120), factory=Counted, shadow_dataset=(X[120:], Y[120:]))
        assert Counted.sizes == [40, 40, 40]
        assert result.advantage.low > 0

    def test_a_model_that_cannot_be_asked_is_found_before_shadows_are_trained(self):
        Counted.sizes.clear()
        with pytest.raises(ModelTrainingError, match="the released model could not be queried: NotFittedError"):
            release(Tree(), factory=Counted)
        assert Counted.sizes == []

    @pytest.mark.parametrize("seed", range(4))
    def test_sides_of_one_source_are_valid(self, seed):
        generator = np.random.default_rng(seed)
        X = generator.normal(size=(200, 4))
        y = (X[:, 0] > 0).astype(int)
        model = Tree(random_state=0).fit(X[:100], y[:100])
        target = Target(model, (X[:100], y[:100]), (X[100:], y[100:]))
        result = audit(Tree, None, target=target, seed=seed, **QUICK)
        assert result.assert_membership_advantage_below(0.9).verdict == "pass"

    @pytest.mark.parametrize("seed", range(4))
    def test_sides_of_two_sources_are_invalid(self, seed):
        """A model that leaks nothing would fail for the difference of the sides, and one that leaks could pass."""
        moved = X + (np.arange(RECORDS) >= 100)[:, None]
        model = Tree(random_state=0).fit(moved[INSIDE], Y[INSIDE])
        target = Target(model, (moved[INSIDE], Y[INSIDE]), (moved[OUTSIDE], Y[OUTSIDE]))
        result = audit(Tree, None, target=target, seed=seed, **QUICK)
        with pytest.raises(InvalidAuditError, match="can be told apart without any model"):
            result.assert_membership_advantage_below(0.1)

    def test_many_records_on_both_sides_are_invalid(self):
        result = release(outside=np.r_[100:200, 0:10])
        with pytest.raises(InvalidAuditError, match="10 of 110 non-members are members too"):
            result.assert_membership_advantage_below(0.9)

    def test_few_are_left_out(self):
        result = release(outside=np.r_[100:200, 0:3])
        assert result.records == RECORDS
        assert sum(result.selected.nonmembers) == 100
        assert "the audit leaves out 3 of 103 non-members that are members too" in result.notes


class TestGuesses:
    def test_an_attacker_who_guesses_another_model(self):
        result = recipe(shadow_factory=lambda: Tree(max_depth=6))
        assert (result.models, result.shadows) == (7, 3)
        assert result.advantage.low > 0.1

    def test_an_attacker_with_several_guesses(self):
        Counted.sizes.clear()
        recipe(shadow_factory=[Counted, lambda: Tree(max_depth=6)])
        assert Counted.sizes == [100, 100]

    def test_only_targets_are_judged(self):
        """Shadows that are always right don't count in the accuracy of the targets."""
        result = recipe(lambda: Tree(max_depth=1), shadow_factory=Tree, attacks=["gap"])
        assert result.accuracy.train < 0.9
        assert len(result.selected.members) == 4

    def test_a_release_against_a_guess_alone(self):
        assert release(factory=None, shadow_factory=Tree).advantage.low > 0.1

    def test_an_attacker_with_records_of_his_own(self):
        Counted.sizes.clear()
        result = recipe(Counted, (X[:120], Y[:120]), shadow_dataset=(X[120:], Y[120:]))
        assert Counted.sizes == [60] * 4 + [40] * 3
        assert result.records == 120
        assert result.advantage.low > 0.1
