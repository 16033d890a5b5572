import numpy as np
import pandas as pd
import pytest
from torches import needs_torch, torch, torch_case

from pytest_mia.core.errors import InvalidAuditError, MIAUsageError
from pytest_mia.models.answers import (
    Labels,
    Logits,
    LogOdds,
    Losses,
    Probabilities,
    Residuals,
    TokenLogProbabilities,
    as_logits,
    check_answer,
    interpret,
    read_losses,
)

TWO, THREE, NAMES = np.array([0, 1]), np.array([0, 1, 2]), np.array(["cat", "dog", "eel"])
P3 = np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
Z3 = np.array([[2.0, 1.0, 0.0], [-1.0, 3.0, 1.0]])

NAN = float("nan")
TOKENS = np.array([[-1.0, -2.0], [-1.0, NAN], [-0.5, NAN]])


class TestInterpret:
    @pytest.mark.parametrize(
        ("values", "classes", "kind", "expected"),
        [
            (P3, THREE, Probabilities, P3),
            (P3.astype(np.float32), NAMES, Probabilities, P3),
            (P3 * 0.9, THREE, Probabilities, P3 * 0.9),
            (Z3, THREE, Logits, Z3),
            torch_case(lambda: torch.tensor(Z3), THREE, Logits, Z3),
            torch_case(lambda: torch.tensor(Z3, requires_grad=True), THREE, Logits, Z3),
            (pd.DataFrame(Z3), THREE, Logits, Z3),
            (Z3.tolist(), THREE, Logits, Z3),
            (np.array([[3, 1, 0], [0, 2, 2]]), THREE, Logits, [[3, 1, 0], [0, 2, 2]]),
            (np.array([[-2.0], [3.0]]), TWO, Logits, [[0, -2], [0, 3]]),
            (np.array([-2.0, 3.0]), TWO, Logits, [[0, -2], [0, 3]]),
            (np.array([[0.25], [1.0]]), TWO, Probabilities, [[0.75, 0.25], [0, 1]]),
            (np.array([0.25, 1.0]), np.array(["no", "yes"]), Probabilities, [[0.75, 0.25], [0, 1]]),
        ],
    )
    def test_scores(self, values, classes, kind, expected):
        answer = interpret(values, classes)
        assert type(answer) is kind
        np.testing.assert_array_equal(answer.values, np.asarray(expected))
        assert answer.values.dtype.kind == "f"

    @pytest.mark.parametrize(
        ("values", "classes", "codes"),
        [
            (np.array([2, 0, 1]), THREE, [2, 0, 1]),
            (np.array([2.0, 0.0, 1.0]), THREE, [2, 0, 1]),
            torch_case(lambda: torch.tensor([2, 0, 1]), THREE, [2, 0, 1]),
            (np.array([1.0, 0.0]), TWO, [1, 0]),
            (np.array([True, False]), TWO, [1, 0]),
            (np.array([[1], [0]]), TWO, [1, 0]),
            (["eel", "cat"], NAMES, [2, 0]),
            (pd.Series(["eel", "cat"]), NAMES, [2, 0]),
            (np.array([["eel"], ["cat"]], dtype=object), NAMES, [2, 0]),
            (["eel", "ant"], NAMES, [2, -1]),
            (np.array([7, 0]), THREE, [-1, 0]),
        ],
    )
    def test_labels(self, values, classes, codes):
        answer = interpret(values, classes)
        assert isinstance(answer, Labels)
        assert answer.codes.tolist() == codes

    @pytest.mark.parametrize(
        ("values", "classes"),
        [
            (np.zeros((2, 4)), THREE),
            (np.zeros((2, 3, 3)), THREE),
            (np.array([0.5, 1.5]), THREE),
            (np.array([[0.5], [1.5]]), THREE),
            (np.array([0, 1]), NAMES),
            (3.0, TWO),
            (np.array([["a", "b"]]), TWO),
        ],
    )
    def test_anything_else_is_refused_with_its_shape(self, values, classes):
        with pytest.raises(
            MIAUsageError, match=rf"can't be read for {len(classes)} classes.*\(records, {len(classes)}\)"
        ):
            interpret(values, classes)

    def test_keeps_the_precision_and_widens_halves(self):
        assert interpret(P3.astype(np.float32), THREE).values.dtype == np.float32
        assert interpret(P3, THREE).values.dtype == np.float64
        assert interpret(P3.astype(np.float16), THREE).values.dtype == np.float32

    @needs_torch
    def test_widens_halves_of_torch(self):
        assert interpret(torch.tensor(P3, dtype=torch.bfloat16), THREE).values.dtype == np.float32


