"""Which models are trained as one, and that it makes no difference to who finds what, or when."""

import dataclasses

import joblib
import numpy as np
import pytest
from torches import needs_torch, torch
from whole import finish

from pytest_mia import audit
from pytest_mia.auditing import attacker_run
from pytest_mia.auditing.controls import canaries
from pytest_mia.auditing.run import train
from pytest_mia.core.errors import ModelTrainingError
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.settings import Settings
from pytest_mia.data.records import Data
from pytest_mia.models.protocol import CannotBatch
from pytest_mia.models.torch.module import ModuleTrainer, TorchTraining
from pytest_mia.training import batching
from pytest_mia.training.backends import loky
from pytest_mia.training.backends.loky import Loky
from pytest_mia.training.batching import batch_jobs
from pytest_mia.training.factories import FactoryProbe
from pytest_mia.training.jobs import Job, Method
from pytest_mia.training.train import train_all, train_steps

nn = torch and torch.nn

RECORDS = 120
RNG = np.random.default_rng(0)
X = RNG.normal(size=(RECORDS, 4))
Y = np.arange(RECORDS) % 3
DATA = Data(X, Y, np.arange(3), Y)
TRAINING = TorchTraining(epochs=4, batch_size=16, lr=0.01)
METHOD = Method(TRAINING, None, None, "cpu", 1)


def network():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).double()


def picture_network():
    return nn.Sequential(nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(2, 3)).double()


def own_training(model, X, y):
    return TRAINING(model, X, y)


def plain_jobs(models, factory=network):
    rng = np.random.default_rng(1)
    return [Job(number, 100 + number, factory, rng.random(RECORDS) < 0.5) for number in range(models)]


def in_company(models, *factories, method=METHOD):
    factories = factories or (network,)
    own = [
        dataclasses.replace(job, factory=factories[number % len(factories)])
        for number, job in enumerate(plain_jobs(models))
    ]
    tried = [FactoryProbe("mia_model_factory", factory, (factory(), factory())) for factory in factories]
    return batch_jobs(own, tried, DATA, method)


def numbers(jobs):
    return [tuple(each.number for each in job.batch) for job in jobs]


def audited(**options):
    return audit(network, (X, Y), training=TRAINING, device="cpu", attacks=["loss"], jobs=1, **options)


def phi(trained):
    return np.stack([one.signals.confidence for one in trained])


@pytest.fixture
def cores(monkeypatch):
    """Call it with a number of cores that this machine then has."""
    return lambda number: monkeypatch.setattr(joblib, "cpu_count", lambda: number)


class TestWho:
    @needs_torch
    def test_blocks_by_number_after_the_first(self, cores):
        cores(1)
        jobs, reasons = in_company(37)
        blocks = [[0], range(1, 8), range(8, 16), range(16, 32), range(32, 37)]
        expected = [tuple(block) if len(block) > 1 else () for block in blocks for _ in block]
        assert (numbers(jobs), reasons) == (expected, ())
        assert [job.number for job in jobs] == list(range(37))

    @needs_torch
    @pytest.mark.parametrize("models", [8, 16, 32])
    def test_full_blocks_stay_when_models_are_added(self, cores, models):
        cores(1)
        assert numbers(in_company(64)[0])[:models] == numbers(in_company(models)[0])

    @needs_torch
    @pytest.mark.parametrize(("models", "together"), [(15, False), (16, True)])
    def test_on_a_cpu_only_where_each_core_has_eight(self, cores, models, together):
        cores(2)
        jobs, reasons = in_company(models)
        assert (any(job.batch for job in jobs), reasons) == (together, ())

    @needs_torch
    def test_models_of_one_factory_only(self, cores):
        cores(1)
        jobs, _ = in_company(8, network, lambda: network())
        assert numbers(jobs)[:2] == [(), (1, 3, 5, 7)]

    @needs_torch
    @pytest.mark.parametrize(
        ("factory", "training", "why"),
        [
            (picture_network, TRAINING, "only dense layers are faster together, and Unflatten|Conv2d"),
            (network, own_training, "mia_training is a function, which trains one model at a time"),
        ],
    )
    def test_others_are_told_why_they_are_alone(self, cores, factory, training, why):
        cores(1)
        jobs, (reason,) = in_company(8, factory, method=dataclasses.replace(METHOD, training=training))
        assert not any(job.batch for job in jobs)
        assert reason.startswith("models are trained one by one: ")
        assert any(part in reason for part in why.split("|"))

    def test_of_estimators_nobody_expects_it(self, cores):
        from sklearn.naive_bayes import GaussianNB

        cores(1)
        jobs, reasons = in_company(8, GaussianNB, method=dataclasses.replace(METHOD, training=None))
        assert not any(job.batch for job in jobs)
        assert reasons == ()


