import numpy as np
import pandas as pd
import pytest
from torches import needs_torch, torch, torch_case

from pytest_mia.core.errors import InvalidAuditError, MIAUsageError
from pytest_mia.data.labels import Task, is_labels, strata, task_of, task_problems
from pytest_mia.models.answers import Labels, LogOdds, Residuals, TokenLogProbabilities
from pytest_mia.models.reading import log_odds, read_answer

RNG = np.random.default_rng(0)
RECORDS = 300
FRACTIONS = RNG.normal(size=RECORDS)
COUNTS = np.arange(RECORDS) % 40
FEW = np.arange(RECORDS) % 10
SEVERAL = RNG.integers(0, 2, (RECORDS, 3))
ONE_HOT = np.eye(3)[FEW % 3]
NONE = np.array([])


class TestTaskOf:
    @pytest.mark.parametrize(
        ("y", "kind", "own_predict", "task"),
        [
            (FRACTIONS, None, False, Task.NUMBERS),
            (FRACTIONS, None, True, Task.NUMBERS),
            (FRACTIONS, "regressor", False, Task.NUMBERS),
            (FRACTIONS, "classifier", False, Task.CLASSES),
            (FRACTIONS, "classifier", True, Task.NUMBERS),
            torch_case(lambda: torch.tensor(FRACTIONS), None, False, Task.NUMBERS),
            (pd.Series(FRACTIONS), None, False, Task.NUMBERS),
            (FRACTIONS[:, None], None, False, Task.NUMBERS),
            (FRACTIONS.tolist(), None, False, Task.NUMBERS),
            (FEW / 2, None, False, Task.CLASSES),
            (FEW / 2, "regressor", False, Task.NUMBERS),
            (FEW / 2, "regressor", True, Task.NUMBERS),
            (FEW * 1.0, None, False, Task.CLASSES),
            (FEW * 1.0, "regressor", False, Task.NUMBERS),
            (FEW * 1.0, "regressor", True, Task.CLASSES),
            (COUNTS * 1.0, None, False, Task.NUMBERS),
            (COUNTS * 1.0, "classifier", False, Task.CLASSES),
            (COUNTS, None, False, Task.CLASSES),
            (COUNTS, "regressor", False, Task.NUMBERS),
            (COUNTS, "regressor", True, Task.CLASSES),
            (FEW, "regressor", False, Task.CLASSES),
            (FEW > 4, "regressor", False, Task.CLASSES),
            (FEW.astype(str), "regressor", False, Task.CLASSES),
            (SEVERAL, None, False, Task.LABELS),
            (SEVERAL * 1.0, None, False, Task.LABELS),
            (SEVERAL > 0, "classifier", False, Task.LABELS),
            (pd.DataFrame(SEVERAL), None, True, Task.LABELS),
            (ONE_HOT, None, False, Task.CLASSES),
            (RNG.normal(size=(9, 2)), None, False, Task.NUMBERS),
            (SEVERAL + 1, None, False, Task.CLASSES),
            (SEVERAL + 1, "regressor", False, Task.NUMBERS),
            (np.zeros((4, 2, 2)), None, False, Task.CLASSES),
            ([[1], [1, 2]], None, False, Task.CLASSES),
            (None, None, True, Task.LIKELIHOOD),
            (None, None, False, Task.CLASSES),
        ],
    )
    def test_by_the_labels_and_where_they_leave_it_open_by_the_model(self, y, kind, own_predict, task):
        assert task_of(y, kind=kind, own_predict=own_predict) is task

    @pytest.mark.parametrize(("records", "distinct", "task"), [
        (100, 20, Task.CLASSES), (100, 21, Task.NUMBERS), (400, 40, Task.CLASSES), (400, 41, Task.NUMBERS),
    ])  # fmt: skip
    def test_many_values_are_more_than_twenty_and_than_a_tenth_of_the_records(self, records, distinct, task):
        y = (np.arange(records) % distinct) / 2
        assert task_of(y, kind=None, own_predict=False) is task


class TestProblems:
    def test_numbers_that_are_none(self):
        y = FRACTIONS.copy()
        y[[4, 7]] = np.nan, np.inf
        (found,) = task_problems(y, Task.NUMBERS)
        assert found == "y holds NaN or infinity in 2 of 300 records, first in record 4"

    def test_a_column_that_never_changes(self):
        y = SEVERAL.copy()
        y[:, 1] = 1
        assert task_problems(y, Task.LABELS) == ["y holds the same value in all records, in column 1"]

    @pytest.mark.parametrize(("y", "task"), [
        (FRACTIONS, Task.NUMBERS), (SEVERAL, Task.LABELS), (None, Task.LIKELIHOOD), (FEW, Task.CLASSES),
    ])  # fmt: skip
    def test_sound_ones(self, y, task):
        assert task_problems(y, task) == []


