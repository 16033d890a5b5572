import subprocess
import sys
import types

import pytest

from pytest_mia.cache import pickling

CONFTEST = """
SHIFT = 1000

class Model:
    def ask(self, value):
        return shifted(value)

def shifted(value):
    return value + SHIFT
"""


def elsewhere(data, code):
    """What another process, in which only the package can be imported, makes of pickled data."""
    lines = ["import sys", "from pytest_mia.cache import pickling", "value = pickling.loads(sys.stdin.buffer.read())"]
    program = "\n".join([*lines, f"print({code})"])
    done = subprocess.run([sys.executable, "-I", "-c", program], input=data, capture_output=True, check=False)
    return done.stdout.decode().strip() or done.stderr.decode().strip().splitlines()[-1]


@pytest.fixture
def loaded(monkeypatch, tmp_path):
    """A module that stands in a file, as pytest would load it."""

    def load(name, file):
        module = types.ModuleType(name)
        module.__file__ = str(tmp_path / file)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(CONFTEST, module.__file__, "exec"), module.__dict__)
        return module

    return load


@pytest.mark.parametrize("file", ["conftest.py", "test_privacy.py", "privacy_test.py"])
def test_code_of_tests_is_sent_whole(loaded, file):
    module = loaded("their_tests", file)
    data = pickling.dumps(lambda: module.Model().ask(7), pickling.test_modules())
    assert elsewhere(data, "value()") == "1007"
    assert elsewhere(pickling.dumps(module.Model(), pickling.test_modules()), "value.ask(1)") == "1001"


def test_other_modules_are_sent_by_name(loaded):
    module = loaded("their_package", "models.py")
    assert module not in pickling.test_modules()
    data = pickling.dumps(module.Model(), pickling.test_modules())
    assert "ModuleNotFoundError" in elsewhere(data, "value.ask(7)")


def test_of_two_conftests_with_one_name_only_the_loaded_one_is_registered(loaded):
    replaced, present = loaded("conftest", "a/conftest.py"), loaded("conftest", "b/conftest.py")
    with pickling.pickled_by_value([replaced, present]):
        assert present.__name__ in pickling.cloudpickle.list_registry_pickle_by_value()


@pytest.mark.parametrize("failing", [False, True])
def test_what_is_registered_stays_as_the_user_left_it(loaded, failing):
    ours, theirs = loaded("test_ours", "test_ours.py"), loaded("test_theirs", "test_theirs.py")
    pickling.cloudpickle.register_pickle_by_value(theirs)
    try:
        value = sys._getframe() if failing else 3
        if failing:
            with pytest.raises(TypeError):
                pickling.dumps(value, [ours, theirs])
        else:
            assert pickling.loads(pickling.dumps(value, [ours, theirs])) == 3
        assert theirs.__name__ in pickling.cloudpickle.list_registry_pickle_by_value()
        assert ours.__name__ not in pickling.cloudpickle.list_registry_pickle_by_value()
    finally:
        pickling.cloudpickle.unregister_pickle_by_value(theirs)