@needs_torch
class TestTraining:
    def test_as_one_and_one_by_one_find_the_same(self, cores):
        cores(1)
        together, alone = train_all(in_company(8)[0], DATA, METHOD), train_all(plain_jobs(8), DATA, METHOD)
        assert [one.number for one in together] == list(range(8))
        assert np.abs(phi(together) - phi(alone)).max() < 1e-8
        assert np.abs(phi(alone)[1:] - phi(alone)[:-1]).max() > 0.1

    def test_workers_make_no_difference(self, cores, monkeypatch):
        cores(1)
        monkeypatch.setattr(loky, "WORTH_A_PROCESS", 0.0)
        jobs = in_company(16)[0]
        here, there = (train_all(jobs, DATA, METHOD, backend=backend) for backend in (None, Loky(2)))
        assert np.array_equal(phi(here), phi(there))

    def test_each_company_is_trained_once(self, cores, monkeypatch):
        cores(1)
        calls = []
        monkeypatch.setattr(ModuleTrainer, "fit_together", _counting(ModuleTrainer.fit_together, calls))
        train_all(in_company(16)[0], DATA, METHOD)
        assert calls == [8, 7], "large batches come first"

    def test_models_are_kept_when_they_are_asked_for(self, cores):
        cores(1)
        subject = AuditRequest(dataset=(X, Y), model_factory=network, training=TRAINING)
        kept = finish(train(subject, Settings(shadows=7, device="cpu")))
        found = audited()
        assert len(kept) == 8
        with torch.no_grad():
            outputs = np.stack([each.model(torch.from_numpy(X)).numpy() for each in kept])
        right = outputs.argmax(axis=2) == Y
        members = np.stack([each.members for each in kept])
        assert found.accuracy.train == pytest.approx(
            np.mean([r[m].mean() for r, m in zip(right, members, strict=True)])
        )

    def test_what_torch_cannot_batch_after_all_is_trained_alone_and_told(self, cores, monkeypatch):
        def refuse(self, *given):
            raise CannotBatch("it was not to be")

        cores(1)
        alone = train_all(plain_jobs(8), DATA, METHOD)
        monkeypatch.setattr(ModuleTrainer, "fit_together", refuse)
        found = train_all(in_company(8)[0], DATA, METHOD)
        assert np.array_equal(phi(found), phi(alone))
        result = audited()
        assert "models are trained one by one: it was not to be" in result.notes

    def test_planted_records_are_in_those_models_that_their_coins_say(self, cores, monkeypatch):
        cores(1)
        seen = []
        for module in (attacker_run, canaries):
            monkeypatch.setattr(
                module, "train_steps", lambda jobs, training: seen.append(jobs) or train_steps(jobs, training)
            )
        audited(controls=True)
        audit_jobs, planted = (next(jobs for jobs in seen if len(jobs) == size) for size in (8, 4))
        assert any(job.batch for job in audit_jobs)
        assert not any(job.batch for job in planted)

    def test_an_error_of_the_users_code_names_the_model(self, cores):
        def loss(outputs, targets):
            if len(targets) == 5:
                raise ZeroDivisionError("not five")
            return nn.functional.cross_entropy(outputs, targets)

        cores(1)
        method = dataclasses.replace(METHOD, training=TorchTraining(batch_size=64, loss=loss))
        sizes = [60 + 5 * (number == 3) for number in range(8)]
        jobs = [
            dataclasses.replace(job, members=np.arange(RECORDS) < size)
            for job, size in zip(plain_jobs(8), sizes, strict=True)
        ]
        tried = [FactoryProbe("mia_model_factory", network, (network(), network()))]
        jobs, _ = batch_jobs(jobs, tried, DATA, method)
        trained = train_all(jobs, DATA, method)
        assert len(trained) == 8
        method = dataclasses.replace(METHOD, training=TorchTraining(batch_size=60, loss=loss))
        with pytest.raises(ModelTrainingError, match=r"model 3 \(seed 103\) could not be trained.*not five"):
            train_all(jobs, DATA, method)


@needs_torch
@pytest.mark.usefixtures("no_patches")
class TestCache:
    def found(self, folder, shadows=7):
        return audited(shadows=shadows, cache_dir=folder)

    def test_a_lost_model_is_trained_again_in_its_company(self, cores, tmp_path):
        cores(1)
        first, again = self.found(tmp_path), self.found(tmp_path)
        assert (first.cache.misses, again.cache.misses) == (8, 0)
        *_, path = (path for path in sorted(tmp_path.glob("*.entry")) if b"TorchTraining" in path.read_bytes())
        path.unlink()
        repaired = self.found(tmp_path)
        assert repaired.cache.misses == 1
        assert repaired.advantage == first.advantage == again.advantage
        assert repaired.attacks == first.attacks

    def test_more_shadows_train_only_the_new_ones(self, cores, tmp_path):
        cores(1)
        assert self.found(tmp_path).cache.misses == 8
        more = self.found(tmp_path, shadows=15)
        assert (more.cache.hits, more.cache.misses) == (8, 8)


@needs_torch
def test_a_cluster_and_who_may_stop_early_train_each_alone(cores, monkeypatch):
    def fail(*given):
        raise AssertionError

    cores(1)
    monkeypatch.setattr(batching, "batch_jobs", fail)
    audited(early_stop=True)
    with pytest.raises(AssertionError):
        audited()


def _counting(function, calls):
    def counted(self, models, *given):
        calls.append(len(models))
        return function(self, models, *given)

    return counted