class TestStrata:
    def test_deciles_of_numbers(self):
        found = strata(FRACTIONS, Task.NUMBERS, RECORDS)
        assert np.bincount(found).tolist() == [30] * 10
        assert (np.diff(found[np.argsort(FRACTIONS)]) >= 0).all()

    def test_deciles_of_several_numbers_whatever_their_scales(self):
        y = np.column_stack([FRACTIONS, RNG.normal(size=RECORDS)])
        found = strata(y, Task.NUMBERS, RECORDS)
        assert np.bincount(found).tolist() == [30] * 10
        assert (found == strata(y * [1e-9, 1e-9], Task.NUMBERS, RECORDS)).all()

    def test_which_labels_hold_where_that_is_few_patterns(self):
        found = strata(SEVERAL, Task.LABELS, RECORDS)
        assert len(np.unique(found)) == 8
        assert all(len(np.unique(SEVERAL[found == stratum], axis=0)) == 1 for stratum in range(8))

    def test_how_many_labels_hold_where_it_is_many(self):
        y = RNG.integers(0, 2, (RECORDS, 12))
        found = strata(y, Task.LABELS, RECORDS)
        assert all(len(np.unique(y.sum(axis=1)[found == stratum])) == 1 for stratum in np.unique(found))

    def test_none_of_texts(self):
        assert strata(None, Task.LIKELIHOOD, 5).tolist() == [0] * 5


class TestRead:
    def test_classes_as_ever(self):
        assert isinstance(read_answer([1, 0], np.array([0, 1]), None), Labels)

    @pytest.mark.parametrize(
        "values", [[1.0, 5.0], [[1.0], [5.0]], np.array([1, 5]), torch_case(lambda: torch.tensor([[1.0], [5.0]]))]
    )
    @pytest.mark.parametrize("y", [np.array([3.0, 4.0]), np.array([[3.0], [4.0]]), [3, 4]])
    def test_residuals_are_the_truth_less_the_answer(self, values, y):
        answer = read_answer(values, NONE, y)
        assert isinstance(answer, Residuals)
        assert answer.values.tolist() == [[2.0], [-1.0]]

    def test_several_outputs(self):
        assert read_answer([[1.0, 2.0]], NONE, np.array([[1.5, 4.0]])).values.tolist() == [[0.5, 2.0]]

    def test_probabilities_and_logits_of_labels(self):
        y = np.array([[1, 0], [0, 0]])
        from_probabilities = read_answer(np.array([[0.8, 0.2], [0.5, 0.8]]), NONE, y)
        from_logits = read_answer(np.array([[np.log(4), -np.log(4)], [0, np.log(4)]]), NONE, y)
        assert isinstance(from_probabilities, LogOdds)
        assert from_probabilities.values == pytest.approx(from_logits.values)
        assert from_logits.values == pytest.approx(np.log(4) * np.array([[1, 1], [0, -1]]))

    def test_labels_alone_are_certain(self):
        found = read_answer(np.array([[1, 0]]), NONE, np.array([[1, 1]])).values
        assert found.tolist() == [[np.inf, -np.inf]]

    def test_probabilities_out_of_range_are_invalid(self):
        with pytest.raises(InvalidAuditError, match="outside of 0 to 1 on 1 of 1"):
            log_odds(np.array([[1.5, 0.0]]), np.array([[1, 0]]), probabilities=True)

    @pytest.mark.parametrize(
        ("values", "y", "said"),
        [
            ([1.0, 2.0, 3.0], [1.0, 2.0], r"can't be compared with y of shape \(2,\)"),
            ([[1.0, 2.0]], [[1.0]], r"can't be compared with y of shape \(1, 1\)"),
            (["a", "b"], [1.0, 2.0], "one number for each"),
            ([1.0], None, "TokenLogProbabilities, got list; give y, or mia_loss"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, values, y, said):
        with pytest.raises(MIAUsageError, match=said):
            read_answer(values, NONE, y)

    @needs_torch
    def test_tokens_of_any_type(self):
        values = torch.tensor([[-1.0, float("nan")]])
        answer = read_answer(TokenLogProbabilities(values, values, -values), NONE, None)
        assert answer.values.dtype == np.float64
        assert answer.deviations[0, 0] == 1

    @pytest.mark.parametrize("parts", [
        (np.zeros(3),), (np.zeros((2, 3)), np.zeros((2, 3))), (np.zeros((2, 3)), np.zeros((2, 2)), np.zeros((2, 2))),
    ])  # fmt: skip
    def test_tokens_of_wrong_shapes(self, parts):
        with pytest.raises(MIAUsageError, match=r"needs values \(records, tokens\), and means and deviations"):
            read_answer(TokenLogProbabilities(*parts), NONE, None)


@pytest.mark.parametrize(("y", "several"), [(SEVERAL, True), (FRACTIONS, False), (FEW > 4, False), (None, False)])
def test_labels_are_several_columns_of_zero_and_one(y, several):
    assert is_labels(y) is several
