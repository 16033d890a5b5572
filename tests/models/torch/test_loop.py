import numpy as np
import pytest
from networks import CLASSES, CODES, X, Y, linear, torch

from pytest_mia.models.select import adapter_for
from pytest_mia.models.torch.loop import classification_loss, epoch_batches, make_optimizer
from pytest_mia.models.torch.module import TorchTraining


class TestLoop:
    def test_an_epoch_sees_every_record_once_in_a_new_order(self):
        order = torch.Generator().manual_seed(0)
        first, second = (epoch_batches(10, 4, order) for _ in range(2))
        assert [len(batch) for batch in first] == [4, 4, 2]
        assert sorted(torch.cat(first).tolist()) == sorted(torch.cat(second).tolist()) == list(range(10))
        assert torch.cat(first).tolist() != torch.cat(second).tolist()

    @pytest.mark.parametrize(
        ("records", "size", "lengths"), [(9, 4, [4, 5]), (1, 4, [1]), (3, 1, [1, 1, 1]), (4, 4, [4])]
    )
    def test_a_last_batch_of_one_joins_the_one_before(self, records, size, lengths):
        assert [len(batch) for batch in epoch_batches(records, size, torch.Generator())] == lengths

    @pytest.mark.parametrize(
        ("name", "kind"), [("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
    )
    def test_optimizers_leave_frozen_parameters_out(self, name, kind):
        model = linear()
        model.bias.requires_grad_(False)
        settings = TorchTraining(optimizer=name, lr=0.5, weight_decay=0.25, momentum=0.125)
        optimizer = make_optimizer(settings, model.parameters())
        (group,) = optimizer.param_groups
        assert type(optimizer) is kind
        assert (group["lr"], group["weight_decay"], group.get("momentum", 0.125)) == (0.5, 0.25, 0.125)
        assert group["params"] == [model.weight]

    def test_losses_in_closed_form(self):
        targets = torch.tensor([0, 1])
        two = classification_loss(torch.tensor([[0.0, 0.0], [0.0, 1.0]], dtype=torch.float64), targets)
        assert two.item() == pytest.approx((np.log(2) + np.log1p(np.exp(-1))) / 2)
        for shape in ((2,), (2, 1)):
            one = classification_loss(torch.tensor([0.0, 1.0], dtype=torch.float64).reshape(shape), targets)
            assert one.item() == pytest.approx(two.item())

    def test_one_full_batch_step_of_sgd_in_closed_form(self):
        model = linear(dtype=torch.float64)
        weight, bias = (each.detach().numpy().copy() for each in (model.weight, model.bias))
        adapter = adapter_for(
            model,
            classes=CLASSES,
            training=TorchTraining(epochs=1, batch_size=60, optimizer="sgd", lr=0.5),
            device="cpu",
        )
        adapter.trainer.fit(model, X, Y, 0)
        scores = np.exp(X @ weight.T + bias)
        gradient = (scores / scores.sum(axis=1, keepdims=True) - np.eye(3)[CODES]) / 60
        np.testing.assert_allclose(model.weight.detach(), weight - 0.5 * gradient.T @ X)
        np.testing.assert_allclose(model.bias.detach(), bias - 0.5 * gradient.sum(axis=0))
