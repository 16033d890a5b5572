"""Whose code it is that does something: the innermost function that isn't Python's."""

import functools

import pytest

from pytest_mia.cache import callers


def run(file, code):
    """Run code as if it stood in a file."""
    space = {"callers": callers, "functools": functools}
    exec(compile(code, file, "exec"), space)
    return space["found"]


PACKAGE = "/usr/lib/python3/site-packages/pack.py"
OWN = "/home/me/train.py"


@pytest.mark.parametrize(("file", "package"), [(PACKAGE, True), (OWN, False)])
def test_who_does_something(file, package):
    assert run(file, "found = callers.by_package()") is package
    assert run(file, "found = callers.by_user()") is not package


def test_pythons_own_functions_do_it_for_others():
    code = "found = functools.reduce(lambda *_: callers.by_package(2), [1, 2])"

    assert run(PACKAGE, code)
    assert not run(OWN, code)


def test_code_without_a_file_may_be_the_users():
    assert run("<string>", "found = callers.by_user()")
    assert not run("<frozen os>", "found = callers.by_user()")


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("<frozen importlib._bootstrap>", True),
        ("/usr/lib/python3/importlib/metadata/__init__.py", True),
        ("/usr/lib/python3/site-packages/importlib_metadata/__init__.py", True),
        (OWN, False),
    ],
)
def test_who_looks_for_modules(file, found):
    assert run(file, "found = callers.by_import_system()") is found


def test_the_name_of_a_function():
    def cwd():
        return callers.is_function("cwd"), callers.is_function("other")

    assert cwd() == (True, False)
