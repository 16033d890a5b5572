import itertools
import zlib

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, special
from torches import Tensor, named_cases, needs_torch, torch

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.data import containers
from pytest_mia.data.numeric import as_features, as_floats
from pytest_mia.models.answers import Labels, Losses, Probabilities
from pytest_mia.models.protocol import Adapter, NoTrainer
from pytest_mia.models.queries import label_noise
from pytest_mia.models.queries.label_noise import COPIES, QUESTIONS, LabelNoise
from pytest_mia.models.queries.perturb import FLIPPED, SHARES, noise_for
from pytest_mia.models.queries.protocol import QueryTarget
from pytest_mia.models.queries.registry import choose_by_default, find_problems

RNG = np.random.default_rng(0)
RECORDS = 500
NORMAL = RNG.normal(0, [1.0, 10.0, 0.01], (RECORDS, 3))
BINARY = (RNG.random((RECORDS, 6)) < 0.3).astype(float)
WORDS = [" ".join(RNG.choice(["one", "two", "three"], 20)) for _ in range(RECORDS)]


def copy_of(X, level=3, seed=0):
    return noise_for(X).copy(level, np.random.default_rng(seed))


def frame():
    return pd.DataFrame(
        {
            "size": NORMAL[:, 1],
            "count": RNG.integers(3, 9, RECORDS),
            "flag": BINARY[:, 0].astype(bool),
            "town": pd.Categorical(RNG.choice(["a", "b"], RECORDS), categories=["a", "b", "c"]),
            "text": RNG.choice(["x", "y", "z"], RECORDS),
            "when": pd.to_datetime("2024-01-01") + pd.to_timedelta(RNG.integers(0, 99, RECORDS), "D"),
            "some": pd.array(RNG.integers(0, 5, RECORDS), dtype="Int64"),
        },
        index=np.arange(RECORDS) + 7,
    )


GIVEN = {
    "floats": NORMAL,
    "float32": NORMAL.astype(np.float32),
    "bits": BINARY,
    "bools": BINARY.astype(bool),
    "counts": RNG.integers(0, 9, (RECORDS, 3)),
    "images": RNG.integers(0, 256, (RECORDS, 4, 4, 3)).astype(np.uint8),
    "lists": NORMAL.tolist(),
    "frame": frame(),
    "a frame of numbers": frame()[["size", "count", "flag"]],
    "one column": NORMAL[:, 0],
    "tensor": torch and torch.from_numpy(NORMAL),
    "half": torch and torch.from_numpy(NORMAL).to(torch.bfloat16),
    "counts in a tensor": torch and torch.randint(0, 9, (RECORDS, 3), generator=torch.Generator().manual_seed(0)),
    "csr": sparse.csr_matrix(BINARY),
    "csc": sparse.csc_array(np.where(BINARY > 0, np.abs(NORMAL[:, [0] * 6]), 0)),
    "sparse counts": sparse.csr_array((BINARY * 4).astype(int)),
    "texts": WORDS,
    "an array of texts": np.array(WORDS),
    "a series of texts": pd.Series(WORDS, index=np.arange(RECORDS) + 3, name="said"),
    "objects": np.array([["a", 1], ["b", 2], ["c", None]] * 100, dtype=object),
}


def plain(X):
    """The same values in built-in types."""
    if isinstance(X, Tensor):
        return X.double().tolist()
    if sparse.issparse(X):
        return X.toarray().tolist()
    return X.to_numpy().tolist() if hasattr(X, "iloc") else np.asarray(X).tolist()


@pytest.mark.parametrize("kind", named_cases(GIVEN))
class TestEveryType:
    def test_a_copy_is_of_the_user_s_own_type(self, kind):
        X, copy = GIVEN[kind], copy_of(GIVEN[kind])
        assert type(copy) is type(X)
        assert np.shape(copy) == np.shape(X)
        for name in ("dtype", "format", "device", "name"):
            assert getattr(copy, name, None) == getattr(X, name, None)
        if hasattr(X, "iloc"):
            assert (copy.index == X.index).all()
        if hasattr(X, "columns"):
            assert (copy.dtypes == X.dtypes).all()
            assert list(copy.columns) == list(X.columns)

    def test_it_differs_and_the_records_stay_as_they_were(self, kind):
        before = plain(GIVEN[kind])
        assert plain(copy_of(GIVEN[kind])) != before
        assert plain(GIVEN[kind]) == before

    def test_the_generator_decides(self, kind):
        first, again, other = (plain(copy_of(GIVEN[kind], seed=seed)) for seed in (1, 1, 2))
        assert first == again != other

    def test_what_is_written_to_a_copy_stays_there(self, kind):
        noise = noise_for(GIVEN[kind])
        before = plain(noise.copy(0, np.random.default_rng(0)))
        copy = noise.copy(0, np.random.default_rng(0))
        if isinstance(copy, (np.ndarray, Tensor)):
            copy[:] = copy[0]
        elif sparse.issparse(copy):
            copy.data[:] = 0
        else:
            copy[:] = copy[:1] * len(copy) if isinstance(copy, list) else copy.iloc[0]
        assert plain(noise.copy(0, np.random.default_rng(0))) == before


