import numpy as np
import pytest

from pytest_mia.validity.membership_design import find_balanced, find_repeated

rng = np.random.default_rng(0)


class TestBalanced:
    def test_every_record_in_half_of_the_models(self):
        members = np.argsort(rng.random((6, 50)), axis=0) < 3
        assert find_balanced(members).startswith("every record is a member of exactly 3 of the 6 models")

    def test_pairs_of_models_that_share_all_records(self):
        members = rng.random((4, 50)) < 0.5
        assert find_balanced(np.concatenate([members, ~members]))

    @pytest.mark.parametrize("models", [4, 64])
    def test_independent_halves(self, models):
        assert find_balanced(rng.random((models, 50)) < 0.5) is None

    def test_a_handful_of_records_may_be_balanced_by_chance(self):
        assert find_balanced(np.eye(4, dtype=bool)) is None


class TestRepeated:
    members = rng.random((6, 50)) < 0.5

    def test_independent_halves(self):
        assert find_repeated(self.members) is None
        assert find_repeated(rng.random((64, 50)) < 0.5) is None

    def test_two_seeds_of_one_split(self):
        assert find_repeated(np.concatenate([self.members, self.members[2:3]])).startswith(
            "models 2 and 6 have the same"
        )

    def test_a_pair_that_shares_all_records(self):
        members = np.concatenate([self.members, ~self.members[2:3]])
        assert find_repeated(members).startswith("models 2 and 6 have each the members that the other model lacks")

    def test_few_may_agree_by_chance(self):
        assert find_repeated(np.repeat(self.members[:, :30], 2, axis=0)) is None
