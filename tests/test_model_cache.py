"""Models that were trained before are not trained again, unless anything that could change them has changed."""

import contextlib
import dataclasses
import importlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.tree import DecisionTreeClassifier

import pytest_mia
from pytest_mia import environment
from pytest_mia.store import Entry, Store

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(120, 4)), RNG.integers(0, 3, 120)
DEPTH = 3


def tree():
    return DecisionTreeClassifier(max_depth=DEPTH)


@pytest.fixture
def audit(tmp_path):
    """Audit with a cache."""

    def run(factory=tree, dataset=(X, Y), **settings):
        settings = {"shadows": 3, "attacks": ["loss"], "jobs": 1, "cache_dir": tmp_path / "cache"} | settings
        return pytest_mia.audit(factory, dataset, **settings)

    return run


def uses(result):
    return result.cache.hits, result.cache.misses


def figures(result):
    """Everything that an audit found, the time that it took apart."""
    found = result.to_dict()
    del found["seconds"], found["cache"], found["replay"]
    return found


def entries(tmp_path):
    return sorted((tmp_path / "cache").glob("*.entry"), key=lambda path: path.stat().st_mtime_ns)


def test_the_second_audit_trains_nothing_and_finds_the_same(audit):
    without, first, second = audit(cache_dir=None), audit(), audit()

    assert uses(without) == (0, 0)
    assert uses(first) == (0, 4)
    assert uses(second) == (4, 0)
    assert figures(without) == figures(first) == figures(second)


def test_more_shadows_train_only_the_new_ones(audit):
    audit()
    more = audit(shadows=7)

    assert uses(more) == (4, 4)
    assert figures(more) == figures(audit(shadows=7, cache_dir=None))


def test_fewer_shadows_train_nothing(audit):
    audit(shadows=7)

    assert uses(audit(shadows=4)) == (5, 0)


