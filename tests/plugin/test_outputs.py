"""Outputs of models that were trained elsewhere, under pytest: from files, which are never run."""

import pickle

import numpy as np
import pytest
from projects import ATTACKS, conftest

import pytest_mia

GATE = "def test_release(assert_membership_advantage_below):\n    assert_membership_advantage_below(0.3)\n"
EVERY_FILE = """
@pytest.fixture(params=["numbers", "residuals", "losses", "labels", "tokens", "people"])
def mia_outputs(request):
    return request.param + ".npz"
"""


@pytest.mark.parametrize("mode", ["strict"], indirect=True)
def test_outputs_of_models_trained_elsewhere(real, reported, pytester, mode):
    generator = np.random.default_rng(0)
    labels, members = generator.integers(0, 3, 600), generator.random((8, 600)) < 0.5
    logits = generator.normal(size=(8, 600, 3)) + 4 * members[:, :, None] * np.eye(3)[labels]
    np.savez(pytester.path / "shadows.npz", outputs=logits, members=members, labels=labels)

    result = real(GATE, *mode, conftest=conftest(mia_outputs="'shadows.npz'"))

    result.assert_outcomes(failed=1)
    found = reported()["test_release"]
    assert (found["verdict"], found["models"], found["shadows"], found["records"]) == ("leak", 8, 7, 600)
    ours = pytest_mia.audit_outputs(logits, members, labels, attacks=ATTACKS).to_dict()
    assert (found["advantage"], found["attacks"]) == (ours["advantage"], ours["attacks"])


def test_files_of_outputs_of_every_kind(real, reported, pytester):
    generator = np.random.default_rng(0)
    members = (generator.random((4, 60)) < 0.5).repeat(2, axis=1)
    missed = generator.normal(size=members.shape) * np.where(members, 0.1, 1)
    y, codes = generator.normal(size=120), generator.integers(0, 2, (120, 3))
    chances = np.clip(codes + (1 - 2 * codes) * np.abs(missed)[:, :, None] / 4, 0, 1)
    tokens = np.where(np.arange(7) < 1 + np.arange(120)[:, None] % 7, -np.abs(missed)[:, :, None], np.nan)
    files = {
        "numbers": {"outputs": y - missed, "labels": y},
        "residuals": {"residuals": missed},
        "losses": {"losses": missed**2, "labels": y},
        "labels": {"outputs": chances, "labels": codes},
        "tokens": {"token_log_probabilities": tokens, "token_means": tokens - 1, "token_deviations": np.abs(tokens)},
        "people": {"outputs": y - missed, "labels": y, "groups": np.arange(120) // 2},
    }
    for name, arrays in files.items():
        np.savez_compressed(pytester.path / f"{name}.npz", members=members, **arrays)

    result = real(GATE, "-Werror", conftest=conftest(EVERY_FILE))

    result.assert_outcomes(failed=6)
    texts = pytest_mia.TokenLogProbabilities(tokens, tokens - 1, np.abs(tokens))
    answers = {"residuals": pytest_mia.Residuals(missed), "losses": pytest_mia.Losses(missed**2), "tokens": texts}
    for name, arrays in files.items():
        outputs, groups = answers.get(name, arrays.get("outputs")), arrays.get("groups")
        ours = pytest_mia.audit_outputs(outputs, members, arrays.get("labels"), groups=groups, attacks=ATTACKS)
        found = reported()[f"test_release[{name}]"]
        assert found["verdict"] == "leak"
        assert (found["advantage"], found["attacks"]) == (ours.to_dict()["advantage"], ours.to_dict()["attacks"])


def test_outputs_with_python_objects_are_refused_and_never_run(real, pytester):
    class Payload:
        def __reduce__(self):
            return open, ("run.txt", "w")

    arrays = {"outputs": np.zeros((4, 9)), "members": np.eye(4, 9), "labels": np.array([Payload()] * 9, dtype=object)}
    np.savez(pytester.path / "objects.npz", **arrays)
    (pytester.path / "pickled.npz").write_bytes(pickle.dumps(Payload()))

    for name in ("objects.npz", "pickled.npz"):
        result = real(GATE, conftest=conftest(mia_outputs=repr(name)))
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines([f"E *MIAUsageError: mia_outputs: {name} can't be read (*no Python objects"])
    assert not (pytester.path / "run.txt").exists()
