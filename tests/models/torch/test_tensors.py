import pytest
from networks import CLASSES, linear, nn, torch

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.models.select import adapter_for
from pytest_mia.models.torch.tensors import device_kind, device_named, devices_named, evaluating


class TestDevices:
    @pytest.mark.parametrize("device", ["cuda:99", "meta", "tpu"])
    def test_devices_that_are_not_there(self, device):
        with pytest.raises(MIAUsageError, match=rf"device {device} is not available; this machine has cpu"):
            adapter_for(linear(), classes=CLASSES, device=device)

    @pytest.mark.parametrize(
        ("kinds", "name", "found"),
        [
            (["H200"], "auto", ["cuda:0"]),
            (["H200", "H200"], "auto", ["cuda:0", "cuda:1"]),
            (["H200", "H200"], "cuda", ["cuda:0", "cuda:1"]),
            (["H200", "T4", "H200"], "cuda", ["cuda:0", "cuda:2"]),
            (["H200", "H200"], "cuda:1", ["cuda:1"]),
            (["H200", "H200"], "cpu", ["cpu"]),
        ],
    )
    def test_gpus_of_one_kind_share_the_models(self, monkeypatch, kinds, name, found):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(kinds))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda gpu: kinds[int(gpu[-1])])
        assert [str(device) for device in devices_named(name)] == found
        assert str(device_named(name)) == found[0]

    def test_devices(self):
        assert str(device_named("cpu")) == "cpu"
        accelerated = torch.cuda.is_available() or torch.backends.mps.is_available()
        assert (str(device_named("auto")) == "cpu") is not accelerated
        assert adapter_for(linear(), classes=CLASSES, device="cpu").device == "cpu"


class TestAsking:
    def test_asking_leaves_modes_and_device(self):
        model = nn.Sequential(nn.Dropout(), linear())
        model[0].eval()
        with evaluating(model, torch.device("cpu")):
            assert not any(part.training for part in model.modules())
            assert not torch.is_grad_enabled()
        assert [part.training for part in model.modules()] == [True, False, True]
        assert torch.is_grad_enabled()


def test_devices_of_one_kind(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "H200")

    assert device_kind("cpu") == "cpu"
    assert device_kind("cuda:0") == device_kind("cuda:1") == "H200"