class Varying(ClassifierMixin, BaseEstimator):
    """Answers with noise, so that several queries are averaged; the noise is seeded by the audit."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.share_ = float(y.mean())
        return self

    def predict_proba(self, X):
        odds = np.random.random((len(X), len(self.classes_))) + self.share_  # noqa: NPY002 - the audit's own seed
        return odds / odds.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("factory", [tree, Varying])
@pytest.mark.parametrize("lost", [[0], [1], [0, 2], [1, 2, 3]])
def test_any_of_the_models_may_be_lost(audit, tmp_path, factory, lost):
    """The first model decides how often all are asked, wherever it comes from."""
    whole = audit(factory)
    made = entries(tmp_path)
    assert len(made) == 5 + (factory is Varying), "four models, the attacks' result, and a control of one's own class"
    for number in lost:
        made[number].unlink()
    again = audit(factory)

    assert uses(again) == (4 - len(lost), len(lost))
    assert figures(again) == figures(whole) == figures(audit(factory, cache_dir=None))


def test_worker_processes_keep_and_find_models(audit):
    def slow():
        time.sleep(0.5)
        return tree()

    first, second = audit(slow, shadows=7, jobs=2), audit(slow, shadows=7, jobs=1)

    assert (uses(first), uses(second)) == ((0, 8), (8, 0))
    assert figures(first) == figures(second)
    assert not first.notes


def test_the_number_of_workers_does_not_matter(audit):
    audit(jobs=2)

    assert uses(audit(jobs=1)) == (4, 0)


def closure(depth):
    return lambda: DecisionTreeClassifier(max_depth=depth)


def flipped(values):
    values = values.copy()
    values[-1] = np.nextafter(values[-1], 9)
    return values


def predicting(model, X):
    return model.predict_proba(X)


def predicting_otherwise(model, X):
    return np.round(model.predict_proba(X), 1)


def training(model, X, y):
    return model.fit(X, y)


def training_otherwise(model, X, y):
    return model.fit(-X, y)


def losing(model, X, y):
    return 1.0 - model.predict_proba(X)[:, 0]


def losing_otherwise(model, X, y):
    return 1.5 - model.predict_proba(X)[:, 0]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"factory": closure(2)}, {"factory": closure(3)}),
        ({"factory": closure(2)}, {"factory": lambda: DecisionTreeClassifier(max_depth=2, min_samples_leaf=2)}),
        ({"factory": tree}, {"factory": DecisionTreeClassifier}),
        ({"dataset": (X, Y)}, {"dataset": (flipped(X), Y)}),
        ({"dataset": (X, Y)}, {"dataset": (X.astype(np.float32), Y)}),
        ({"dataset": (X, Y)}, {"dataset": (X, Y.astype(str))}),
        ({"dataset": (X, Y)}, {"dataset": (X, np.where(np.arange(120) == 7, 0, Y))}),
        ({"dataset": (X, Y)}, {"dataset": pytest_mia.Dataset(X, Y, groups=np.arange(120) // 2)}),
        ({"seed": 0}, {"seed": 1}),
        ({"queries": 1}, {"queries": 2}),
        ({"predict": predicting}, {"predict": predicting_otherwise}),
        ({"predict": predicting}, {}),
        ({"training": training}, {"training": training_otherwise}),
        ({"loss": losing}, {"loss": losing_otherwise}),
        ({"shadow_factory": closure(2)}, {"shadow_factory": closure(3)}),
    ],
)
def test_whatever_changes_what_is_trained_is_trained_again(audit, before, after):
    trained = audit(**before).cache.misses
    again = audit(**after)

    # An attacker's guess leaves the targets as they are.
    assert uses(again) == ((4, 3) if "shadow_factory" in before else (0, trained))
    assert uses(audit(**before)) == (trained, 0)


@pytest.mark.parametrize("where", ["installed", "ours"])
def test_other_versions_are_trained_again(audit, monkeypatch, where):
    audit()
    monkeypatch.setattr(environment, where, lambda: "another")

    assert uses(audit()) == (0, 4)


def test_another_python_is_trained_again(audit, monkeypatch):
    audit()
    monkeypatch.setattr(sys, "version", "3.99")

    assert uses(audit()) == (0, 4)


def test_a_global_that_the_factory_reads(audit, monkeypatch):
    audit()
    monkeypatch.setitem(globals(), "DEPTH", 4)

    assert uses(audit()) == (0, 4)


def test_the_device_counts_by_its_kind(audit, monkeypatch):
    audit()
    monkeypatch.setattr(environment, "kind", lambda device: "H200")

    assert uses(audit()) == (0, 4)


def test_torch_modules_count_by_their_training_and_their_weights(audit):
    torch = pytest.importorskip("torch")

    def net(width=4):
        return torch.nn.Sequential(torch.nn.Linear(4, width), torch.nn.ReLU(), torch.nn.Linear(width, 3))

    records, quick = (X.astype(np.float32), Y), pytest_mia.TorchTraining(epochs=1)
    first = audit(net, records, training=quick)

    assert uses(first) == (0, 4)
    assert figures(audit(net, records, training=quick)) == figures(first)
    assert uses(audit(net, records, training=pytest_mia.TorchTraining(epochs=1))) == (4, 0)
    assert uses(audit(net, records, training=pytest_mia.TorchTraining(epochs=2))) == (0, 4)
    assert uses(audit(lambda: net(5), records, training=quick)) == (0, 4)


@pytest.mark.parametrize("kind", ["frame", "sparse", "texts", "tensors"])
def test_records_of_every_kind(audit, kind):
    if kind == "frame":
        pandas = pytest.importorskip("pandas")
        factory = tree

        def records(change):
            frame = pandas.DataFrame(X, columns=list("abcd"))
            frame.iloc[3, 1] += change
            return frame, pandas.Series(Y)

    elif kind == "sparse":
        sparse = pytest.importorskip("scipy.sparse")
        factory = tree

        def records(change):
            matrix = sparse.csr_matrix(np.where(X > 0, X, 0))
            matrix.data[3] += change
            return matrix, Y

    elif kind == "texts":
        text, trees = (importlib.import_module(f"sklearn.{name}") for name in ("feature_extraction.text", "pipeline"))

        def factory():
            return trees.make_pipeline(text.HashingVectorizer(n_features=16), DecisionTreeClassifier())

        def records(change):
            return [f"text {value}" for value in X[:, 0] + change * (np.arange(120) == 3)], Y

    else:
        torch = pytest.importorskip("torch")

        def factory():
            return torch.nn.Linear(4, 3)

        def records(change):
            tensor = torch.tensor(X, dtype=torch.float32)
            tensor[3, 1] += change
            return tensor, torch.tensor(Y)

    audit(factory, records(0))

    assert uses(audit(factory, records(0))) == (4, 0)
    assert uses(audit(factory, records(1))) == (0, 4)


def test_what_cannot_be_told_by_its_content_is_trained_each_time(audit, tmp_path):
    stream = (depth for depth in range(100))
    unused = lambda: DecisionTreeClassifier() if DEPTH else next(stream)  # noqa: E731

    for _ in range(2):
        result = audit(unused)
        assert uses(result) == (0, 4)
        assert any("not cached: mia_model_factory/stream can't be told by its content" in note for note in result.notes)
    assert len(entries(tmp_path)) == 1, "the attacks' result is known by what models answered"


def test_a_factory_that_changes_from_call_to_call_is_trained_each_time(audit):
    calls = []

    def changing():
        calls.append(1)
        return DecisionTreeClassifier(max_depth=1 + len(calls) % 3)

    results = [audit(changing) for _ in range(2)]

    assert [uses(result) for result in results] == [(0, 4), (0, 4)]
    assert any("changes as they are trained" in note for note in results[0].notes)


@pytest.fixture
def settings_file(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"max_depth": 2}')
    os.utime(path, (1e9, 1e9))
    return path


def test_a_file_that_training_reads(audit, settings_file):
    def train(model, X, y):
        return model.set_params(**json.loads(settings_file.read_text())).fit(X, y)

    first = audit(training=train)
    assert uses(audit(training=train)) == (4, 0)
    settings_file.write_text('{"max_depth": 4}')
    second = audit(training=train)

    assert uses(second) == (0, 4)
    assert figures(first) != figures(second)


def test_a_file_that_the_factory_reads_once(audit, settings_file):
    """What is kept in a global after it was read is part of the code; the file that it came from counts too."""
    kept = {}

    def once():
        if not kept:
            kept.update(json.loads(settings_file.read_text()))
        return DecisionTreeClassifier(**kept)

    audit(once)
    kept.clear()
    assert uses(audit(once)) == (4, 0)
    kept.clear()
    settings_file.write_text('{"max_depth": 4}')

    assert uses(audit(once)) == (0, 4)


def test_a_file_that_changes_while_models_are_trained(audit, settings_file):
    def train(model, X, y):
        model = model.set_params(**json.loads(settings_file.read_text())).fit(X, y)
        os.utime(settings_file, (4e9, 4e9))
        return model

    results = [audit(training=train) for _ in range(2)]

    assert [uses(result) for result in results] == [(0, 4), (0, 4)]
    assert any(f"{settings_file} was changed while" in note for note in results[0].notes)


def test_a_variable_of_the_environment(audit, monkeypatch):
    def by_environment():
        return DecisionTreeClassifier(max_depth=int(os.environ.get("MIA_TEST_DEPTH", "2")))

    audit(by_environment)
    monkeypatch.setenv("MIA_UNRELATED", "1")
    assert uses(audit(by_environment)) == (4, 0)
    monkeypatch.setenv("MIA_TEST_DEPTH", "2")

    assert uses(audit(by_environment)) == (0, 4)


@pytest.fixture
def helper(tmp_path, monkeypatch):
    """Write a module of the user's and import it anew."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(**modules):
        for name, text in modules.items():
            (tmp_path / f"{name}.py").write_text(text)
            os.utime(tmp_path / f"{name}.py", (1e9, 1e9))
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return importlib.import_module(next(iter(modules)))

    yield write
    for name in ("mia_recipe", "mia_depths"):
        sys.modules.pop(name, None)