class TestNumbers:
    @pytest.mark.parametrize("level", range(4))
    def test_gaussian_noise_in_proportion_to_each_column(self, level):
        """Clipping to the range moves a few records near its ends, and shrinks the noise a little."""
        moved = copy_of(NORMAL, level) - NORMAL
        assert moved.std(axis=0) / NORMAL.std(axis=0) == pytest.approx([SHARES[level]] * 3, rel=0.15)

    @pytest.mark.parametrize("level", range(4))
    def test_binary_columns_are_flipped(self, level):
        copy = copy_of(BINARY, level)
        assert set(np.unique(copy)) == {0.0, 1.0}
        flipped = (copy != BINARY).mean()
        assert flipped == pytest.approx(FLIPPED[level], abs=4 * np.sqrt(FLIPPED[level] / BINARY.size))

    def test_columns_are_told_apart(self):
        copy = copy_of(np.column_stack([BINARY[:, 0], NORMAL[:, 0]]))
        assert set(copy[:, 0]) == {0.0, 1.0}
        assert (copy[:, 1] != NORMAL[:, 0]).mean() > 0.9

    def test_columns_that_do_not_vary_stay(self):
        X = np.column_stack([np.zeros(RECORDS), np.ones(RECORDS), np.full(RECORDS, 7.0), NORMAL])
        assert (copy_of(X)[:, :3] == X[:, :3]).all()

    def test_copies_stay_within_the_range_of_their_column(self):
        """A model that takes a logarithm, or looks a code up, can be asked about them too."""
        X = np.abs(NORMAL)
        for level in range(4):
            copy = copy_of(X, level)
            assert (copy.min(axis=0) >= X.min(axis=0)).all()
            assert (copy.max(axis=0) <= X.max(axis=0)).all()

    def test_what_is_missing_stays_missing(self):
        X = NORMAL.copy()
        X[3, 0], X[4, 1] = np.nan, np.inf
        copy = copy_of(X)
        assert np.isnan(copy[3, 0])
        assert copy[4, 1] == np.inf
        assert np.isfinite(copy).sum() == X.size - 2

    def test_the_spread_is_that_of_the_column(self):
        X = NORMAL.copy()
        X[3, 0] = np.nan
        expected = [np.nanstd(X[:, 0]), X[:, 1].std(), X[:, 2].std()]
        assert as_features(X).spread == pytest.approx(expected, rel=1e-12)


class TestOtherColumns:
    def test_categories_give_way_to_another_record_s(self):
        before = frame()
        after = copy_of(before)
        for name in ("town", "text", "when", "some"):
            changed = (before[name].astype(str).to_numpy() != after[name].astype(str).to_numpy()).mean()
            assert 0 < changed < 1.5 * FLIPPED[3]
            assert set(after[name].astype(str)) <= set(before[name].astype(str))

    def test_ones_of_a_sparse_matrix_vanish(self):
        before, after = sparse.csr_matrix(BINARY), copy_of(sparse.csr_matrix(BINARY))
        assert set(np.unique(after.toarray())) == {0.0, 1.0}
        assert (after.toarray() <= BINARY).all()
        assert 1 - after.sum() / before.sum() == pytest.approx(0.1, abs=0.03)

    def test_other_numbers_of_a_sparse_matrix_move(self):
        X = np.where(BINARY > 0, np.abs(NORMAL[:, [0] * 6]), 0.0)
        moved = copy_of(sparse.csr_matrix(X), 0).toarray() - X
        assert (moved[X == 0] == 0).all()
        share = [moved[X[:, k] > 0, k].std() / X[:, k].std() for k in range(6)]
        assert share == pytest.approx([SHARES[0]] * 6, rel=0.3)

    def test_words_are_left_out(self):
        after = copy_of(WORDS)
        kept = sum(len(text.split()) for text in after) / (20 * RECORDS)
        assert kept == pytest.approx(0.9, abs=0.02)
        for before, text in zip(WORDS, after, strict=True):
            rest = iter(before.split())
            assert all(word in rest for word in text.split())

    def test_no_text_loses_all_of_its_words(self):
        assert copy_of(["word"] * 50) == ["word"] * 50
        assert copy_of(["", "a"]) == ["", "a"]

    @pytest.mark.parametrize("X", [[{"a": 1}], [np.zeros(2), np.zeros(3)], object(), [b"x"], [None], []])
    def test_what_cannot_be_changed_is_told(self, X):
        assert noise_for(X) is None