class TestAsLogits:
    def test_small_logits_are_no_probabilities(self):
        small = np.array([[0.1, 0.2, 0.3], [0.5, 0.5, 0.5]])
        assert isinstance(interpret(small, THREE), Probabilities)
        answer = as_logits(small, THREE)
        assert isinstance(answer, Logits)
        np.testing.assert_array_equal(answer.values, small)

    def test_rows_that_sum_to_one_are(self):
        assert isinstance(as_logits(P3.astype(np.float32), THREE), Probabilities)

    @pytest.mark.parametrize("column", [[0.25, 0.5], [0.0, 1.0], [-4.0, 4.0]])
    @pytest.mark.parametrize("shape", [(2,), (2, 1)])
    def test_one_column_is_always_a_logit(self, column, shape):
        answer = as_logits(np.array(column).reshape(shape), TWO)
        assert isinstance(answer, Logits)
        np.testing.assert_array_equal(answer.values, [[0, column[0]], [0, column[1]]])

    def test_refuses_what_interpret_refuses(self):
        with pytest.raises(MIAUsageError):
            as_logits(np.zeros((2, 4)), THREE)


class TestLosses:
    @pytest.mark.parametrize(
        "values",
        [[1.5, 2.0], np.array([[1.5], [2.0]]), torch_case(lambda: torch.tensor([1.5, 2.0])), pd.Series([1.5, 2])],
    )
    def test_one_per_record(self, values):
        assert read_losses(values).values.tolist() == [1.5, 2.0]

    def test_whole_numbers_are_losses_too(self):
        assert read_losses(np.array([0, 1])).values.dtype == np.float64

    @pytest.mark.parametrize("values", [1.5, torch_case(lambda: torch.tensor(1.5)), np.zeros((2, 2)), ["a"]])
    def test_anything_else_is_refused(self, values):
        with pytest.raises(MIAUsageError, match="one loss per record"):
            read_losses(values)


class TestChecked:
    @pytest.mark.parametrize(
        "answer",
        [
            Probabilities(P3),
            Probabilities(P3 * 0.5),
            Probabilities(P3 + 1e-8),
            Logits(Z3),
            Labels(np.array([0, -1])),
            Losses(np.array([0.0, -3.0])),
            Residuals(np.array([[1.0], [-2.0]])),
            LogOdds(np.array([[1.0, 2.0], [-2.0, 0.0]])),
            LogOdds(np.array([[np.inf, 2.0], [-np.inf, 0.0]])),
            Logits(np.array([[0.0, -np.inf], [-np.inf, 0.0]])),
            TokenLogProbabilities(TOKENS[:2], TOKENS[:2], -TOKENS[:2]),
        ],
    )
    def test_sound_answers_come_back_as_they_are(self, answer):
        assert check_answer(answer, 2) is answer

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (
                Probabilities(np.array([[0.5, 0.5], [np.nan, 0.5], [np.nan, np.nan]])),
                "NaN on 2 of 3 records, first on record 1",
            ),
            (
                Probabilities(np.array([[1.0, 0.0], [1.0, 0.0], [1.01, 0.0]])),
                "0 to 1 on 1 of 3 records, first on record 2",
            ),
            (
                Probabilities(np.array([[-0.01, 1.0], [1.0, 0.0], [1.0, 0.0]])),
                "0 to 1 on 1 of 3 records, first on record 0",
            ),
            (
                Logits(np.array([[0.0, 1.0], [0.0, np.inf], [0.0, -np.inf]])),
                "infinite values on 1 of 3 records, first on record 1",
            ),
            (
                Logits(np.array([[0.0, 1.0], [0.0, -np.inf], [-np.inf, -np.inf]])),
                "minus infinity for every class on 1 of 3 records, first on record 2",
            ),
            (Logits(np.array([[0.0, 1.0], [0.0, 0.0], [0.0, np.nan]])), "NaN on 1 of 3 records, first on record 2"),
            (Losses(np.array([1.0, np.inf, 1.0])), "infinite values on 1 of 3 records, first on record 1"),
            (Losses(np.array([np.nan, 1.0, 1.0])), "NaN on 1 of 3 records, first on record 0"),
            (Losses(np.zeros(2)), "2 answers on 3 records"),
            (Labels(np.zeros(4, dtype=int)), "4 answers on 3 records"),
            (Residuals(np.array([[1.0], [np.nan], [np.nan]])), "NaN on 2 of 3 records, first on record 1"),
            (LogOdds(np.array([[1.0, 2.0], [0.0, np.nan], [0, 0]])), "NaN on 1 of 3 records, first on record 1"),
            (TokenLogProbabilities(TOKENS * [[1], [NAN], [NAN]]), "NaN for every token on 2 of 3 records, first on re"),
            (TokenLogProbabilities(TOKENS * [[1], [1], [-1]]), "log-probabilities above 0 on 1 of 3 .* record 2"),
            (TokenLogProbabilities(TOKENS * [[1], [np.inf], [1]]), "infinite values on 1 of 3 records, first on rec"),
            (TokenLogProbabilities(TOKENS, TOKENS, TOKENS), "or below 0 on 3 of 3 records, first on record 0"),
            (TokenLogProbabilities(TOKENS, TOKENS * [[1], [NAN], [1]], -TOKENS), "no numbers.* on 1 of 3 .* record 1"),
        ],
    )
    def test_others_are_invalid(self, answer, said):
        with pytest.raises(InvalidAuditError, match=said):
            check_answer(answer, 3)