RECIPE = """
from sklearn.tree import DecisionTreeClassifier
import mia_depths

def make():
    return DecisionTreeClassifier(max_depth=mia_depths.depth())
"""
DEPTHS = "def depth():\n    return 2\n"


def test_a_module_of_the_users(audit, helper):
    audit(helper(mia_recipe=RECIPE, mia_depths=DEPTHS).make)

    assert uses(audit(helper(mia_recipe=RECIPE, mia_depths=DEPTHS).make)) == (4, 0)
    assert uses(audit(helper(mia_recipe=RECIPE, mia_depths=DEPTHS.replace("2", "3")).make)) == (0, 4)
    assert uses(audit(helper(mia_recipe=RECIPE + "# a comment\n", mia_depths=DEPTHS).make)) == (0, 4)


def test_a_module_that_training_imports(audit, helper):
    def train(model, X, y):
        import mia_depths

        return model.set_params(max_depth=mia_depths.depth()).fit(X, y)

    def rewritten(text):
        helper(mia_depths=text)
        del sys.modules["mia_depths"]

    rewritten(DEPTHS)
    audit(training=train)
    assert uses(audit(training=train)) == (4, 0), "loaded by the first audit, it is what it was"
    rewritten(DEPTHS)
    assert uses(audit(training=train)) == (4, 0), "not loaded yet, as in a new process"
    rewritten(DEPTHS.replace("2", "3"))
    assert uses(audit(training=train)) == (0, 4)


