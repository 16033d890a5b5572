import numpy as np
import pytest
import torch

from pytest_mia import InvalidAuditError, MIAUsageError, ModelOutputs
from pytest_mia.outputs import read, signals

rng = np.random.default_rng(0)
MODELS, RECORDS = 5, 40
LABELS = np.arange(RECORDS) % 3
MEMBERS = rng.random((MODELS, RECORDS)) < 0.5
LOGITS = rng.normal(size=(MODELS, RECORDS, 3)) + 3 * MEMBERS[:, :, None] * np.eye(3)[LABELS]
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=2, keepdims=True)
GUESSES = LOGITS.argmax(axis=2)
FIELDS = {"outputs": PROBABILITIES, "members": MEMBERS, "labels": LABELS}


def problems(given):
    with pytest.raises(MIAUsageError) as error:
        read(given)
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
            {name: torch.tensor(value) for name, value in FIELDS.items()},
        ],
    )
    def test_every_form(self, given):
        found = read(given)
        for name, value in FIELDS.items():
            np.testing.assert_array_equal(getattr(found, name), value)

    @pytest.mark.parametrize("as_path", [str, lambda path: path])
    def test_an_npz_file(self, tmp_path, as_path):
        np.savez(tmp_path / "shadows.npz", **FIELDS)
        np.testing.assert_array_equal(read(as_path(tmp_path / "shadows.npz")).outputs, PROBABILITIES)

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


class TestProblems:
    @pytest.mark.parametrize("shape", [(), (RECORDS,), (MODELS, RECORDS, 3, 1)])
    def test_the_shape_of_outputs(self, shape):
        (problem,) = problems(without("", outputs=np.zeros(shape)))
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
            (
                {"outputs": [*PROBABILITIES.tolist()[:4], [[1.0]]]},
                "outputs hold entries of different lengths; they must be an array",
            ),
        ],
    )
    def test_one_by_one(self, changed, problem):
        assert problems(without("", **changed)) == (f"mia_outputs: {problem}",)

    def test_all_at_once(self):
        found = problems((PROBABILITIES[:3], MEMBERS, LABELS[:5]))
        assert [problem.split()[1] for problem in found] == ["members", "labels", "at"]
        assert found[-1] == "mia_outputs: at least 4 models are needed, each attacked with the others; got 3"


class TestSignals:
    def test_probabilities_and_logits_tell_the_same(self):
        ours, theirs = (signals(read((outputs, MEMBERS, LABELS)))[0] for outputs in (PROBABILITIES, LOGITS))
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-9)

    @pytest.mark.parametrize("names", [np.array(["a", "b", "c"]), np.array([1, 2, 5])])
    def test_labels_alone(self, names):
        parts, _, labels = signals(read((names[GUESSES], MEMBERS, names[LABELS])))
        assert [part.correct.mean() for part in parts] == (GUESSES == LABELS).mean(axis=1).tolist()
        assert parts[0].confidence is None
        assert labels.tolist() == LABELS.tolist()

    def test_all_models_are_read_alike(self):
        """Logits of one model may all lie in 0 to 1; read as probabilities they would hide its leak."""
        logits = LOGITS.copy()
        logits[2] = (logits[2] - logits[2].min()) / np.ptp(logits[2])
        parts, _, _ = signals(read((logits, MEMBERS, LABELS)))
        two = np.log(np.exp(logits[2, 0, 1:]).sum())
        assert parts[2].confidence[0] == pytest.approx(logits[2, 0, 0] - two)

    def test_classes_that_no_record_has(self):
        kept = LABELS > 0
        parts, _, labels = signals(read((PROBABILITIES[:, kept], MEMBERS[:, kept], LABELS[kept])))
        whole, _, _ = signals(read(FIELDS))
        assert labels.tolist() == LABELS[kept].tolist()
        np.testing.assert_array_equal(parts[0].confidence, whole[0].confidence[kept])

    def test_two_classes_in_one_column(self):
        y, p = LABELS % 2, PROBABILITIES[:, :, 0]
        (one, *_), _, _ = signals(read((p, MEMBERS, y)))
        np.testing.assert_allclose(one.confidence, np.where(y, 1, -1) * np.log(p[0] / (1 - p[0])), atol=1e-9)

    def test_nan_names_the_model_and_the_record(self):
        spoiled = PROBABILITIES.copy()
        spoiled[3, 7:9, 0] = np.nan
        with pytest.raises(InvalidAuditError, match="NaN on 2 of 40 records, first on record 7") as error:
            signals(read((spoiled, MEMBERS, LABELS)))
        assert error.value.__notes__ == ["in the outputs of model 3"]

    def test_infinite_logits_are_refused(self):
        spoiled = LOGITS.copy()
        spoiled[0, 5, 1] = -np.inf
        with pytest.raises(InvalidAuditError, match="infinite values on 1 of 40 records, first on record 5"):
            signals(read((spoiled, MEMBERS, LABELS)))

    @pytest.mark.parametrize("kind", [np.float32, np.float16])
    def test_answers_in_few_bits(self, kind):
        parts, _, _ = signals(read((PROBABILITIES.astype(kind), MEMBERS, LABELS)))
        whole, _, _ = signals(read(FIELDS))
        np.testing.assert_allclose(parts[0].confidence, whole[0].confidence, atol=0.02)
