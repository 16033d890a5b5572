import copy
import random
import types

import numpy as np
import pytest

from pytest_mia.core.seeding import seeded, single_threaded
from pytest_mia.models.protocol import CannotBatch
from pytest_mia.models.torch import cuda
from pytest_mia.models.torch.loop import reproducible, train
from pytest_mia.models.torch.module import TorchTraining

torch = pytest.importorskip("torch")
nn = torch.nn

from pytest_mia.models.torch.batch_checks import explain_refusal  # noqa: E402
from pytest_mia.models.torch.batch_schedule import Learner  # noqa: E402
from pytest_mia.models.torch.batched import train_many  # noqa: E402

CPU, GPU = torch.device("cpu"), torch.device("cuda")
RNG = np.random.default_rng(0)
X = torch.from_numpy(RNG.normal(size=(200, 6)))
Y = torch.from_numpy(RNG.integers(0, 3, 200))
QUICK = TorchTraining(epochs=3, batch_size=32, lr=0.01)
# Batches of 32: full ones alone, last ones of several lengths, a last one that joins, another number of steps.
SIZES = {"equal": [64] * 3, "uneven": [100, 98, 101, 95], "joined": [97, 98, 96], "steps": [31, 66, 64, 33, 97, 2, 65]}


def mlp(outputs=3):
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, outputs)).double()


def learners(make=mlp, sizes=SIZES["uneven"]):
    rng = np.random.default_rng(1)
    with seeded(1):
        modules = [make() for _ in sizes]
    members = [np.sort(rng.choice(len(X), size, replace=False)) for size in sizes]
    return [Learner(module, own, seed) for seed, (module, own) in enumerate(zip(modules, members, strict=True))]


def weights(some):
    return [torch.cat([each.detach().flatten() for each in one.module.parameters()]) for one in some]


def together(some, settings=QUICK, X=X, Y=Y):
    with seeded(2), single_threaded():
        train_many(some, X, Y, settings, device=CPU)
    return weights(some)


def alone(some, settings=QUICK, X=X, Y=Y):
    for one in some:
        train(one.module, X[one.members], Y[one.members], settings, seed=one.seed, device=CPU)
    return weights(some)


def same(make=mlp, settings=QUICK, sizes=SIZES["uneven"], **data):
    batched, single = together(learners(make, sizes), settings, **data), alone(learners(make, sizes), settings, **data)
    untrained = weights(learners(make, sizes))
    assert all((one - other).abs().max() > 1e-4 for one, other in zip(batched, untrained, strict=True))
    return all(torch.allclose(one, other, rtol=0, atol=1e-8) for one, other in zip(batched, single, strict=True))


def reason(make=mlp, training=QUICK, device=CPU, X=X, Y=Y, count=3):
    return explain_refusal([make() for _ in range(count)], training, X, Y, device)


