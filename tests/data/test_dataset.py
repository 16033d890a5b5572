import re

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from torches import Tensor, named_cases, needs_torch, torch, torch_case

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.data.containers import concatenate, count, take
from pytest_mia.data.dataset import Dataset, Target, as_dataset, find_problems
from pytest_mia.data.labels import as_labels, encode, encode_by

X = np.arange(12.0).reshape(6, 2)
Y = np.array([0, 1, 0, 1, 0, 1])


class Pairs(torch.utils.data.Dataset if torch else object):
    def __init__(self, pairs):
        self.pairs = pairs

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        return self.pairs[index]


class TestAsDataset:
    def test_takes_datasets_and_pairs_as_they_are(self):
        given = Dataset(X, Y, groups=[1] * 6)
        assert as_dataset(given) is given
        for pair in ((X, Y), [X, Y]):
            read = as_dataset(pair)
            assert read.X is X
            assert read.y is Y

    @needs_torch
    def test_stacks_tensors(self):
        read = as_dataset(torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y)))
        assert torch.equal(read.X, torch.tensor(X))
        assert torch.equal(read.y, torch.tensor(Y))

    def test_stacks_arrays_and_plain_labels(self):
        read = as_dataset(Pairs([(X[i].reshape(2, 1), int(Y[i])) for i in range(6)]))
        np.testing.assert_array_equal(read.X, X.reshape(6, 2, 1))
        np.testing.assert_array_equal(read.y, Y)

    def test_keeps_texts_and_ragged_records_as_lists(self):
        read = as_dataset(Pairs([("a text", "yes"), ("b", "no")]))
        assert read == read
        assert (read.X, read.y) == (["a text", "b"], ["yes", "no"])
        ragged = as_dataset(Pairs([(np.zeros(2), 0), (np.zeros(3), 1)]))
        assert [len(x) for x in ragged.X] == [2, 3]

    @needs_torch
    def test_random_augmentation_repeats_itself_and_leaves_the_generators(self):
        class Noisy(Pairs):
            def __getitem__(self, index):
                return torch.rand(2), index % 2

        before = torch.get_rng_state()
        first, again = as_dataset(Noisy([0, 0, 0])), as_dataset(Noisy([0, 0, 0]))
        assert torch.equal(first.X, again.X)
        assert torch.equal(torch.get_rng_state(), before)

    @pytest.mark.parametrize(
        ("given", "got"),
        [
            (X, "numpy.ndarray of shape (6, 2)"),
            ((X, Y, Y), "a tuple of 3"),
            ({"X": X}, "dict"),
            (None, "NoneType"),
            ("data.csv", "str"),
            (pd.DataFrame(X), "pandas.DataFrame of shape (6, 2)"),
            (Pairs([(1, 2, 3)]), "a tuple of 3, not a pair"),
            (Pairs([{"x": 1}]), "a dict, not a pair"),
        ],
    )
    def test_anything_else_is_named_beside_what_is_accepted(self, given, got):
        with pytest.raises(MIAUsageError) as caught:
            as_dataset(given)
        assert got in str(caught.value)
        assert "(X, y)" in str(caught.value)


def kinds():
    frame = pd.DataFrame(X, columns=["a", "b"], index=list("uvwxyz")).assign(c=pd.Categorical(list("ppqqrr")))
    return {
        "array": X,
        "images": np.arange(24).reshape(6, 2, 2),
        "frame": frame,
        "series": frame["c"],
        "csr": sparse.csr_matrix(X),
        "coo": sparse.coo_array(X),
        "csc": sparse.csc_matrix(X),
        "tensor": torch and torch.tensor(X),
        "texts": list("abcdef"),
        "tuple": tuple("abcdef"),
    }


def plain(value):
    if sparse.issparse(value):
        return value.toarray().tolist()
    return value.to_numpy().tolist() if hasattr(value, "iloc") else np.asarray(value).tolist()


