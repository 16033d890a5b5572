"""Models that were trained before are not trained again, unless anything that could change them has changed."""

import importlib
import sys
import time

import numpy as np
import pytest
import whole
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.tree import DecisionTreeClassifier
from whole import NOISE, entries, figures, tree, uses

import pytest_mia
from pytest_mia.cache import environment, traces
from pytest_mia.models.torch import tensors

X, Y = NOISE
RNG = np.random.default_rng(1)


def test_the_second_audit_trains_nothing_and_finds_the_same(cached_audit):
    without, first, second = cached_audit(cache_dir=None), cached_audit(), cached_audit()

    assert uses(without) == (0, 0)
    assert uses(first) == (0, 4)
    assert uses(second) == (4, 0)
    assert figures(without) == figures(first) == figures(second)


def test_more_shadows_train_only_the_new_ones(cached_audit):
    cached_audit()
    more = cached_audit(shadows=7)

    assert uses(more) == (4, 4)
    assert figures(more) == figures(cached_audit(shadows=7, cache_dir=None))


def test_fewer_shadows_train_nothing(cached_audit):
    cached_audit(shadows=7)

    assert uses(cached_audit(shadows=4)) == (5, 0)


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
def test_any_of_the_models_may_be_lost(cached_audit, tmp_path, factory, lost):
    """The first model decides how often all are asked, wherever it comes from."""
    whole = cached_audit(factory)
    made = entries(tmp_path)
    assert len(made) == 5 + (factory is Varying), "four models, the attacks' result, and a control of one's own class"
    for number in lost:
        made[number].unlink()
    again = cached_audit(factory)

    assert uses(again) == (4 - len(lost), len(lost))
    assert figures(again) == figures(whole) == figures(cached_audit(factory, cache_dir=None))


def test_worker_processes_keep_and_find_models(cached_audit):
    def slow():
        time.sleep(0.5)
        return tree()

    first, second = cached_audit(slow, shadows=7, jobs=2), cached_audit(slow, shadows=7, jobs=1)

    assert (uses(first), uses(second)) == ((0, 8), (8, 0))
    assert figures(first) == figures(second)
    assert not first.notes


def test_the_number_of_workers_does_not_matter(cached_audit):
    cached_audit(jobs=2)

    assert uses(cached_audit(jobs=1)) == (4, 0)


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
def test_whatever_changes_what_is_trained_is_trained_again(cached_audit, before, after):
    trained = cached_audit(**before).cache.misses
    again = cached_audit(**after)

    # An attacker's guess leaves the targets as they are.
    assert uses(again) == ((4, 3) if "shadow_factory" in before else (0, trained))
    assert uses(cached_audit(**before)) == (trained, 0)


def test_another_version_of_this_package_trains_again(cached_audit, monkeypatch):
    cached_audit()
    monkeypatch.setattr(environment, "digest_own_code", lambda: "another")

    assert uses(cached_audit()) == (0, 4)


def test_another_version_of_a_package_that_is_loaded(cached_audit, monkeypatch):
    cached_audit()
    monkeypatch.setitem(traces.DIGESTS, "packages", lambda name: f"another {name}")

    assert uses(cached_audit()) == (0, 4)


def test_another_python_is_trained_again(cached_audit, monkeypatch):
    cached_audit()
    monkeypatch.setattr(sys, "version", "3.99")

    assert uses(cached_audit()) == (0, 4)


def test_a_global_that_the_factory_reads(cached_audit, monkeypatch):
    cached_audit()
    monkeypatch.setattr(whole, "DEPTH", 4)

    assert uses(cached_audit()) == (0, 4)


def test_the_device_counts_by_its_kind(cached_audit, monkeypatch):
    cached_audit()
    monkeypatch.setattr(tensors, "device_kind", lambda device: "H200")

    assert uses(cached_audit()) == (0, 4)


def test_torch_modules_count_by_their_training_and_their_weights(cached_audit):
    torch = pytest.importorskip("torch")

    def net(width=4):
        return torch.nn.Sequential(torch.nn.Linear(4, width), torch.nn.ReLU(), torch.nn.Linear(width, 3))

    records, quick = (X.astype(np.float32), Y), pytest_mia.TorchTraining(epochs=1)
    first = cached_audit(net, records, training=quick)

    assert uses(first) == (0, 4)
    assert figures(cached_audit(net, records, training=quick)) == figures(first)
    assert uses(cached_audit(net, records, training=pytest_mia.TorchTraining(epochs=1))) == (4, 0)
    assert uses(cached_audit(net, records, training=pytest_mia.TorchTraining(epochs=2))) == (0, 4)
    assert uses(cached_audit(lambda: net(5), records, training=quick)) == (0, 4)


@pytest.mark.parametrize("kind", ["frame", "sparse", "texts", "tensors"])
def test_records_of_every_kind(cached_audit, kind):
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

    cached_audit(factory, records(0))

    assert uses(cached_audit(factory, records(0))) == (4, 0)
    assert uses(cached_audit(factory, records(1))) == (0, 4)


def test_what_cannot_be_told_by_its_content_is_trained_each_time(cached_audit, tmp_path):
    stream = (depth for depth in range(100))
    unused = lambda: DecisionTreeClassifier() if whole.DEPTH else next(stream)  # noqa: E731

    for _ in range(2):
        result = cached_audit(unused)
        assert uses(result) == (0, 4)
        assert any("not cached: mia_model_factory/stream can't be told by its content" in note for note in result.notes)
    assert len(entries(tmp_path)) == 1, "the attacks' result is known by what models answered"


def test_a_factory_that_changes_from_call_to_call_is_trained_each_time(cached_audit):
    calls = []

    def changing():
        calls.append(1)
        return DecisionTreeClassifier(max_depth=1 + len(calls) % 3)

    results = [cached_audit(changing) for _ in range(2)]

    assert [uses(result) for result in results] == [(0, 4), (0, 4)]
    assert any("changes while they are trained" in note for note in results[0].notes)


def test_a_release_keeps_its_shadows(cached_audit):
    X2, Y2 = RNG.normal(size=(120, 4)), RNG.integers(0, 3, 120)
    first = pytest_mia.Target(tree().fit(X, Y), members=(X, Y), nonmembers=(X2, Y2))
    second = pytest_mia.Target(DummyClassifier().fit(X, Y), members=(X, Y), nonmembers=(X2, Y2))

    assert uses(cached_audit(dataset=None, target=first)) == (0, 3)
    assert uses(cached_audit(dataset=None, target=second)) == (3, 0), (
        "another release is attacked with the same shadows"
    )
    assert figures(cached_audit(dataset=None, target=second)) == figures(
        cached_audit(dataset=None, target=second, cache_dir=None)
    )


def test_an_early_stop_keeps_what_it_trained(cached_audit):
    early = cached_audit(DecisionTreeClassifier, shadows=15, early_stop=True, threshold=0.05)
    assert uses(early) == (0, 4)

    assert uses(cached_audit(DecisionTreeClassifier, shadows=7)) == (4, 4)
    assert uses(cached_audit(DecisionTreeClassifier, shadows=15)) == (8, 8)


def test_progress_counts_models_that_are_trained(cached_audit):
    cached_audit()
    told = []
    cached_audit(shadows=5, progress=lambda *each: told.append(each[:2]))

    assert told == [(0, 2), (1, 2), (2, 2)]
    cached_audit(shadows=5, progress=lambda *each: told.append(each[:2]))
    assert told[3:] == [(0, 0)]
