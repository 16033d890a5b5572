import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from pytest_mia.data import duplicates

rng = np.random.default_rng(0)
CLUSTERS = rng.normal(size=(30, 5))[rng.integers(0, 30, 600)] * 10 + rng.normal(size=(600, 5))
ALONE = {
    "one column": rng.normal(size=(500, 1)),
    "two columns": rng.normal(size=(500, 2)),
    "ten columns": rng.normal(size=(300, 10)),
    "whole numbers": rng.integers(0, 10, (1000, 3)),
    "bits": rng.integers(0, 2, (1000, 20)),
    "columns of both kinds": np.c_[rng.normal(size=(500, 3)), rng.integers(0, 3, (500, 5))],
    "heavy tails": rng.standard_t(2, size=(500, 6)),
    "clusters": CLUSTERS,
    "constant columns": np.c_[np.zeros((300, 3)), rng.normal(size=(300, 4))],
    "nothing but constants": np.zeros((300, 3)),
}


@pytest.mark.parametrize("kind", ALONE)
def test_records_of_their_own_are_none(kind):
    assert duplicates.estimate_share(ALONE[kind], seed=0) <= 0.004


@pytest.mark.parametrize("load", [load_breast_cancer, load_iris, load_digits, load_wine, load_diabetes])
def test_those_of_known_data_sets(load):
    assert duplicates.estimate_share(load().data, seed=0) == 0


def doubled(X, share, noise):
    """So many of the records once more, a little different."""
    again = X[: int(share * len(X))]
    return np.concatenate([X, again + noise * X.std(axis=0) * rng.normal(size=again.shape)])


@pytest.mark.parametrize("noise", [1e-6, 1e-3, 0.01])
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_a_second_version_of_a_record(share, noise):
    expected = 2 * share / (1 + share)
    assert duplicates.estimate_share(doubled(ALONE["ten columns"], share, noise), seed=0) == pytest.approx(
        expected, abs=0.01
    )


def bits(records=600, columns=100):
    X = (rng.random((records, columns)) < 0.2).astype(float)
    again = X[:60].copy()
    again[np.arange(60), rng.integers(0, columns, 60)] -= 1
    again = np.abs(again)
    return np.concatenate([X, again])


@pytest.mark.parametrize(
    "kind", [np.asarray, pd.DataFrame, sparse.csr_array, lambda X: X.reshape(-1, 10, 10), lambda X: X.astype(bool)]
)
def test_one_column_of_many_changed_whatever_holds_them(kind):
    assert duplicates.estimate_share(kind(bits()), seed=0) == pytest.approx(120 / 660, abs=0.05)


def test_texts():
    words = np.array([f"word{number}" for number in range(2000)])
    texts = [" ".join(rng.choice(words, 40)) for _ in range(200)]
    again = [text.rsplit(" ", 1)[0] + " end" for text in texts[:40]]
    assert duplicates.estimate_share(texts + again, seed=0) == pytest.approx(80 / 240, abs=0.1)


def test_what_can_not_be_compared():
    assert duplicates.estimate_share([{"a": 1}] * 100, seed=0) == 0
    assert duplicates.estimate_share(rng.normal(size=(20, 3)), seed=0) == 0


def test_one_s_own_group_does_not_count():
    X = doubled(ALONE["ten columns"], 0.5, 1e-3)
    groups = np.r_[np.arange(300), np.arange(150)]
    assert duplicates.estimate_share(X, seed=0, groups=groups) == 0


def test_records_of_one_person_have_no_others_to_compare():
    """And nothing is made of distances that are infinite."""
    assert duplicates.estimate_share(rng.normal(size=(60, 3)), seed=0, groups=np.zeros(60, dtype=int)) == 0


@pytest.mark.parametrize(("apart", "expected"), [(True, 2 / 3), (False, 0.0)])
def test_in_a_release_pairs_count_that_stand_on_both_sides(apart, expected):
    X = doubled(ALONE["ten columns"], 0.5, 1e-3)
    members = np.r_[np.arange(300) % 2 == 0, (np.arange(150) % 2 == 0) ^ apart]
    assert duplicates.estimate_share(X, seed=0, members=members) == pytest.approx(expected, abs=0.02)


def test_many_records_are_asked_about_in_part():
    X = rng.normal(size=(2000, 8))
    X[1000:1400] = X[:400] + 1e-4
    assert duplicates.estimate_share(X, seed=0) == pytest.approx(0.4, abs=0.07)


@pytest.mark.parametrize(
    ("found", "grouped", "findings", "notes"),
    [(0.0, False, 0, 0), (0.01, False, 0, 0), (0.03, False, 0, 1), (0.06, False, 1, 0), (0.06, True, 0, 1)],
)
def test_what_is_said(found, grouped, findings, notes):
    said = duplicates.describe_share(found, grouped=grouped)
    assert [len(part) for part in said] == [findings, notes]