@pytest.mark.parametrize("kind", named_cases(kinds()))
class TestRows:
    def test_counts(self, kind):
        assert count(kinds()[kind]) == 6

    @pytest.mark.parametrize("index", [[4, 1, 1], [], [True, False, False, True, False, False]])
    def test_takes_in_order_and_keeps_the_type(self, kind, index):
        given = kinds()[kind]
        taken = take(given, np.array(index, dtype=bool if index and index[0] is True else int))
        rows = [0, 3] if index and index[0] is True else index
        assert plain(taken) == [plain(given)[row] for row in rows]
        assert type(taken) is (list if kind == "tuple" else type(given))
        assert getattr(taken, "dtype", None) == getattr(given, "dtype", None)
        assert getattr(taken, "format", None) == getattr(given, "format", None)

    def test_taking_copies(self, kind):
        given = kinds()[kind]
        before = plain(given)
        taken = take(given, np.arange(6))
        if isinstance(taken, (np.ndarray, Tensor)):
            taken[:] = 0
        if sparse.issparse(taken):
            taken.data[:] = 0
        assert plain(given) == before

    def test_joins_what_was_divided(self, kind):
        given = kinds()[kind]
        joined = concatenate(take(given, [0, 1]), take(given, [2, 3, 4, 5]))
        assert plain(joined) == plain(given)
        assert type(joined) is (list if kind == "tuple" else type(given))
        assert getattr(joined, "dtype", None) == getattr(given, "dtype", None)
        if kind == "frame":
            assert list(joined.dtypes) == list(given.dtypes)


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (X, X.tolist(), "different types"),
        (X, X[:, :1], "different shapes"),
        (
            pd.DataFrame(X, columns=["a", "b"]),
            pd.DataFrame(X, columns=["a", "c"]),
            "different columns can't be joined: b, c",
        ),
        (pd.DataFrame(X, columns=["a", "b"]), pd.DataFrame(X, columns=["b", "a"]), "their order"),
        (pd.Series(["p", "q"], dtype="category"), pd.Series(["q", "r"], dtype="category"), "categories differ"),
        (
            pd.DataFrame({"sex": pd.Categorical(["m"])}),
            pd.DataFrame({"sex": pd.Categorical(["f"])}),
            "in sex; convert to category",
        ),
    ],
)
def test_records_that_do_not_fit_are_not_joined(first, second, why):
    with pytest.raises(MIAUsageError, match=why):
        concatenate(first, second)


@pytest.mark.parametrize("given", [3, None, "text", {"a": [1]}, np.array(3.0)])
def test_what_has_no_records_is_refused(given):
    with pytest.raises(MIAUsageError, match="one row or one entry per record"):
        count(given)


class TestLabels:
    @pytest.mark.parametrize(
        ("y", "classes", "codes"),
        [
            (["b", "a", "b"], ["a", "b"], [1, 0, 1]),
            (np.array([7, 3, 7]), [3, 7], [1, 0, 1]),
            (np.array([1.0, 0.0]), [0, 1], [1, 0]),
            torch_case(lambda: torch.tensor([2, 0]), [0, 2], [1, 0]),
            (pd.Series(["x", "w"], index=[5, 6], dtype="category"), ["w", "x"], [1, 0]),
            (pd.Series([True, False]), [False, True], [1, 0]),
            (pd.Series([4, 2], dtype="Int64"), [2, 4], [1, 0]),
            ([True, False], [False, True], [1, 0]),
        ],
    )
    def test_classes_are_numbered_in_order(self, y, classes, codes):
        found, numbers = encode(y)
        assert found.tolist() == classes
        assert numbers.tolist() == codes
        assert encode_by(y, found).tolist() == codes

    def test_unknown_labels_are_minus_one_and_equal_numbers_one_label(self):
        assert encode_by(np.array([1.0, 0.0, 5.0, np.nan]), np.array([0, 1])).tolist() == [1, 0, -1, -1]
        assert encode_by([True, False], np.array([0, 1])).tolist() == [1, 0]
        assert encode_by(["a", None], np.array(["a", "b"], dtype=object)).tolist() == [0, -1]

    def test_missing_values_in_lists_are_not_turned_into_text(self):
        assert as_labels(["a", np.nan])[1] is np.nan
        assert as_labels(["a", "b"]).dtype.kind == "U"


