import numpy as np
import pytest

from pytest_mia.auditing.from_outputs.validate import find_problems
from pytest_mia.models.answers import Losses, Residuals, TokenLogProbabilities

rng = np.random.default_rng(0)
MODELS, RECORDS = 5, 40
LABELS = np.arange(RECORDS) % 3
MEMBERS = rng.random((MODELS, RECORDS)) < 0.5
PROBABILITIES = rng.dirichlet(np.ones(3), (MODELS, RECORDS))
FIELDS = {"outputs": PROBABILITIES, "members": MEMBERS, "labels": LABELS, "groups": None}


class TestProblems:
    @pytest.mark.parametrize("shape", [(), (RECORDS,), (MODELS, RECORDS, 3, 1)])
    def test_the_shape_of_outputs(self, shape):
        (problem,) = find_problems(**(FIELDS | {"outputs": np.zeros(shape)}))
        assert problem.endswith(f"or (models, records), got shape {shape}")

    @pytest.mark.parametrize(
        ("changed", "problem"),
        [
            ({"members": MEMBERS.T}, "members must be (models, records) = (5, 40), got shape (40, 5)"),
            ({"members": 2 * MEMBERS}, "members must hold only 0 and 1, or False and True"),
            (
                {"members": MEMBERS & (np.arange(5) != 3)[:, None]},
                "every model needs members and non-members; model 3 has one side only",
            ),
            ({"labels": LABELS[:9]}, "labels must be (records,) = (40,), got shape (9,)"),
            ({"labels": np.eye(3)[LABELS]}, "labels must be (records,) = (40,), got shape (40, 3)"),
            ({"labels": LABELS * 0}, "labels: y holds one class only (0); at least 2 are needed"),
            (
                {"labels": np.where(LABELS, LABELS, np.nan)},
                "labels: y: no label in 14 of 40 records, first in record 0; leave them out or fill them in",
            ),
            (
                {"labels": LABELS[LABELS < 2].repeat(2)[:RECORDS] + 2},
                "with 3 columns of outputs, labels must be column numbers from 0 to 2",
            ),
        ],
    )
    def test_one_by_one(self, changed, problem):
        assert find_problems(**(FIELDS | changed)) == [problem]

    def test_all_at_once(self):
        found = find_problems(PROBABILITIES[:3], MEMBERS, LABELS[:5], None)
        assert [problem.split()[0] for problem in found] == ["labels", "members", "at"]
        assert found[-1] == "at least 4 models are needed, each attacked with the others; got 3"


NUMBERS = rng.normal(size=RECORDS)
SEVERAL = rng.integers(0, 2, (RECORDS, 4))
PAIRS = rng.normal(size=(RECORDS, 2))
TOKENS = -rng.random((MODELS, RECORDS, 6))
PEOPLE = np.arange(RECORDS) // 2
TOGETHER = MEMBERS[:, PEOPLE]


def found(outputs, labels=None, groups=None, members=MEMBERS):
    return find_problems(outputs, members, labels, groups)