def test_refreshing_trains_all_again_and_keeps_them(audit, tmp_path):
    audit()
    for path in entries(tmp_path):
        os.utime(path, (1e9, 1e9))
    refreshed = audit(cache="refresh")

    assert uses(refreshed) == (0, 4)
    assert all(path.stat().st_mtime > 1e9 for path in entries(tmp_path))
    assert uses(audit()) == (4, 0)


def test_off_neither_finds_nor_keeps(audit, tmp_path):
    audit(cache="off")

    assert not (tmp_path / "cache").exists()
    audit()
    assert uses(audit(cache="off")) == (0, 0)


def test_damaged_entries_are_trained_again_with_a_warning(audit, tmp_path):
    whole = audit()
    for path in entries(tmp_path):
        path.write_bytes(path.read_bytes()[:-7])
    with pytest.warns(pytest_mia.CacheWarning, match="is damaged"):
        again = audit()

    assert uses(again) == (0, 4)
    assert sum("is damaged" in note for note in again.notes) == 5
    assert figures(again)["advantage"] == figures(whole)["advantage"]
    assert uses(audit()) == (4, 0)


@pytest.mark.parametrize(
    "arrays",
    [{"confidence": np.zeros(3)}, {"weights": np.zeros(120)}, {"confidence": np.zeros(120), "correct": np.zeros(119)}],
)
def test_entries_that_hold_something_else_are_trained_again(audit, tmp_path, arrays):
    whole = audit()
    kept = Store(tmp_path / "cache")
    for path in entries(tmp_path)[:4]:
        key = path.stem.removeprefix("mia-")
        kept.save(key, dataclasses.replace(Entry({**kept.load(key).words}), arrays=arrays))
    with pytest.warns(pytest_mia.CacheWarning, match="holds something else"):
        again = audit()

    assert uses(again) == (0, 4)
    assert again.advantage == whole.advantage


def test_a_folder_that_cannot_be_written_is_noted(audit, tmp_path):
    (tmp_path / "file").write_text("")
    result = audit(cache_dir=tmp_path / "file" / "cache")

    assert uses(result) == (0, 4)
    (note,) = result.notes
    assert "could not be cached" in note
    assert "Not a directory" in note
    assert result.advantage == audit(cache_dir=None).advantage


def test_no_entry_holds_a_feature_value(audit, tmp_path):
    records = pytest_mia.Dataset(
        np.where(X > 1, 1234.5678, X),
        np.array(["grün", "blau", "rot"])[Y],
        slices={"town": ["Wolkenkuckucksheim"] * 120},
    )
    audit(dataset=records)
    content = b"".join(path.read_bytes() for path in entries(tmp_path))

    assert len(content) > 10_000
    for value in (1234.5678, *X[:5].ravel()):
        assert np.float64(value).tobytes() not in content
    for text in ("1234.5678", "Wolkenkuckucksheim", "grün", "blau"):
        assert text.encode() not in content
        assert text.encode("utf-32-le") not in content


def test_a_release_keeps_its_shadows(audit):
    X2, Y2 = RNG.normal(size=(120, 4)), RNG.integers(0, 3, 120)
    first = pytest_mia.Target(tree().fit(X, Y), members=(X, Y), nonmembers=(X2, Y2))
    second = pytest_mia.Target(DummyClassifier().fit(X, Y), members=(X, Y), nonmembers=(X2, Y2))

    assert uses(audit(dataset=None, target=first)) == (0, 3)
    assert uses(audit(dataset=None, target=second)) == (3, 0), "another release is attacked with the same shadows"
    assert figures(audit(dataset=None, target=second)) == figures(audit(dataset=None, target=second, cache_dir=None))


