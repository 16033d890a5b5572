import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from torches import named_cases, torch

import pytest_mia
from pytest_mia import Dataset, MIAUsageError, knowledge
from pytest_mia.knowledge import marginals, noisy, part

rng = np.random.default_rng(0)
SIZE = 3000
Y = np.arange(SIZE) % 3
# A column of the class, one of numbers, one of two values, and one that never changes.
X = np.c_[Y, rng.normal(size=SIZE), rng.integers(0, 2, SIZE), np.ones(SIZE)]
TABLES = {
    "array": X,
    "images": X.reshape(SIZE, 2, 2),
    "frame": pd.DataFrame(X, columns=list("abcd"), index=rng.permutation(SIZE)),
    "sparse": sparse.csr_array(X),
    "sparse matrix": sparse.csc_matrix(X),
    "tensor": torch and torch.as_tensor(X),
}


def dense(records):
    given = records.toarray() if sparse.issparse(records) else records
    return np.asarray(given).reshape(-1, 4)


def test_the_module_is_public():
    assert pytest_mia.knowledge is knowledge
    assert "knowledge" in dir(pytest_mia)


class TestPart:
    def test_each_class_has_its_share(self):
        drawn = part((X, np.r_[np.zeros(900), np.ones(2100)]), 0.25)
        assert (drawn.y == 0).sum() == 225
        assert (drawn.y == 1).sum() == 525

    def test_an_odd_record_is_drawn_by_a_coin(self):
        sizes = [len(part((X[:5], [0] * 5), 0.5, seed=seed).y) for seed in range(400)]
        assert set(sizes) == {2, 3}
        assert np.mean(sizes) == pytest.approx(2.5, abs=0.1)

    def test_records_keep_their_labels_groups_slices_and_order(self):
        drawn = part(Dataset(np.arange(60), Y[:60], np.arange(60), {"place": np.arange(60)}), 0.5)
        assert (np.diff(drawn.X) > 0).all()
        assert drawn.y.tolist() == (drawn.X % 3).tolist()
        assert drawn.groups.tolist() == drawn.slices["place"].tolist() == drawn.X.tolist()

    def test_a_group_goes_together(self):
        drawn = part(Dataset(X[:60], Y[:60] * 0, [f"p{n // 3}" for n in range(60)]), 0.5)
        assert np.unique(drawn.groups, return_counts=True)[1].tolist() == [3] * 10

    @pytest.mark.parametrize("kind", named_cases(TABLES))
    def test_any_type(self, kind):
        table = TABLES[kind]
        drawn = part((table, Y), 0.1)
        assert type(drawn.X) is type(table)
        np.testing.assert_array_equal(dense(drawn.X), part((X, Y), 0.1).X)

    def test_texts(self):
        assert set(part((["a b", "c d", "e", "f"], [0, 0, 1, 1]), 0.5).X) < {"a b", "c d", "e", "f"}

    def test_all_of_them(self):
        np.testing.assert_array_equal(part((X, Y), 1).X, X)

    def test_none_left(self):
        with pytest.raises(
            MIAUsageError, match=r"^a share of 1e-09 of 3000 records is less than one record; give a larger share"
        ):
            part((X, Y), 1e-9)

    @pytest.mark.parametrize("make", [part, noisy])
    @pytest.mark.parametrize("share", [0, -0.5, 1.5, np.nan, True, "half"])
    def test_a_share_out_of_range(self, make, share):
        with pytest.raises(MIAUsageError, match="share must be above 0 and at most 1, got"):
            make((X, Y), share)

    @pytest.mark.parametrize("make", [lambda data: part(data, 0.5), lambda data: noisy(data, 0.5)])
    def test_records_that_do_not_fit_are_refused(self, make):
        with pytest.raises(MIAUsageError, match="X holds 3000 records and y 5"):
            make((X, Y[:5]))


