import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from torches import torch, torch_case

from pytest_mia.data import split_shift
from pytest_mia.data.split_shift import blind_advantage, describe_shift, measure_shift

rng = np.random.default_rng(0)


def shifted(X, y, members, *, seed, limit):
    return describe_shift(measure_shift(X, y, members, seed=seed), limit)


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
            torch_case(lambda: torch.tensor),
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