class TestProblems:
    @pytest.mark.parametrize(
        "y",
        [
            Y,
            Y.astype(float),
            Y.astype(bool),
            list("ababab"),
            pd.Series(list("ababab"), dtype="category"),
            torch_case(lambda: torch.tensor(Y)),
        ],
    )
    def test_sound_records_have_none(self, y):
        frame = pd.DataFrame({"sex": list("mfmfmf")})
        assert find_problems(Dataset(X, y, groups=range(6), slices=frame), needs_labels=True) == []
        assert (
            find_problems(Dataset(X, y, groups=list("aabbcc"), slices={"sex": list("mfmfmf")}), needs_labels=True) == []
        )

    def test_nan_features_are_left_to_the_models(self):
        assert find_problems(Dataset(np.full((6, 2), np.nan), Y), needs_labels=True) == []

    @pytest.mark.parametrize("y", [None, np.linspace(0, 1, 6), np.zeros((6, 3)), [None] * 6])
    def test_with_a_loss_y_may_be_anything(self, y):
        assert find_problems(Dataset(X, y), needs_labels=False) == []

    @pytest.mark.parametrize(
        ("dataset", "said"),
        [
            (Dataset(X, Y[:4]), "X holds 6 records and y 4"),
            (Dataset(X, Y, groups=[1]), "X holds 6 records and groups 1"),
            (Dataset(X, Y, slices={"sex": [1, 2]}), "X holds 6 records and slice 'sex' 2"),
            (Dataset(X, Y, slices={"sex": 3}), "slice 'sex': int can't be divided"),
            (Dataset(X, None), "y is missing"),
            (Dataset(X[:0], Y[:0]), "the dataset is empty"),
            (Dataset(3, Y), "X: int can't be divided"),
            (Dataset(X, [0, 1, 0, 1, None, 1]), "y: no label in 1 of 6 records, first in record 4"),
            (Dataset(X, np.array([0, np.nan, 0, np.nan, 0, 1])), "y: no label in 2 of 6 records, first in record 1"),
            (Dataset(X, ["a", "b", np.nan, "a", "b", "a"]), "first in record 2"),
            (Dataset(X, pd.Series([1, pd.NA, 0, 1, 0, 1], dtype="Int64")), "first in record 1"),
            (Dataset(X, pd.Series(["a", "b", None, "a", "b", "a"])), "first in record 2"),
            (Dataset(X, pd.Series(["a", "b", None, "a", "b", "a"], dtype="category")), "first in record 2"),
            torch_case(lambda: Dataset(X, torch.tensor([0, 1, 0, 1, 0, float("nan")])), "first in record 5"),
            (Dataset(X, np.zeros(6)), "one class only"),
            (Dataset(X, ["a"] * 6), "one class only"),
            (
                Dataset(X, np.linspace(0, 1, 6)),
                "fractions, first in record 1, .* for regression give mia_loss",
            ),
            (Dataset(X, Y[:, None]), r"shape \(6, 1\).*y.ravel"),
            (Dataset(X, np.eye(6)), "argmax"),
            (Dataset(X, [1, "a", 0, 1, "b", 1]), "mixes labels of types int, str"),
            (Dataset(X, [[1], [1, 2], [1], [1], [1], [1]]), "different lengths"),
            (Dataset(X, Y, groups=[1, 2, None, 4, 5, 6]), "groups: no id in 1 of 6 records, first in record 2"),
        ],
    )
    def test_each_is_named(self, dataset, said):
        found = find_problems(dataset, needs_labels=True)
        assert len(found) == 1
        assert re.search(said, found[0])

    def test_all_are_found_at_once(self):
        found = find_problems(Dataset(X, Y[:3], groups=[1], slices={"sex": [1], "age": [2]}), needs_labels=True)
        assert len(found) == 4


def test_datasets_and_targets_compare_by_identity_and_can_not_be_changed():
    dataset = Dataset(X, Y)
    assert dataset != Dataset(X, Y)
    with pytest.raises(AttributeError):
        dataset.X = None
    with pytest.raises(AttributeError):
        Target(None, (X, Y), (X, Y)).model = 1