class TestNoisy:
    """The truth is known: a cell changes when it is drawn and the other record's value differs."""

    MADE = noisy((X, Y), 0.2)

    def test_labels_stay(self):
        assert (self.MADE.y == Y).all()

    def test_as_many_cells_change_as_should(self):
        changed = (self.MADE.X != X).mean(axis=0)
        # Of three classes two differ; numbers always differ; a bit that is drawn is flipped.
        assert changed == pytest.approx([0.2 * 2 / 3, 0.2, 0.2, 0.0], abs=0.025)

    def test_only_values_that_there_are(self):
        assert np.isin(self.MADE.X[:, 1], X[:, 1]).all()

    def test_with_all_of_them_drawn_bits_are_their_opposites_and_numbers_are_anothers(self):
        made = noisy((X, Y), 1.0).X
        np.testing.assert_array_equal(made[:, 2], 1 - X[:, 2])
        assert (made[:, 1] != X[:, 1]).all()
        assert abs(np.corrcoef(made[:, 1], X[:, 1])[0, 1]) < 0.1

    @pytest.mark.parametrize("kind", named_cases(TABLES))
    def test_any_type_gives_the_same_records(self, kind):
        table = TABLES[kind]
        made = noisy((table, Y), 0.2).X
        assert type(made) is type(table)
        assert made.dtype == table.dtype if hasattr(table, "dtype") else (made.dtypes == table.dtypes).all()
        assert tuple(made.shape) == tuple(table.shape)
        np.testing.assert_array_equal(dense(made), self.MADE.X)

    def test_blocks_of_columns(self, monkeypatch):
        monkeypatch.setattr("pytest_mia.data.attacker_data.cell_mixing.CELLS_AT_ONCE", 2 * SIZE)
        tables = [table for table in TABLES.values() if table is not None]
        changed = [(dense(noisy((table, Y), 0.2).X) != X).mean(axis=0) for table in tables]
        assert all((each == changed[0]).all() for each in changed)
        assert changed[0] == pytest.approx([0.2 * 2 / 3, 0.2, 0.2, 0.0], abs=0.025)

    def test_a_frame_of_all_kinds(self):
        frame = pd.DataFrame(
            {
                "sex": pd.Categorical(["f", "m"] * 50),
                "age": pd.array([1, None, 3, 4] * 25, dtype="Int64"),
                "name": ["a", "b", None, "d"] * 25,
                "when": pd.date_range("2020", periods=100),
            }
        )
        made = noisy((frame, np.arange(100) % 2), 1.0).X
        assert (made.dtypes == frame.dtypes).all()
        assert (made["sex"].astype(str) != frame["sex"].astype(str)).all()
        assert made["when"].isin(frame["when"]).all()

    def test_words_of_texts(self):
        texts = [f"w{n} w{n} common" for n in range(1000)]
        made = noisy((texts, np.arange(1000) % 2), 0.3)
        changed = [a != b for old, new in zip(texts, made.X, strict=True) for a, b in zip(old.split(), new.split())]  # noqa: B905
        assert [len(text.split()) for text in made.X] == [3] * 1000
        assert np.mean(changed[0::3]) == pytest.approx(0.3, abs=0.05)
        assert np.mean(changed[2::3]) == pytest.approx(0.3 * 2 / 3, abs=0.05)

    def test_groups_and_slices_stay(self):
        made = noisy(Dataset(X, Y, np.arange(SIZE) // 2, {"half": Y > 1}), 0.1)
        assert (made.groups == np.arange(SIZE) // 2).all()
        assert (made.slices["half"] == (Y > 1)).all()

    @pytest.mark.parametrize("records", [[{"a": 1}, {"a": 2}], np.arange(2), [[1], [1, 2]]])
    def test_records_without_columns(self, records):
        with pytest.raises(MIAUsageError, match="has no columns of which records could be put together"):
            noisy((records, [0, 1]), 0.5)

    def test_one_record(self):
        np.testing.assert_array_equal(noisy((X[:1], Y[:1]), 1.0).X, X[:1])


class TestMarginals:
    def test_classes_keep_their_shares(self):
        y = np.repeat([0, 1, 2], [1500, 1200, 300])
        assert np.bincount(marginals((X, y), 100).y).tolist() == [50, 40, 10]

    def test_a_feature_has_its_distribution_within_the_class(self):
        made = marginals((np.c_[X, Y * 10 + X[:, 1]], Y), 6000)
        assert (made.X[:, 0] == made.y).all()
        for label in range(3):
            there, here = X[label == Y, 1], made.X[made.y == label, 4] - 10 * label
            assert here.mean() == pytest.approx(there.mean(), abs=0.07)
            assert here.std() == pytest.approx(there.std(), abs=0.07)

    def test_features_are_independent_of_each_other(self):
        twice = np.c_[X[:, 1], X[:, 1]]
        made = marginals((twice, Y), 6000).X
        assert abs(np.corrcoef(made.T)[0, 1]) < 0.05

    @pytest.mark.parametrize("kind", named_cases(TABLES))
    def test_any_type_gives_the_same_records(self, kind):
        table = TABLES[kind]
        made = marginals((table, Y), 50).X
        assert type(made) is type(table)
        np.testing.assert_array_equal(dense(made), marginals((X, Y), 50).X)

    def test_texts_have_words_of_their_class(self):
        made = marginals((["a b", "b c d", "x", "y z"], [0, 0, 1, 1]), 200)
        words = [
            {word for text, y in zip(made.X, made.y, strict=True) if y == one for word in text.split()}
            for one in (0, 1)
        ]
        assert words == [set("abcd"), set("xyz")]
        assert {len(text.split()) for text, y in zip(made.X, made.y, strict=True) if y == 0} == {2, 3}

    def test_continuous_labels_by_their_deciles(self):
        y = rng.normal(size=SIZE)
        made = marginals((np.c_[y, y], y), 1000)
        assert np.abs(made.X[:, 0] - made.y).max() < np.ptp(y) / 2
        assert np.corrcoef(made.X[:, 0], made.y)[0, 1] > 0.9

    def test_without_labels(self):
        assert marginals((X, None), 10).y is None

    @pytest.mark.parametrize("records", [0, 2.5, "10", True])
    def test_no_number_of_records(self, records):
        with pytest.raises(MIAUsageError, match="records must be a number of records from 1"):
            marginals((X, Y), records)


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: part((X, Y), 0.3, seed=seed),
        lambda seed: noisy((X, Y), 0.3, seed=seed),
        lambda seed: marginals((X, Y), 30, seed=seed),
    ],
    ids=["part", "noisy", "marginals"],
)
def test_the_seed_decides_and_nothing_else_is_touched(make):
    before, state = X.copy(), np.random.get_state()[1].tolist()  # noqa: NPY002
    first, again, other = make(1).X, make(1).X, make(2).X
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()
    np.testing.assert_array_equal(X, before)
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002


def test_cells_that_are_lists_are_values_like_any_other():
    frame = pd.DataFrame({"a": [[n % 3] for n in range(60)], "b": np.arange(60)})
    frame.columns = [0, 0]
    for drawn in (noisy((frame, Y[:60]), 0.5), marginals((frame, Y[:60]), 60)):
        assert {each[0] for each in drawn.X.iloc[:, 0]} == {0, 1, 2}
        assert list(drawn.X.columns) == [0, 0]