class Threshold:
    """Answers with whether the first feature is above zero."""

    classes = np.arange(2)

    def problems(self, model, dataset):
        return []

    def answer(self, model, X, y):
        return Labels((np.asarray(X)[:, 0] > 0).astype(int))


def measured(X, labels, seed=0):
    return (
        LabelNoise().measure(QueryTarget(Adapter(NoTrainer(""), Threshold()), None, labels), X, seed).noise_robustness
    )


class TestProbe:
    def test_the_share_that_crosses_a_threshold(self):
        """A record at distance d of the threshold stays right with probability Phi(d / noise)."""
        distance = np.repeat([-2.0, -0.1, 0.1, 2.0], 400)
        X = np.column_stack([distance, np.zeros(1600)])
        found = measured(X, (distance > 0).astype(int))
        spread = X[:, 0].std()
        for level, share in enumerate(SHARES):
            for value in (0.1, 2.0):
                # Noise is cut at the ends of the range, far from the threshold.
                expected = special.ndtr(value / (share * spread))
                group = np.abs(distance) == value
                assert found[group, level].mean() == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(800 * COPIES))

    def test_wrong_answers_have_no_share(self):
        X = np.column_stack([np.full(50, 5.0) + RNG.normal(0, 0.01, 50)])
        assert (measured(X, np.zeros(50, dtype=int)) == 0).all()

    def test_the_seed_decides(self):
        labels = (NORMAL[:, 0] > 0).astype(int)
        assert (measured(NORMAL, labels, 1) == measured(NORMAL, labels, 1)).all()
        assert (measured(NORMAL, labels, 1) != measured(NORMAL, labels, 2)).any()

    def test_questions_are_counted(self):
        assert COPIES * len(FLIPPED) == QUESTIONS == 40
        assert len(FLIPPED) == len(SHARES)

    def test_losses_say_nothing_about_labels(self):
        class Losing(Threshold):
            def answer(self, model, X, y):
                return Losses(np.zeros(len(X)))

        with pytest.raises(MIAUsageError, match="answers without classes guesses none"):
            LabelNoise().measure(
                QueryTarget(Adapter(NoTrainer(""), Losing()), None, np.zeros(500, dtype=int)), NORMAL, 0
            )


class Counting(Threshold):
    """Answers by a record's own content, and keeps how many records it was asked about, and under what index."""

    def __init__(self):
        self.calls, self.indexes = [], []

    def answer(self, model, X, y):
        self.calls.append(containers.count(X))
        self.indexes.append([*getattr(X, "index", [])] if hasattr(X, "iloc") else [])
        rows = X.to_numpy().tolist() if hasattr(X, "iloc") else containers.as_array(X).tolist()
        return Labels(np.array([zlib.crc32(repr(row).encode()) % 2 for row in rows]))


MIXED = pd.DataFrame(
    {"a": NORMAL[:60, 0], "b": pd.Categorical(["x", "y", "z"] * 20), "c": [*"uvwxyz"] * 10}, index=range(100, 160)
)
KINDS = {
    "array": NORMAL[:60],
    "small floats": NORMAL[:60].astype(np.float32),
    "frame": MIXED,
    "table": MIXED.to_numpy().astype(str),
    "sparse": sparse.csr_matrix(NORMAL[:60]),
    "texts": WORDS[:60],
    "array of texts": np.array(WORDS[:60]),
    "series": pd.Series(WORDS[:60], index=range(7, 7 + len(WORDS[:60]))),
}


