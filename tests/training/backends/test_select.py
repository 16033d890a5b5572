import pytest
from elsewhere import Noisy, X, Y

import pytest_mia
from pytest_mia import MIAUsageError
from pytest_mia.core.settings import Settings
from pytest_mia.training.backends.dask import Dask
from pytest_mia.training.backends.loky import Loky
from pytest_mia.training.backends.select import BACKENDS, connect


@pytest.mark.parametrize(
    ("settings", "kind"),
    [({}, Loky), ({"backend": "dask", "scheduler": "tcp://127.0.0.1:8786"}, Dask)],
)
def test_the_settings_choose(settings, kind):
    with connect(Settings(**settings)) as backend:
        assert isinstance(backend, kind)


def test_the_setting_takes_those_that_there_are():
    assert [name for name in (*BACKENDS, "none") if _takes(name)] == [*BACKENDS]


def _takes(name):
    try:
        return Settings(backend=name).backend == name
    except MIAUsageError:
        return False


@pytest.mark.parametrize("backend", ["threading", "ray", "slurm"])
def test_what_is_not_supported_says_why(backend):
    with pytest.raises(MIAUsageError, match=r"backend must be loky or dask; threading is not supported because .* ray"):
        pytest_mia.audit(Noisy, (X, Y), backend=backend)


def test_dask_without_a_scheduler_and_the_reverse():
    with pytest.raises(MIAUsageError, match=r"backend dask needs scheduler.*--mia-scheduler=tcp://"):
        pytest_mia.audit(Noisy, (X, Y), backend="dask")
    with pytest.raises(MIAUsageError, match=r"scheduler h:1 is for backend dask, got loky"):
        pytest_mia.audit(Noisy, (X, Y), scheduler="h:1")