def test_an_early_stop_keeps_what_it_trained(audit):
    early = audit(DecisionTreeClassifier, shadows=15, early_stop=True, threshold=0.05)
    assert uses(early) == (0, 4)

    assert uses(audit(DecisionTreeClassifier, shadows=7)) == (4, 4)
    assert uses(audit(DecisionTreeClassifier, shadows=15)) == (8, 8)


def test_progress_counts_models_that_are_trained(audit):
    audit()
    told = []
    audit(shadows=5, progress=lambda *each: told.append(each[:2]))

    assert told == [(0, 2), (1, 2), (2, 2)]
    audit(shadows=5, progress=lambda *each: told.append(each[:2]))
    assert told[3:] == [(0, 0)]


SCRIPT = """
import json, pathlib, sys, time
import numpy as np
from sklearn.tree import DecisionTreeClassifier
import pytest_mia

rng = np.random.default_rng(0)
X, y = rng.normal(size=(120, 4)), rng.integers(0, 3, 120)

FOLDER, PAUSE = pathlib.Path(sys.argv[1]), float(sys.argv[3])

class Slow(DecisionTreeClassifier):
    def fit(self, X, y):
        time.sleep(PAUSE)
        while len([*FOLDER.glob("*.entry")]) >= 4 and not (FOLDER.parent / "go").exists():
            time.sleep(0.05)
        return super().fit(X, y)

def main():
    print("ready", flush=True)
    sys.stdin.readline()
    result = pytest_mia.audit(
        Slow, (X, y), shadows=7, attacks=["loss"], jobs=int(sys.argv[2]),
        cache_dir=sys.argv[1], progress=lambda done, models, _: print(f"{done}/{models}", flush=True),
    )
    found = result.to_dict()
    del found["seconds"], found["replay"]
    print(json.dumps(found), flush=True)

if __name__ == "__main__":
    main()
"""


@contextlib.contextmanager
def started(tmp_path, jobs=1, cache="cache", *, pause):
    """An audit in another process, which waits until it is told to begin, and after 4 models until the file go is."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with subprocess.Popen(
        [sys.executable, script, tmp_path / cache, str(jobs), str(pause)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        yield process


def finished(process):
    *_, last = process.communicate("\n", timeout=120)[0].splitlines()
    return json.loads(last)


@pytest.mark.parametrize(("jobs", "pause"), [(1, 0.0), pytest.param(2, 0.4, marks=pytest.mark.slow)])
def test_a_killed_audit_goes_on_from_the_models_that_were_finished(tmp_path, jobs, pause):
    with started(tmp_path, jobs, pause=pause) as process:
        process.stdin.write("\n")
        process.stdin.flush()
        while process.stdout.readline() != "4/8\n":
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
    finished_before = len(entries(tmp_path))
    (tmp_path / "go").touch()
    with started(tmp_path, jobs, pause=pause) as process:
        after = finished(process)
    with started(tmp_path, jobs, "another", pause=pause) as process:
        whole = finished(process)

    assert 4 <= finished_before < 8
    assert after.pop("cache") == {"hits": finished_before, "misses": 8 - finished_before}
    assert whole.pop("cache") == {"hits": 0, "misses": 8}
    assert after == whole
    assert not any("cache" in note for note in after["notes"])


def test_two_processes_train_each_model_once(tmp_path):
    (tmp_path / "go").touch()
    with started(tmp_path, pause=0.4) as one, started(tmp_path, pause=0.4) as other:
        one.stdin.write("\n")
        one.stdin.flush()
        found = finished(other), finished(one)
    uses = [each.pop("cache") for each in found]

    assert sum(use["misses"] for use in uses) == 8
    assert sum(use["hits"] for use in uses) == 8
    assert min(use["misses"] for use in uses) >= 2, "both trained"
    assert found[0] == found[1]
    assert len(entries(tmp_path)) == 8 + 2, "the attacks' result, and a control of the user's own class"