class TestCopiesTogether:
    @pytest.mark.parametrize("kind", KINDS)
    def test_they_are_answered_as_they_are_one_by_one(self, kind, monkeypatch):
        X, found, askers = KINDS[kind], [], []
        records = containers.count(X)
        for at_once in (1, 3 * records, 20_000):
            monkeypatch.setattr(label_noise, "RECORDS_AT_ONCE", at_once)
            askers.append(Counting())
            target = QueryTarget(Adapter(NoTrainer(""), askers[-1]), None, np.arange(records) % 2)
            found.append(LabelNoise().measure(target, X, 0).noise_robustness.tolist())

        assert found[0] == found[1] == found[2]
        assert [set(asker.calls) for asker in askers] == [{records}, {3 * records, records}, {COPIES * records}]
        own = [*getattr(X, "index", [])] if hasattr(X, "iloc") else []
        assert askers[2].indexes == [own * COPIES] * len(FLIPPED)

    @pytest.mark.parametrize("kind", ["array", "frame", "sparse"])
    def test_few_copies_of_records_of_many_numbers(self, kind, monkeypatch):
        """Ten copies of images would take ten times the memory of one."""
        X, asker, records = KINDS[kind], Counting(), containers.count(KINDS[kind])
        monkeypatch.setattr(label_noise, "NUMBERS_AT_ONCE", 4 * X.shape[1] * records)
        LabelNoise().measure(QueryTarget(Adapter(NoTrainer(""), asker), None, np.arange(records) % 2), X, 0)
        assert set(asker.calls) == {4 * records, 2 * records}


class TestByDefault:
    def test_labels_and_few_values_are_probed(self):
        few = Probabilities(np.repeat([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]], 5, axis=0))
        assert choose_by_default(Labels(np.zeros(3, dtype=int)), NORMAL) == ("label_noise",)
        assert choose_by_default(few, NORMAL) == ("label_noise",)
        assert choose_by_default(Labels(np.zeros(3, dtype=int)), WORDS) == ("label_noise",)

    def test_ten_values_are_not(self):
        nine, ten = (np.linspace(0, 1, number)[:, None] for number in (9, 10))
        assert choose_by_default(Probabilities(nine), NORMAL) == ("label_noise",)
        assert choose_by_default(Probabilities(ten), NORMAL) == ()

    def test_neither_are_losses_nor_records_of_other_kinds(self):
        assert choose_by_default(Losses(np.zeros(3)), NORMAL) == ()
        assert choose_by_default(Labels(np.zeros(3, dtype=int)), [{"a": 1}] * 3) == ()

    def test_records_that_cannot_be_changed_are_refused_where_it_is_asked_for(self):
        adapter = Adapter(NoTrainer(""), Threshold())
        assert find_problems(["label_noise"], adapter, None, NORMAL) == []
        (problem,) = find_problems(["label_noise"], adapter, None, [{"a": 1}])
        assert problem == "label_noise changes numbers, texts or categories a little; X, a list, holds none"


class TestFeatures:
    @pytest.mark.parametrize(
        "kind",
        [
            "floats",
            "float32",
            "bools",
            "counts",
            "images",
            "lists",
            "a frame of numbers",
            pytest.param("tensor", marks=needs_torch),
            pytest.param("half", marks=needs_torch),
            "one column",
        ],
    )
    def test_there_and_back(self, kind):
        features = as_features(GIVEN[kind])
        assert features.values.dtype == np.float64
        assert features.values.ndim == 2
        back = features.restored(features.values)
        assert type(back) is type(GIVEN[kind])
        assert plain(back) == plain(GIVEN[kind])

    @pytest.mark.parametrize("kind", ["csr", "texts", "frame", "objects", "a series of texts"])
    def test_what_is_no_table_of_numbers(self, kind):
        assert as_features(GIVEN[kind]) is None

    def test_integers_make_room_for_fractions(self):
        for X in (GIVEN["counts"], GIVEN["images"], GIVEN["a frame of numbers"], GIVEN["floats"]):
            assert not as_features(as_floats(X)).whole.any()
            assert plain(as_floats(X)) == plain(X)

    @needs_torch
    def test_integers_in_a_tensor_stay_whole(self):
        assert as_features(as_floats(GIVEN["counts in a tensor"])).whole.all()

    def test_columns_of_one_name(self):
        X = pd.DataFrame(NORMAL, columns=["a", "a", "b"])
        copy = copy_of(X)
        assert list(copy.columns) == ["a", "a", "b"]
        pairs = itertools.combinations(range(3), 2)
        assert all((copy.iloc[:, i] != copy.iloc[:, j]).any() for i, j in pairs)
