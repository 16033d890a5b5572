"""Which modules are the user's own."""

import sys

import pytest

import pytest_mia.auditing.run  # noqa: F401
from pytest_mia.cache.user_modules import is_user_module


def test_modules_of_every_room_of_this_package_are_not_the_user_s():
    ours = [module for name, module in sys.modules.items() if name.split(".")[0] == "pytest_mia"]

    assert {module.__name__.split(".")[1] for module in ours if "." in module.__name__} >= {"auditing", "cache", "core"}
    assert [module.__name__ for module in ours if is_user_module(module)] == []


@pytest.mark.parametrize("name", ["sys", "json", "_pytest.python", "numpy"])
def test_nor_are_those_of_python_or_of_installed_packages(name):
    assert not is_user_module(sys.modules[name] if name in sys.modules else __import__(name))


def test_this_one_is():
    assert is_user_module(sys.modules[__name__])
