import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from pytest_mia.data import duplicates, split_shift
from pytest_mia.data.duplicates import merge_groups, record_keys
from pytest_mia.data.split_shift import blind_advantage, describe_shift, measure_shift
from pytest_mia.models.answers import Probabilities
from pytest_mia.models.signals import Signals, signals_of, stack
from pytest_mia.validity.identical_models import all_alike
from pytest_mia.validity.membership_design import balanced, repeated

torch = pytest.importorskip("torch")


def shifted(X, y, members, *, seed, limit):
    return describe_shift(measure_shift(X, y, members, seed=seed), limit)


rng = np.random.default_rng(0)
X = np.array([[1.0, 0.0], [0.1 + 0.2, 2.0], [1.0, 0.0], [0.3, 2.0], [1.0, 1e-30], [np.nan, 1.0], [np.nan, 1.0]])
FRAME = pd.DataFrame({"name": ["a", "b", "a"], "size": [1.5, 2.0, 1.5]})


class TestRecordKeys:
    @pytest.mark.parametrize("kind", [np.asarray, torch.tensor, lambda x: x.astype(np.float32)])
    def test_floats_agree_to_eight_digits(self, kind):
        assert record_keys(kind(X), None).tolist() == [0, 1, 0, 1, 2, 3, 3]

    def test_eight_digits_whatever_their_size(self):
        values = np.array([[1.0], [1.00000001], [1.0000001], [1e20], [1e20 + 1e5], [-0.0], [0.0], [np.inf], [-np.inf]])
        assert record_keys(values, None).tolist() == [0, 0, 1, 2, 2, 3, 3, 4, 5]

    @pytest.mark.parametrize(
        "records",
        [
            ["a b", "c", "a b"],
            FRAME,
            sparse.csr_matrix([[0, 1], [1, 0], [0, 1]]),
            sparse.coo_array(([1.0, 1.0, 0.5, 0.5], ([0, 1, 2, 2], [1, 0, 1, 1])), shape=(3, 2)),
            np.array([[True], [False], [True]]),
            np.arange(12).reshape(3, 2, 2) % 8,
        ],
    )
    def test_records_of_every_kind(self, records):
        assert record_keys(records, None).tolist() == [0, 1, 0]

    @pytest.mark.parametrize(
        "y", [["u", "u", "v"], pd.Series([0, 0, 1], index=[5, 4, 3]), np.eye(3)[[0, 0, 1]], [[1], [1], [1, 2]]]
    )
    def test_the_label_counts(self, y):
        assert record_keys(["a", "a", "a"], y).tolist() == [0, 0, 1]

    def test_a_sparse_matrix_stays_as_it_was(self):
        given = sparse.csr_matrix((np.array([1.0, 2.0, 0.0]), np.array([0, 0, 1]), np.array([0, 2, 3])), shape=(2, 2))
        assert record_keys(given, None).tolist() == [0, 1]
        assert given.data.tolist() == [1, 2, 0]

    def test_zeros_that_are_stored_are_zeros(self):
        given = sparse.csr_matrix((np.array([0.0]), np.array([1]), np.array([0, 1, 1])), shape=(2, 2))
        assert record_keys(given, None).tolist() == [0, 0]

    def test_more_records_than_are_read_at_once(self, monkeypatch):
        monkeypatch.setattr(duplicates, "AT_ONCE", 4)
        assert record_keys(np.arange(10.0)[:, None] % 7, None).tolist() == [0, 1, 2, 3, 4, 5, 6, 0, 1, 2]

    @pytest.mark.parametrize("records", [[{"a": 1}], [[1, 2], [3]], np.array([["a"], [None]], dtype=object)])
    def test_records_that_cannot_be_compared(self, records):
        assert record_keys(records, None) is None


def test_merged_groups_keep_together_what_either_does():
    merged = merge_groups(np.array([0, 0, 1, 1, 2, 3]), np.array([0, 1, 1, 2, 3, 3]))
    assert merged.tolist() == [0, 0, 0, 0, 1, 1]


