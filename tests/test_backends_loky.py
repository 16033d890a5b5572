import os

import pytest
from elsewhere import Noisy, trained

from pytest_mia import ModelTrainingError
from pytest_mia.backends import loky
from pytest_mia.backends.loky import Loky


def test_a_lost_process_is_an_error(monkeypatch):
    monkeypatch.setattr(loky, "WORTH_A_PROCESS", 0.0)
    here = os.getpid()

    class Deadly(Noisy):
        def fit(self, X, y):
            if os.getpid() != here:
                os._exit(1)
            return super().fit(X, y)

    with pytest.raises(ModelTrainingError, match=r"a worker process was ended .* .--mia-jobs=1"):
        trained(Deadly, backend=Loky(2))
