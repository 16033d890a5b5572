"""Probes as part of an audit: which ones run, the same for every model, in any process, and from the cache."""

import random

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from torches import generator_state, named_cases, torch
from whole import finish

import pytest_mia
from pytest_mia import MIAUsageError, ModelTrainingError, TorchTraining
from pytest_mia.attacks import registry as attacks
from pytest_mia.auditing import run
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.settings import Settings
from pytest_mia.data.records import Data
from pytest_mia.models.queries import hop_skip_jump, registry
from pytest_mia.training.backends import loky
from pytest_mia.training.backends.loky import Loky
from pytest_mia.training.jobs import Job, Method
from pytest_mia.training.query import query_released
from pytest_mia.training.train import train_all

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4)).astype(np.float32)
Y = (X[:, 0] + RNG.normal(size=80) > 0).astype(int)
MEMBERS = RNG.random((4, 80)) < 0.5
DATA = Data(X, Y, np.array([0, 1]), Y)
FIELDS = ("correct", "confidence", "noise_robustness", "augmented_correct", "boundary_distance", "gradient_norm")


def tree():
    return DecisionTreeClassifier(max_features=1)


def labels(model, X):
    return model.predict(X)


def jitter(X, rng):
    return X + rng.normal(0, 0.1, X.shape).astype(X.dtype)


def method(names=None, predict=None, training=None, augment=None, seed=0):
    return Method(training, predict, None, "cpu", None, augment, names, seed)


def trained(factory, how, workers=1, models=4):
    jobs = [Job(number, 100 + number, factory, MEMBERS[number]) for number in range(models)]
    return train_all(jobs, DATA, how, backend=Loky(workers))


def alike(first, second):
    for name in FIELDS:
        ours, theirs = getattr(first, name), getattr(second, name)
        assert (ours is None) == (theirs is None), name
        assert ours is None or (ours == theirs).all(), name


class TestChoice:
    def test_coarse_answers_are_probed_with_noise(self):
        models = trained(tree, method())
        assert [one.probes for one in models] == [("label_noise",)] * 4
        assert all(one.signals.noise_robustness.shape == (80, 4) for one in models)

    def test_fine_ones_are_not(self):
        models = trained(GaussianNB, method())
        assert [one.probes for one in models] == [()] * 4
        assert all(one.signals.noise_robustness is None for one in models)

    def test_what_is_asked_for_is_run_on_any_model(self):
        models = trained(GaussianNB, method(("label_noise",)))
        assert all(one.signals.noise_robustness.shape == (80, 4) for one in models)

    def test_the_first_model_decides_for_all(self):
        """Later models that answer in fine steps are probed as the first one is."""

        def predict(model, X):
            fine = model.predict_proba(X)
            return np.round(fine) if model.class_count_.sum() == MEMBERS[0].sum() else fine

        models = trained(GaussianNB, method(predict=predict))
        assert [one.probes for one in models] == [("label_noise",)] * 4

    def test_attacks_name_their_probes(self):
        def of(*names):
            return registry.names_that_measure(attacks.reads(names))

        assert of("gap", "loss", "augmentation") == ()
        assert of("label_noise") == of("calibrated_label_noise", "gap") == ("label_noise",)
        assert of("hop_skip_jump", "calibrated_gradient_norm") == ("hop_skip_jump", "gradient_norm")
        assert {probe.name for probe in registry.PROBES} == {"label_noise", "hop_skip_jump", "gradient_norm"}

    def test_attacks_without_probes_ask_once(self):
        result = pytest_mia.audit(tree, (X, Y), attacks=["gap"], shadows=3, jobs=1)
        assert not any("noisy" in note for note in result.notes)

    def test_a_model_that_cannot_be_asked_about_copies_is_audited_without(self):
        """A look-up, such as of a known code, fails on any change; then the note says that nothing was tried."""
        known = {row.tobytes() for row in X}

        def predict(model, X):
            if not all(row.tobytes() in known for row in X):
                raise KeyError("an unknown code")
            return model.predict(X)

        result = pytest_mia.audit(GaussianNB, (X, Y), predict=predict, shadows=3, jobs=1)
        assert {attack.name for attack in result.attacks} == {"gap", "calibrated_gap"}
        assert any("was asked about each record once" in note for note in result.notes)
        with pytest.raises(ModelTrainingError, match="KeyError: 'an unknown code'"):
            pytest_mia.audit(GaussianNB, (X, Y), predict=predict, attacks=["label_noise"], shadows=3, jobs=1)

    def test_losses_have_no_classes_to_ask_for(self):
        with pytest.raises(MIAUsageError, match="label_noise asks for classes, and mia_loss gives none"):
            pytest_mia.audit(
                GaussianNB, (X, Y), loss=lambda model, X, y: y - y, attacks=["loss", "label_noise"], shadows=3
            )

    @pytest.mark.parametrize("name", ["label_noise", "hop_skip_jump"])
    def test_numbers_and_several_labels_have_none_either(self, name):
        """Told before any training, rather than by what the first model makes of a changed copy."""

        def train(model, X, y):
            raise AssertionError

        for y in (X[:, 0], np.stack([Y, 1 - Y, Y], axis=1)):
            with pytest.raises(MIAUsageError, match=f"{name} asks for classes, and y holds none"):
                pytest_mia.audit(dict, (X, y), training=train, predict=labels, attacks=[name], shadows=3)

    def test_outputs_answer_no_questions(self):
        outputs, members = RNG.integers(0, 2, (4, 80)), RNG.random((4, 80)) < 0.5
        with pytest.raises(MIAUsageError, match="label_noise asks the models themselves, which outputs can't answer"):
            pytest_mia.audit_outputs(outputs, members, Y, attacks=["gap", "label_noise"])
        result = pytest_mia.audit_outputs(outputs, members, Y)
        assert any("was asked about each record once" in note for note in result.notes)

    def test_shadow_models_that_are_kept_are_not_probed(self):
        asked = []

        def predict(model, X):
            asked.append(0)
            return model.predict(X)

        finish(run.train(AuditRequest(GaussianNB, (X, Y), predict=predict), Settings(shadows=3)))
        assert len(asked) == 2 + 5, "two show whether answers come in order"


