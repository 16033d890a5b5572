"""Attacks run in one thread, as an audit runs them."""

import pytest
import sklearn.ensemble  # noqa: F401  (threads of a library can be limited once it is loaded)

from pytest_mia.core.seeding import single_threaded


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with single_threaded():
        yield
