import dataclasses

import numpy as np
import pytest
from torches import torch, torch_case

from pytest_mia import Losses, MIAUsageError, ModelOutputs, Residuals, TokenLogProbabilities
from pytest_mia.auditing.from_outputs.read import read_outputs

rng = np.random.default_rng(0)
MODELS, RECORDS = 5, 40
LABELS = np.arange(RECORDS) % 3
MEMBERS = rng.random((MODELS, RECORDS)) < 0.5
LOGITS = rng.normal(size=(MODELS, RECORDS, 3)) + 3 * MEMBERS[:, :, None] * np.eye(3)[LABELS]
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=2, keepdims=True)
FIELDS = {"outputs": PROBABILITIES, "members": MEMBERS, "labels": LABELS}


def problems(given):
    with pytest.raises(MIAUsageError) as error:
        read_outputs(given)
    return error.value.problems


def without(name, **others):
    return {each: value for each, value in (FIELDS | others).items() if each != name}


class TestRead:
    @pytest.mark.parametrize(
        "given",
        [
            tuple(FIELDS.values()),
            [*FIELDS.values()],
            FIELDS,
            ModelOutputs(**FIELDS),
            {name: value.tolist() for name, value in FIELDS.items()},
            torch_case(lambda: {name: torch.tensor(value) for name, value in FIELDS.items()}),
        ],
    )
    def test_every_form(self, given):
        found = read_outputs(given)
        for name, value in FIELDS.items():
            np.testing.assert_array_equal(getattr(found, name), value)

    @pytest.mark.parametrize("as_path", [str, lambda path: path])
    def test_an_npz_file(self, tmp_path, as_path):
        np.savez(tmp_path / "shadows.npz", **FIELDS)
        np.testing.assert_array_equal(read_outputs(as_path(tmp_path / "shadows.npz")).outputs, PROBABILITIES)

    def test_a_file_that_is_not_there(self, tmp_path):
        (problem,) = problems(tmp_path / "none.npz")
        assert (
            problem
            == f"mia_outputs: there is no file {tmp_path / 'none.npz'}; give an npz file with outputs, members, labels"
        )

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"a,b\n1,2\n"])
    def test_a_file_of_another_kind(self, tmp_path, content):
        path = tmp_path / "shadows.npz"
        path.write_bytes(content)
        (problem,) = problems(path)
        assert "shadows.npz can't be read" in problem

    def test_a_single_array(self, tmp_path):
        np.save(tmp_path / "outputs.npy", PROBABILITIES)
        assert "outputs.npy can't be read" in problems(tmp_path / "outputs.npy")[0]

    def test_python_objects_are_not_loaded(self, tmp_path):
        np.savez(tmp_path / "objects.npz", **without("labels"), labels=np.array([None] * RECORDS))
        assert "no Python objects" in problems(tmp_path / "objects.npz")[0]

    def test_what_is_missing(self):
        assert problems({"outputs": PROBABILITIES}) == (
            "mia_outputs lacks members, labels; it needs outputs, members, labels",
        )

    @pytest.mark.parametrize("given", [PROBABILITIES, (PROBABILITIES, MEMBERS), 3])
    def test_anything_else(self, given):
        assert "mia_outputs must be (outputs, members, labels)" in problems(given)[0]


TOKENS = np.where(np.arange(6) < 1 + np.arange(RECORDS)[:, None] % 6, -rng.random((MODELS, RECORDS, 6)), np.nan)
NAMED = {
    "residuals": (Residuals(LOGITS), {"residuals": LOGITS}),
    "losses": (Losses(LOGITS[:, :, 0]), {"losses": LOGITS[:, :, 0]}),
    "token_log_probabilities": (TokenLogProbabilities(TOKENS), {"token_log_probabilities": TOKENS}),
    "token_means": (
        TokenLogProbabilities(TOKENS, TOKENS - 1, -TOKENS),
        {"token_log_probabilities": TOKENS, "token_means": TOKENS - 1, "token_deviations": -TOKENS},
    ),
}