class TestReleased:
    target = pytest_mia.Target(DecisionTreeClassifier().fit(X[:40], Y[:40]), (X[:40], Y[:40]), (X[40:], Y[40:]))

    def test_it_is_asked_about_the_same_copies_as_its_shadows(self):
        seen = []

        def predict(model, X):
            seen.append(X.copy())
            return model.predict(X)

        model = GaussianNB().fit(X[MEMBERS[0]], Y[MEMBERS[0]])
        how = method(predict=predict, seed=7)
        asked = query_released(model, DATA, how, 7)
        # Two questions of each show whether answers come in order.
        released, number = seen[2:], len(seen) + 2
        (one,) = train_all([Job(0, 100, GaussianNB, MEMBERS[0])], DATA, how)
        assert asked.probes == one.probes == ("label_noise",)
        assert all((a == b).all() for a, b in zip(released, seen[number:], strict=True))
        assert (asked.signals.noise_robustness == one.signals.noise_robustness).all()

    def test_shadows_are_probed_as_it_is(self):
        """The released model answers coarsely, its shadows don't: all are asked about copies."""
        result = pytest_mia.audit(GaussianNB, None, target=self.target, shadows=3, jobs=1)
        assert "calibrated_label_noise" in {attack.name for attack in result.attacks}

    @pytest.mark.parametrize("shadows", [0, 3])
    def test_what_does_not_fit_is_refused(self, shadows):
        with pytest.raises(MIAUsageError, match="gradient_norm needs a torch module"):
            pytest_mia.audit(tree, None, target=self.target, attacks=["gradient_norm"], shadows=shadows)


EVERYTHING = ("label_noise", "hop_skip_jump", "gradient_norm")


def network():
    nn = torch.nn
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 2))


KINDS = {
    "labels": (tree, method(("label_noise", "hop_skip_jump"), labels, augment=jitter)),
    "network": torch and (network, method(EVERYTHING, training=TorchTraining(epochs=1), augment=jitter)),
}


@pytest.mark.parametrize("kind", named_cases(KINDS))
class TestAnyProcess:
    @pytest.mark.slow
    def test_any_number_of_workers_gives_the_same_bits(self, kind, monkeypatch):
        monkeypatch.setattr(loky, "WORTH_A_PROCESS", 0.0)
        one, two = trained(*KINDS[kind], models=3), trained(*KINDS[kind], workers=2, models=3)
        for ours, theirs in zip(one, two, strict=True):
            alike(ours.signals, theirs.signals)

    def test_arrays_and_generators_stay_as_they_were(self, kind, monkeypatch):
        monkeypatch.setattr(hop_skip_jump, "ROUNDS", 2)
        before, generators = X.copy(), (random.getstate(), np.random.get_state()[1].copy(), generator_state())  # noqa: NPY002
        trained(*KINDS[kind], models=1)
        assert (before == X).all()
        assert random.getstate() == generators[0]
        assert (np.random.get_state()[1] == generators[1]).all()  # noqa: NPY002
        assert generator_state() == generators[2]


@pytest.mark.usefixtures("no_patches")
class TestCache:
    def audit(self, tmp_path, **changed):
        given = {"predict": labels, "attacks": ["gap", "label_noise"], "augment": jitter, "shadows": 3, "jobs": 1}
        return pytest_mia.audit(tree, (X, Y), cache_dir=tmp_path, **given | changed)

    def uses(self, result):
        return result.cache.hits, result.cache.misses

    def figures(self, result):
        found = result.to_dict()
        return {name: found[name] for name in ("advantage", "attacks", "notes", "most_exposed")}

    def test_a_model_from_the_cache_gives_the_same(self, tmp_path):
        first, second = self.audit(tmp_path), self.audit(tmp_path)
        assert (self.uses(first), self.uses(second)) == ((0, 4), (4, 0))
        assert self.figures(first) == self.figures(second)

    def test_what_is_decided_on_the_first_model_comes_from_the_cache_too(self, tmp_path):
        first, second = (self.audit(tmp_path, attacks=None) for _ in range(2))
        assert (self.uses(first), self.uses(second)) == ((0, 4), (4, 0))
        assert self.figures(first) == self.figures(second)
        assert any("40 noisy copies" in note for note in second.notes)

    @pytest.mark.parametrize(
        "changed",
        [
            {"attacks": ["gap"]},
            {"augment": None},
            {"augment": lambda X, rng: X[:, ::-1].copy()},
            {"queries": 2},
        ],
    )
    def test_whatever_changes_what_is_asked_is_asked_again(self, tmp_path, changed):
        self.audit(tmp_path)
        assert self.uses(self.audit(tmp_path, **changed)) == (0, 4)
        assert self.uses(self.audit(tmp_path)) == (4, 0)
