"""Runs of pytest inside these tests."""

from pathlib import Path

import joblib  # noqa: F401
import numpy  # noqa: ICN001, F401
import pytest
import sklearn.dummy  # noqa: F401
import sklearn.tree  # noqa: F401

# An inner run drops what it imported first, and numpy can't be imported twice: so all that is needed is imported here.
import pytest_mia.auditing  # noqa: F401

MODES = {"serial": [], "xdist": ["-n", "2"], "no-cache": ["-p", "no:cacheprovider"], "strict": ["-W", "error"]}

FIXTURES = """
import pytest

pytest_plugins = ["fake_engine"]

@pytest.fixture
def mia_dataset():
    return {advantage}

@pytest.fixture
def mia_model_factory():
    return object
"""


@pytest.fixture(params=MODES)
def mode(request):
    """The arguments of one way to run pytest."""
    return MODES[request.param]


@pytest.fixture
def fake(pytester):
    """Run tests on the fake engine, whose audits measure the given advantage."""
    pytester.makepyfile(fake_engine=Path(__file__).with_name("fake_engine.py").read_text())

    def run(tests, *args, advantage=0.3, conftest=""):
        pytester.makeconftest(FIXTURES.format(advantage=advantage) + conftest)
        pytester.makepyfile(test_privacy=tests)
        return pytester.runpytest(*args)

    return run