class TestEqualsOneByOne:
    @pytest.mark.parametrize("decay", [0.0, 0.05])
    @pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
    def test_optimizers(self, optimizer, decay):
        settings = TorchTraining(epochs=3, batch_size=32, lr=0.01, optimizer=optimizer, weight_decay=decay)
        assert same(settings=settings, sizes=SIZES["steps"])

    @pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
    def test_halves_of_equal_and_unequal_sizes(self, sizes):
        assert same(sizes=sizes)

    @pytest.mark.parametrize("batch_size", [1, 500])
    def test_single_records_and_whole_halves(self, batch_size):
        assert same(settings=TorchTraining(epochs=2, batch_size=batch_size, lr=0.01), sizes=[9, 10, 8])

    @pytest.mark.parametrize("flat", [True, False])
    def test_one_output_for_two_classes(self, flat):
        assert same(lambda: nn.Sequential(mlp(1), *([nn.Flatten(0)] if flat else [])), Y=Y % 2)

    def test_own_loss_that_is_no_mean_of_records(self):
        def loss(outputs, targets):
            return ((outputs[:, 0] - targets) ** 2).sum().sqrt()

        assert same(settings=TorchTraining(epochs=2, batch_size=32, lr=0.01, loss=loss))

    def test_frozen_unused_and_tied_parameters(self):
        class Odd(nn.Module):
            def __init__(self):
                super().__init__()
                self.frozen, self.unused, self.inner, self.tied = (nn.Linear(6, 6) for _ in range(4))
                self.tied.weight = self.inner.weight
                self.frozen.requires_grad_(False)

            def forward(self, x):
                return self.tied(torch.relu(self.inner(self.frozen(x))))

        settings = TorchTraining(epochs=3, batch_size=32, weight_decay=0.1, lr=0.01)
        assert same(lambda: Odd().double(), settings)

    def test_embeddings(self):
        def embedding():
            return nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(8, 3)).double()

        assert same(embedding, X=torch.from_numpy(RNG.integers(0, 9, (200, 2))))

    def test_convolutions(self):
        def convolution():
            return nn.Sequential(nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 4, 3), nn.Flatten(), nn.Linear(16, 3)).double()

        assert same(convolution)

    def test_constant_buffers_of_each_module_are_its_own(self):
        class Scaled(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("scale", torch.rand(6, dtype=torch.float64))
                self.inner = mlp()

            def forward(self, x):
                return self.inner(x * self.scale)

        assert same(Scaled)


class TestTraining:
    def test_is_the_same_each_time_and_leaves_modules_as_one_by_one_does(self):
        first, again = learners(), learners()
        parameters = [id(each) for each in first[0].module.parameters()]
        assert all(torch.equal(*pair) for pair in zip(together(first), together(again), strict=True))
        assert not any(part.training for one in first for part in one.module.modules())
        assert [id(each) for each in first[0].module.parameters()] == parameters

    def test_each_model_draws_its_own_dropout(self):
        def make():
            with seeded(5):
                return nn.Sequential(nn.Dropout(0.5), mlp())

        some = [Learner(make(), np.arange(64), 0) for _ in range(3)]
        first, second, third = together(some)
        assert (first != second).any()
        assert (second != third).any()

    def test_the_users_data_stays_and_no_grad_does_not_matter(self):
        def in_place():
            return nn.Sequential(nn.ReLU(inplace=True), mlp())

        before = X.clone()
        with torch.no_grad():
            assert same(in_place)
        assert torch.equal(X, before)


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = mlp()

    def forward(self, x):
        return self.inner(x if x.sum() > 0 else -x)


class TestRefusals:
    def refused(self, make, settings=QUICK, **data):
        some = learners(make)
        before = copy.deepcopy(weights(some))
        with pytest.raises(CannotBatch) as caught:
            together(some, settings, **data)
        assert all(torch.equal(*pair) for pair in zip(weights(some), before, strict=True))
        return str(caught.value)

    def test_control_flow_that_depends_on_data(self):
        assert "data-dependent control flow" in self.refused(Branching)

    def test_a_loss_that_needs_a_number(self):
        def loss(outputs, targets):
            return outputs.sum() * outputs.max().item()

        assert ".item()" in self.refused(mlp, TorchTraining(loss=loss))

    def test_a_loss_that_is_no_number(self):
        assert "not one number" in self.refused(mlp, TorchTraining(loss=lambda outputs, targets: outputs[:, 0]))

    def test_gradients_that_torch_gets_wrong(self):
        # torch.vmap applies the padding index to the first model's table alone.
        def padded():
            return nn.Sequential(nn.Embedding(3, 4, padding_idx=0), nn.Flatten(), nn.Linear(8, 3)).double()

        tokens = torch.from_numpy(RNG.integers(0, 3, (200, 2)))
        assert "differ" in self.refused(padded, X=tokens)
        assert reason(padded, X=tokens) == "torch can't batch an Embedding with padding_idx"


class Noting(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.passes = mlp(), 0

    def forward(self, x):
        self.passes += 1
        return self.inner(x)


class Skipping(Noting):
    def forward(self, x):
        return self.inner(x) * (random.random() + np.random.random())  # noqa: NPY002


class TestWhyNot:
    def test_nothing(self):
        modules, state = [mlp() for _ in range(3)], torch.get_rng_state()
        assert explain_refusal(modules, QUICK, X, Y, CPU) is None
        assert torch.equal(torch.get_rng_state(), state)

    @pytest.mark.parametrize("device", [CPU, GPU])
    def test_running_statistics(self, device):
        def normalised():
            return nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3)).double()

        assert ("BatchNorm1d" if device == CPU else "1.running_mean") in reason(normalised, device=device)

    def test_dense_layers_alone_on_a_cpu(self):
        def convolution():
            return nn.Sequential(nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 4, 3), nn.Flatten(), nn.Linear(16, 3)).double()

        assert "Conv1d is not one" in reason(convolution)
        assert reason(convolution, device=GPU) is None
        assert "mps" in reason(device=torch.device("mps"))

    def test_small_models_alone_on_a_cpu(self):
        def wide():
            return nn.Sequential(nn.Linear(6, 20000), nn.Linear(20000, 3)).double()

        assert "200,003 parameters at a batch size of 32" in reason(wide)
        assert reason(wide, device=GPU) is None
        assert reason(lambda: nn.Linear(6, 3).double(), TorchTraining(batch_size=2**20)) is not None

    def test_lazy_layers_and_half_precision(self):
        assert "UninitializedParameter" in reason(lambda: nn.LazyLinear(3), device=GPU)
        assert "bfloat16" in reason(lambda: nn.Linear(6, 3, dtype=torch.bfloat16))

    def test_a_hook_on_a_gradient(self):
        def hooked():
            model = mlp()
            model[0].weight.register_hook(lambda gradient: gradient * 2)
            return model

        assert "0.weight has a hook" in reason(hooked)

    def test_models_that_share_parameters(self):
        shared = nn.Linear(6, 6).double()
        assert "share parameters" in reason(lambda: nn.Sequential(shared, mlp()))

    def test_models_that_differ(self):
        rates, widths = iter([0.1, 0.1, 0.2]), iter([8, 9, 8])
        assert "differ" in reason(lambda: nn.Sequential(mlp(), nn.Dropout(next(rates))))
        assert "differ" in reason(lambda: nn.Sequential(nn.Linear(6, next(widths)), nn.ReLU()).double())

    def test_what_a_forward_pass_leaves_behind(self):
        assert "attributes" in reason(Noting)
        assert "Python's or numpy's generator" in reason(Skipping)
        calls = []

        def loss(outputs, targets):
            calls.append(1)
            return outputs.sum()

        assert "the loss" in reason(training=TorchTraining(loss=loss))

    def test_a_pass_that_fails(self):
        assert "fails (RuntimeError: mat1 and mat2" in reason(X=X[:, :5])