class TestAllAlike:
    members = np.array([[True, False, True], [False, True, True]])
    labels = np.arange(30) % 3

    def found(self, *answers, members=members):
        """The finding for models that answer with these probabilities (records, 3)."""
        parts = [signals_of(Probabilities(np.asarray(answer, dtype=float)), self.labels) for answer in answers]
        return all_alike(stack(parts), self.labels, members)

    def test_models_that_answer_alike_to_the_last_bit(self):
        answer = rng.dirichlet(np.ones(3), 30)
        assert self.found(answer, answer).startswith(
            "2 models trained on different halves give exactly the same answers"
        )

    def test_one_answer_that_differs_is_enough(self):
        answer, other = rng.dirichlet(np.ones(3), (2, 30))
        other[:-1] = answer[:-1]
        assert self.found(answer, other) is None

    @pytest.mark.parametrize("answer", [[1 / 3, 1 / 3, 1 / 3], [0.2, 0.5, 0.3], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    def test_one_answer_whatever_the_record(self, answer):
        assert self.found([answer] * 30, [answer] * 30)

    def test_one_loss_whatever_the_record(self):
        assert all_alike(Signals(confidence=np.zeros((2, 30))), self.labels, self.members)

    @pytest.mark.parametrize("wrong", [0, 1, 10])
    def test_trees_that_have_all_found_the_same_cut(self, wrong):
        """They are sure of every record, and right about nearly all: what there was to learn was learnt."""
        answer = np.eye(3)[np.where(np.arange(30) < wrong, (self.labels + 1) % 3, self.labels)]
        assert self.found(answer, answer) is None

    def test_coarse_answers_may_agree(self):
        answer = np.array([[0.75, 0.25, 0], [0.5, 0.25, 0.25], [0, 0, 1], [0.25, 0.75, 0]])[np.arange(30) % 4]
        assert self.found(answer, answer) is None

    @pytest.mark.parametrize("right", [0.0, 1.0])
    def test_labels_may_agree(self, right):
        """Models that are always right are no sign of a training that was left out."""
        assert all_alike(Signals(correct=np.full((2, 30), right)), self.labels, self.members) is None

    @pytest.mark.parametrize("members", [members[:1], members[[0, 0]]])
    def test_models_on_one_half_must_answer_alike(self, members):
        answers = np.tile(rng.dirichlet(np.ones(3), 30), (len(members), 1, 1))
        assert self.found(*answers, members=members) is None


class TestBalanced:
    def test_every_record_in_half_of_the_models(self):
        members = np.argsort(rng.random((6, 50)), axis=0) < 3
        assert balanced(members).startswith("every record is a member of exactly 3 of the 6 models")

    def test_pairs_of_models_that_share_all_records(self):
        members = rng.random((4, 50)) < 0.5
        assert balanced(np.concatenate([members, ~members]))

    @pytest.mark.parametrize("models", [4, 64])
    def test_independent_halves(self, models):
        assert balanced(rng.random((models, 50)) < 0.5) is None

    def test_a_handful_of_records_may_be_balanced_by_chance(self):
        assert balanced(np.eye(4, dtype=bool)) is None


class TestRepeated:
    members = rng.random((6, 50)) < 0.5

    def test_independent_halves(self):
        assert repeated(self.members) is None
        assert repeated(rng.random((64, 50)) < 0.5) is None

    def test_two_seeds_of_one_split(self):
        assert repeated(np.concatenate([self.members, self.members[2:3]])).startswith("models 2 and 6 have the same")

    def test_a_pair_that_shares_all_records(self):
        members = np.concatenate([self.members, ~self.members[2:3]])
        assert repeated(members).startswith("models 2 and 6 have each the members that the other lacks")

    def test_few_may_agree_by_chance(self):
        assert repeated(np.repeat(self.members[:, :30], 2, axis=0)) is None


def sides(records, shift=0.0, columns=5):
    """Members and non-members of one source, non-members moved by so many standard deviations."""
    members = np.arange(records) % 2 == 0
    return np.random.default_rng(records).normal(size=(records, columns)) + shift * ~members[:, None], members


class TestShift:
    @pytest.mark.parametrize("records", [60, 300, 1200])
    def test_one_source_is_no_finding(self, records):
        members = np.arange(records) % 2 == 0
        for seed in range(5):
            X = np.random.default_rng(seed).normal(size=(records, 5))
            assert shifted(X, X[:, 0] > 0, members, seed=seed, limit=0.05) is None

    @pytest.mark.parametrize(("records", "shift"), [(60, 1.5), (300, 0.6), (1200, 0.3)])
    def test_two_sources_are_a_finding(self, records, shift):
        X, members = sides(records, shift)
        for seed in range(5):
            finding = shifted(X, np.zeros(records), members, seed=seed, limit=0.05)
            assert finding.startswith("members and non-members can be told apart without any model (advantage 0.")

    def test_labels_alone_can_give_the_sides_away(self):
        members = np.arange(400) % 2 == 0
        y = np.where(np.random.default_rng(0).random(400) < 0.3 + 0.4 * members, "ill", "well")
        assert shifted(np.zeros((400, 1)), y, members, seed=0, limit=0.05)

    def test_a_shift_that_only_trees_see(self):
        X, members = sides(1200)
        X[~members, 0] = np.sign(X[~members, 0]) * (0.5 + np.abs(X[~members, 0]))
        assert shifted(X, np.zeros(1200), members, seed=0, limit=0.05)

    def test_a_shift_far_below_the_limit_is_let_pass(self):
        X, members = sides(400, 0.5)
        _, advantage = blind_advantage(X, np.zeros(400), members, 0)
        assert shifted(X, np.zeros(400), members, seed=0, limit=2.1 * advantage) is None
        assert shifted(X, np.zeros(400), members, seed=0, limit=1.9 * advantage)

    @pytest.mark.parametrize(
        "kind",
        [
            torch.tensor,
            sparse.csr_matrix,
            lambda X: pd.DataFrame({"a": X[:, 0], "b": pd.Categorical(np.where(X[:, 1] > 1, "u", "v"))}),
            lambda X: np.where(X > 1, "high", "low").ravel().tolist()[:: X.shape[1]],
            lambda X: X.reshape(len(X), 1, -1),
            lambda X: np.hstack([X, np.zeros((len(X), 1500))]),
            lambda X: sparse.hstack([sparse.csr_matrix(X), sparse.csr_matrix((len(X), 6000))]),
        ],
    )
    def test_records_of_every_kind(self, kind):
        X, members = sides(400, 2.0)
        assert shifted(kind(X), np.zeros(400), members, seed=0, limit=0.05)

    @pytest.mark.parametrize(
        "y", [None, rng.normal(size=(400, 2)), rng.normal(size=400), [[0] * (1 + n % 3) for n in range(400)]]
    )
    def test_labels_of_every_kind(self, y):
        X, members = sides(400, 2.0)
        assert shifted(X, y, members, seed=0, limit=0.05)

    @pytest.mark.parametrize("records", [[{"a": 1}] * 40, np.array([[None]] * 40, dtype=object)])
    def test_records_that_are_no_numbers_are_let_pass(self, records):
        assert shifted(records, None, np.arange(40) < 20, seed=0, limit=0.05) is None

    @pytest.mark.parametrize("value", [1e200, 1e308, np.inf, np.nan])
    def test_features_of_any_size_raise_no_warning(self, value):
        X, members = sides(100)
        X[3], X[8] = value, -value
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert shifted(X, np.zeros(100), members, seed=0, limit=0.05) is None

    def test_a_part_of_many_records_is_enough(self, monkeypatch):
        monkeypatch.setattr(split_shift, "MOST_BLIND", 100)
        X, members = sides(400, 2.0)
        assert shifted(X, X[:, 0] > 0, members, seed=0, limit=0.05)
        assert not shifted(X, None, rng.random(400) < 0.5, seed=0, limit=0.05)

    @pytest.mark.parametrize("members", [[True, False], [True, True, False], [True] * 5 + [False]])
    def test_a_handful_of_records_is_let_pass(self, members):
        assert shifted(rng.normal(size=(len(members), 2)), None, np.array(members), seed=0, limit=0.05) is None

    def test_the_same_seed_finds_the_same(self):
        X, members = sides(300, 0.3)
        assert blind_advantage(X, None, members, 3) == blind_advantage(X, None, members, 3)
        assert blind_advantage(X, None, members, 3) != blind_advantage(X, None, members, 4)