class TestKinds:
    @pytest.mark.parametrize(
        ("outputs", "labels"),
        [
            (PROBABILITIES[:, :, 0], NUMBERS),
            (PROBABILITIES[:, :, :1], NUMBERS),
            (PROBABILITIES[:, :, 0], NUMBERS[:, None]),
            (PROBABILITIES[:, :, :2], PAIRS),
            (TOKENS[:, :, :4], SEVERAL),
            (SEVERAL[None].repeat(MODELS, axis=0), SEVERAL),
            (Residuals(PROBABILITIES[:, :, 0]), None),
            (Residuals(PROBABILITIES), None),
            (Residuals(PROBABILITIES[:, :, 0]), LABELS),
            (Residuals(PROBABILITIES[:, :, 0]), NUMBERS),
            (Losses(PROBABILITIES[:, :, 0]), None),
            (Losses(PROBABILITIES[:, :, 0]), LABELS.astype(str)),
            (TokenLogProbabilities(TOKENS), None),
            (TokenLogProbabilities(TOKENS, TOKENS, -TOKENS), LABELS.astype(str)),
        ],
    )
    def test_all_that_an_audit_can_judge(self, outputs, labels):
        assert found(outputs, labels) == []

    @pytest.mark.parametrize(
        ("outputs", "labels", "problem"),
        [
            (
                PROBABILITIES,
                NUMBERS,
                "outputs must be (models, records), predicted numbers, since labels are floats of more than 20 values "
                "(classes are given as integers or texts), got shape (5, 40, 3)",
            ),
            (
                PROBABILITIES,
                PAIRS,
                "outputs must be (models, records, 2), for each record one number for each of its numbers, got shape "
                "(5, 40, 3)",
            ),
            (
                PROBABILITIES,
                SEVERAL,
                "outputs must be (models, records, 4), for each record one answer for each of its labels, got shape "
                "(5, 40, 3)",
            ),
            (Losses(PROBABILITIES), None, "Losses must be (models, records), got shape (5, 40, 3)"),
            (Losses(NUMBERS), None, "Losses must be (models, records), got shape (40,)"),
            (
                Residuals(PROBABILITIES[None]),
                None,
                "Residuals must be (models, records), or (models, records, numbers) where a record has several, got "
                "shape (1, 5, 40, 3)",
            ),
            (
                TokenLogProbabilities(TOKENS[0]),
                None,
                "TokenLogProbabilities must be (models, records, tokens), NaN where a text has ended, got shape "
                "(40, 6)",
            ),
            (
                TokenLogProbabilities(TOKENS, TOKENS[:, :, 1:]),
                None,
                "TokenLogProbabilities needs means and deviations of the shape of its values, (5, 40, 6), or neither; "
                "got (5, 40, 5) and none",
            ),
            (Losses(PROBABILITIES[:, :, 0].astype(str)), None, "Losses must be numbers, got <U32"),
            (
                TokenLogProbabilities(TOKENS, TOKENS.astype(str), TOKENS),
                None,
                "TokenLogProbabilities must be numbers, got <U32",
            ),
            (PROBABILITIES[:, :, 0].astype(str), NUMBERS, "outputs must be numbers, got <U32"),
            (PROBABILITIES.astype(str), LABELS, "outputs must be numbers, got <U32"),
            (
                PROBABILITIES,
                None,
                "labels are missing; without them give pytest_mia.TokenLogProbabilities, Residuals or Losses as "
                "outputs (token_log_probabilities, residuals or losses in a file)",
            ),
            (
                Residuals(PROBABILITIES[:, :, 0]),
                LABELS.astype(str),
                "labels beside Residuals must be the true numbers, got <U21; leave them out",
            ),
            (Losses(PROBABILITIES[:, :, 0]), LABELS[:9], "labels must be (records,) = (40,), got shape (9,)"),
            (PROBABILITIES[:, :, :2], PAIRS[:9], "labels must be (records, ...), 40 records, got shape (9, 2)"),
            (
                PROBABILITIES[:, :, 0],
                np.where(np.arange(RECORDS) % 9, NUMBERS, np.nan),
                "labels: y holds NaN or infinity in 5 of 40 records, first in record 0",
            ),
            (PROBABILITIES[:, :, :2], PAIRS * [1, 0], "labels: y holds the same value in all records, in column 1"),
        ],
    )
    def test_what_does_not_fit(self, outputs, labels, problem):
        shape = np.shape(getattr(outputs, "values", outputs))[:2]
        members = MEMBERS if shape == MEMBERS.shape else np.resize(MEMBERS, shape)
        assert found(outputs, labels, members=members)[:1] == [problem]

    def test_all_at_once(self):
        problems = found(Losses(TOKENS[:3].astype(str)), LABELS[:5], PEOPLE[:7])
        assert [problem.split()[0] for problem in problems] == ["Losses", "Losses", "labels", "members", "groups", "at"]

    def test_what_is_ambiguous_is_told_with_the_others(self):
        problems = found(PROBABILITIES[:, :, 0], LABELS, PEOPLE[:7], members=MEMBERS[:3])
        assert [problem.split()[0] for problem in problems] == ["outputs", "members", "groups"]


class TestAmbiguous:
    """What may be read in two ways is not guessed at."""

    @pytest.mark.parametrize("kind", [int, float])
    @pytest.mark.parametrize("guesses", [PROBABILITIES[:, :, 0], np.tile(LABELS * 1.0, (MODELS, 1))])
    def test_whole_labels_and_one_float_for_each(self, kind, guesses):
        (problem,) = found(guesses, LABELS.astype(kind))
        assert problem.startswith(
            "outputs hold one float per record, and labels hold 3 different whole numbers: a single "
        )
        assert "Give guessed labels as integers, and for a regression pytest_mia.Residuals(labels - out" in problem

    @pytest.mark.parametrize("guesses", [np.tile(LABELS, (MODELS, 1)), np.tile(LABELS, (MODELS, 1)).astype(str)])
    def test_guessed_labels_are_not(self, guesses):
        assert found(guesses, LABELS.astype(guesses.dtype)) == []

    def test_neither_is_one_column_for_two_classes(self):
        assert found(PROBABILITIES[:, :, 0], LABELS % 2) == []

    def test_fractions_that_are_few(self):
        (problem,) = found(PROBABILITIES[:, :, 0], LABELS / 2)
        assert problem.startswith(
            "labels: they hold fractions, which are no classes, first in record 1, and only 3 different values, too "
            "few for the numbers of a regression (it needs more than 20); for a regression give "
            "pytest_mia.Residuals("
        )

    def test_fewer_columns_than_classes(self):
        assert found(PROBABILITIES[:, :, :2], LABELS) == [
            "outputs have 2 columns and labels 3 classes; give a column for each, in their order"
        ]


class TestGroups:
    @pytest.mark.parametrize("ids", [PEOPLE, PEOPLE.astype(str), PEOPLE * 1.0])
    def test_whole_ones(self, ids):
        assert found(PROBABILITIES, LABELS, ids, TOGETHER) == []

    def test_divided_ones_are_named_by_their_records(self):
        members = TOGETHER.copy()
        members[2, 7] ^= True
        members[4, [9, 31]] ^= True
        assert found(PROBABILITIES, LABELS, np.array([f"id {person}" for person in PEOPLE]), members) == [
            "groups: records 6 and 7 are of one group, and only one of them is a member of model 2 (2 of 5 models "
            "divide groups); records of one group are members together or not at all"
        ]

    def test_missing_ids(self):
        (problem,) = found(PROBABILITIES, LABELS, np.where(PEOPLE == 3, np.nan, PEOPLE), TOGETHER)
        assert problem.startswith("groups: no id in 2 of 40 records, first in record 6;")

    def test_ids_of_other_records(self):
        assert found(PROBABILITIES, LABELS, PEOPLE[1:], TOGETHER) == [
            "groups must be (records,) = (40,), got shape (39,)"
        ]