class TestKinds:
    """Answers that say themselves what they are."""

    @staticmethod
    def assert_same(found, wanted):
        assert type(found.outputs) is type(wanted)
        for field in dataclasses.fields(wanted):
            np.testing.assert_array_equal(getattr(found.outputs, field.name), getattr(wanted, field.name))

    @pytest.mark.parametrize("kind", NAMED)
    def test_by_their_type(self, kind):
        wanted, _ = NAMED[kind]
        self.assert_same(read_outputs((wanted, MEMBERS, None)), wanted)
        self.assert_same(read_outputs({"outputs": wanted, "members": MEMBERS}), wanted)

    @pytest.mark.parametrize("kind", NAMED)
    def test_one_for_each_model(self, kind):
        wanted, _ = NAMED[kind]
        parts = {field.name: getattr(wanted, field.name) for field in dataclasses.fields(wanted)}
        parts = {name: values for name, values in parts.items() if values is not None}
        models = [type(wanted)(**{name: values[model] for name, values in parts.items()}) for model in range(MODELS)]
        self.assert_same(read_outputs((models, MEMBERS, None)), wanted)

    @pytest.mark.parametrize("kind", NAMED)
    def test_by_the_names_in_a_file(self, tmp_path, kind):
        wanted, named = NAMED[kind]
        np.savez_compressed(tmp_path / "shadows.npz", members=MEMBERS, groups=np.arange(RECORDS), **named)
        found = read_outputs(tmp_path / "shadows.npz")
        self.assert_same(found, wanted)
        np.testing.assert_array_equal(found.groups, np.arange(RECORDS))
        assert found.labels is None

    def test_answers_of_two_kinds_in_a_file(self):
        assert problems(FIELDS | {"losses": LOGITS[:, :, 0]}) == (
            "mia_outputs holds outputs and losses, answers of 2 kinds; give one of them",
        )

    def test_names_that_nobody_reads(self):
        """Who misspells his groups would be told of rows in place of people."""
        assert problems({"outputs": PROBABILITIES, "label": LABELS, "members": MEMBERS, "group": LABELS}) == (
            "mia_outputs lacks labels; it needs outputs, members, labels",
            "mia_outputs holds 'label', 'group', which is none of groups, labels, losses, members, outputs, residuals, "
            "token_deviations, token_log_probabilities, token_means",
        )

    @pytest.mark.parametrize("several", [np.ma.stack, list])
    def test_masked_entries_are_not_taken_for_numbers(self, several):
        texts = np.ma.masked_invalid(TOKENS)
        assert problems((TokenLogProbabilities(several([*texts])), MEMBERS, None)) == (
            "mia_outputs: values hold masked entries; give an array without masked entries, (models, records, tokens), "
            "NaN where a text has ended",
        )

    def test_members_are_needed_with_all(self):
        assert problems({"losses": LOGITS[:, :, 0]}) == ("mia_outputs lacks members; it needs members",)

    @pytest.mark.parametrize(
        ("other", "name"), [(Losses(LOGITS[0, :, 0]), "Losses"), (PROBABILITIES[0], "ndarray"), (None, "NoneType")]
    )
    def test_models_that_answer_in_different_ways(self, other, name):
        assert problems(([Residuals(LOGITS[0, :, 0])] * 3 + [other], MEMBERS[:4], None)) == (
            f"mia_outputs: models answer in different ways: model 0 with Residuals, model 3 with {name}; "
            "give the answers of all of them in one way",
        )

    def test_texts_of_different_lengths(self):
        texts = [[-np.ones(1 + record % 3) for record in range(RECORDS)] for _ in range(MODELS)]
        assert problems((TokenLogProbabilities(texts), MEMBERS, None)) == (
            "mia_outputs: values hold entries of different lengths; they must be an array, (models, records, tokens), "
            "NaN where a text has ended",
        )

    def test_all_that_is_no_array_at_once(self):
        ragged = [[1.0], [1.0, 2.0]]
        found = problems(ModelOutputs(ragged, MEMBERS, ragged, np.ma.array([1, 2], mask=[True, False])))
        assert [problem.removeprefix("mia_outputs: ").split(" entries")[0] for problem in found] == [
            "outputs hold",
            "labels hold",
            "groups hold masked",
        ]
