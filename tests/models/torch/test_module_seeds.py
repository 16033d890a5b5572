import numpy as np
import pytest
from networks import CLASSES, CODES, QUICK, X, Y, answer, linear, nn, problems, torch

from pytest_mia.cache import pickling
from pytest_mia.core.seeding import seeded, single_threaded
from pytest_mia.data.records import Data
from pytest_mia.models.select import adapter_for
from pytest_mia.training.backends.loky import Loky
from pytest_mia.training.fit import train_one
from pytest_mia.training.jobs import UNCACHED, Job, Method, Trained


class TestReproducibility:
    def dropping(self):
        return nn.Sequential(nn.Dropout(0.5), linear())

    def test_same_seed_same_model_and_another_seed_another(self):
        first, again, other = (answer(self.dropping(), seed=seed).values for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()

    def test_the_order_of_records_follows_the_models_seed(self):
        first, other = (answer(linear(), seed=seed).values for seed in (1, 2))
        assert (first != other).any()

    def test_answers_do_not_vary(self):
        adapter = adapter_for(self.dropping(), classes=CLASSES, device="cpu")
        model = adapter.trainer.fit(self.dropping(), X, Y, 0)
        np.testing.assert_array_equal(
            adapter.asker.answer(model, X, Y).values, adapter.asker.answer(model, X, Y).values
        )

    def test_the_users_data_and_generators_stay_as_they_were(self):
        tensor, state = torch.tensor(X, dtype=torch.float32), torch.get_rng_state()
        before = tensor.clone()
        model = nn.Sequential(nn.ReLU(inplace=True), linear())
        problems(model, tensor)
        answer(model, tensor)
        assert torch.equal(tensor, before)
        assert torch.equal(torch.get_rng_state(), state)

    def test_read_only_arrays_are_fine(self):
        frozen = X.copy()
        frozen.setflags(write=False)
        np.testing.assert_array_equal(answer(linear(), frozen).values, answer(linear()).values)

    def test_trains_within_no_grad(self):
        with torch.no_grad():
            within = answer(linear()).values
        np.testing.assert_array_equal(within, answer(linear()).values)

    def test_adapters_travel(self):
        adapter = adapter_for(linear(), classes=CLASSES, training=QUICK, device="cpu")
        copy = pickling.loads(pickling.dumps(adapter))
        with seeded(1), single_threaded():
            there = copy.asker.answer(copy.trainer.fit(linear(), X, Y, 1), X, Y).values
        np.testing.assert_array_equal(there, answer(linear()).values)
        assert (copy.device, copy.trainer.description) == ("cpu", str(QUICK))


@pytest.mark.slow
def test_a_factory_that_imports_torch_inside_gives_the_same_models_in_other_processes():
    def factory():
        import torch

        return torch.nn.Linear(4, 3)

    data = Data(X, Y, CLASSES, CODES)
    method = Method(QUICK, None, None, "cpu", 1)
    jobs = [Job(number, number, factory, number != CODES) for number in range(3)]
    here = [train_one(job, data, method).signals.confidence for job in jobs]
    first = Trained(0, None, 1, "cpu", "")
    there = sorted(Loky(2).train([[(job, UNCACHED)] for job in jobs], data, method, first), key=lambda one: one.number)
    np.testing.assert_array_equal(here, [one.signals.confidence for one in there])