def test_cudnn_keeps_the_users_precision_and_gets_back_its_flags(monkeypatch):
    cudnn = torch.backends.cudnn
    if not hasattr(cudnn, "conv"):
        pytest.skip("this torch has one switch for all")
    monkeypatch.setattr(cudnn, "benchmark", True)
    before, cudnn.conv.fp32_precision = cudnn.conv.fp32_precision, "ieee"
    try:
        with reproducible(GPU):
            assert (cudnn.benchmark, cudnn.deterministic, cudnn.conv.fp32_precision) == (False, True, "ieee")
    finally:
        cudnn.conv.fp32_precision = before
    assert (cudnn.benchmark, cudnn.deterministic) == (True, False)


@pytest.mark.parametrize(("records", "room"), [(250, True), (251, False)])
def test_records_stay_on_a_gpu_that_has_room_for_them(monkeypatch, records, room):
    """A quarter of 32,000 bytes, of which each record takes 32."""
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: types.SimpleNamespace(total_memory=32000))
    tensors = torch.zeros(records, 6), torch.zeros(records, dtype=torch.int64)
    assert cuda.has_room(GPU, *tensors) is room
    assert not cuda.has_room(CPU, *tensors)


@pytest.mark.parametrize(("whole", "fit"), [(24 * 10**9, 120), (10**9, 5), (10**8, 1)])
def test_as_many_fit_as_the_whole_memory_says_whatever_is_free(monkeypatch, whole, fit):
    """Each takes 0.1 GB; what the first step leaves behind, a workspace of libraries, doesn't count."""
    peaks = iter([10**9 + 2 * 10**8])
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 11 * 10**8)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: next(peaks))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: types.SimpleNamespace(total_memory=whole))
    assert cuda.most_at_once(lambda: None, GPU) == fit
