"""Changes after which no model needs to be trained again."""

import os
import shutil
import time

from change_table.libraries import installed
from change_table.repository import TESTS, change, trained

TEST = """
def test_{}(mia_audit):
    assert mia_audit.models == 4
"""
GATE = """
def test_one(assert_membership_advantage_below):
    assert_membership_advantage_below({})
"""
READING = """
def train(model, X, y):
    return model.set_params(max_depth=int(open("depth.txt").read())).fit(X, y)
"""
HELPED = "import recipe\nfrom recipe import make\n"
RECIPE = "from sklearn.tree import DecisionTreeClassifier as Tree\n\ndef make():\n    return Tree(max_depth=3)\n"
USED = {"depth.txt": "3", "recipe.py": RECIPE}


def touch(repository):
    """Let all files be new, with the same content."""
    for path in repository.rglob("*"):
        if path.is_file() and ".pytest_cache" not in path.parts:
            os.utime(path, (time.time(), time.time()))


def copy(repository):
    """Put a copy of the repository in its place."""
    repository.rename(repository.with_name("old"))
    shutil.copytree(repository.with_name("old"), repository)
    shutil.rmtree(repository.with_name("old"))


def remove_bytecode(repository):
    """Remove what Python has compiled."""
    folders = [*repository.rglob("__pycache__")]
    assert folders
    for folder in folders:
        shutil.rmtree(folder)


def optional(before, after=""):
    """A change of the command line."""
    return change(HELPED + READING, files=USED, options=f"<{before}|{after}>")


CHANGES = {
    "another test": change(test_privacy=TESTS + "\n<|def test_two():\n    pass\n>"),
    "another name of the test": change(test_privacy=TEST.format("<one|two>")),
    "a comment in another file of tests": change(
        files={"test_more.py": "def test_more():\n    pass\n<|# a comment\n>"}
    ),
    "a module that another test imports": change(
        files={"test_more.py": "import more\n\ndef test_more():\n    assert more.SIZE\n", "more.py": "SIZE = <2|5>\n"}
    ),
    "a file that another audit reads": change(
        test_privacy="""
        import pytest

        def test_one(mia_audit):
            assert mia_audit.models == 4

        class TestOther:
            @pytest.fixture
            def mia_training(self):
                return lambda model, X, y: model.set_params(max_depth=int(open("depth.txt").read())).fit(X, y)

            def test_other(self, mia_audit):
                assert mia_audit.models == 4
        """,
        files={"depth.txt": "<2|5>"},
        options="<|-ktest_one>",
    ),
    "another limit": change(test_privacy=GATE.format("<0.95|0.9>")),
    "another gate": change(
        test_privacy="def test_one(<assert_membership_advantage_below|assert_tpr_below>):\n"
        "    <assert_membership_advantage_below|assert_tpr_below>(0.99, <confidence=0.6|at_fpr=0.1>)\n"
    ),
    "a comment beside the factory": change(
        "<|# a comment\n>\n\ndef make():\n    <|# another\n>\n    return Tree(max_depth=4)\n"
    ),
    "a new fixture": change(
        "<|@pytest.fixture\ndef other():\n    return 3\n>\n\ndef make():\n    return Tree(max_depth=4)\n"
    ),
    "a page": optional("", "--mia-html={folder}/mia.html"),
    "no what if any more": optional("--mia-what-if", ""),
    "another attack": optional("", "--mia-attacks=gap"),
    "verbosity": optional("-q", "-vv --durations=3"),
    "one test of many": change(test_privacy=TESTS + TEST.format("two"), options="<|-ktwo>"),
    "a worker of pytest-xdist": optional("", "-pxdist -n1"),
    "the folder above": change(
        HELPED, files={"recipe.py": RECIPE, "pytest.ini": "[pytest]\n"}, folder="<.|..>", options="<.|repository>"
    ),
    "an unrelated package that is installed": change(
        files={
            "../site-packages/other/__init__.py": "<|1\n>",
            "../site-packages/other-1.0.dist-info/METADATA": "<|Name: other\nVersion: 1.0\n>",
        }
    ),
    "an unrelated package that is upgraded": change(
        files=installed("SIZE = <2|5>\n", version="<1.0|1.1>", name="other")
    ),
    "a variable that nobody reads": change(READING, files=USED, environment={"MODEL_DEPTH": "<2|5>"}),
    "a variable beside the one that is read": trained(
        'os.environ[f"MODEL_{NAME}"]', 'NAME = "DEPTH"', environment={"MODEL_DEPTH": "3", "MODEL_SIZE": "<2|5>"}
    ),
    "a file that nobody reads": change(READING, files=USED | {"notes.txt": "<2|5>"}),
    "line endings of a file that nobody reads": change(files={"README.md": "Depths:<\n|\r\n>2\n"}),
    "a file that training writes": trained(
        "(pathlib.Path('kept').write_text('3'), pathlib.Path('kept').read_text())[1]",
        meanwhile=lambda repository: (repository / "kept").unlink(),
    ),
    "files of git": change(files={".git/HEAD": "<2|5>", ".git/index": "<2|5>"}),
    "a touched file": change(HELPED + READING, files=USED, meanwhile=touch),
    "a copy of the repository in its place": change(HELPED + READING, files=USED, meanwhile=copy),
    "no bytecode": change(HELPED, files=USED, meanwhile=remove_bytecode),
}
VARIANTS = {
    "tests in another order": change(test_privacy=TEST.format("<one|two>") + TEST.format("<two|one>")),
    "a docstring beside the factory": change(
        "def other():\n    '''<One|Two>.'''\n\ndef make():\n    return Tree(max_depth=4)\n"
    ),
    "a report elsewhere": optional("", "--mia-json={folder}/repository/mia.json --mia-json={folder}/mia.json"),
    "a plugin that is blocked": optional("", "-pno:randomly -pno:junitxml"),
    "another audit of the same": change(test_privacy=TESTS + f"<|{TEST.format('two')}>"),
    "another file of tests": change(files={"test_more.py": "<|def test_more():\n    pass\n>"}),
    "a file that another test reads": change(
        files={"test_more.py": "def test_more():\n    assert open('more.txt').read()\n", "more.txt": "<2|5>\n"}
    ),
    "a new function": change("def make():\n    return Tree(max_depth=4)\n\n<|def other():\n    return make()\n>"),
    "slices of records": change(
        """
        import pytest_mia

        def records():
            generator = np.random.default_rng(0)
            slices = {"<town|side>": np.arange(60) // 30}
            return pytest_mia.Dataset(generator.normal(size=(60, 2)), generator.integers(0, 2, 60), slices=slices)
        """
    ),
    "a seed of the world's randomness": change(
        "np.random.seed(<0|1>)\n\ndef make():\n    return Tree(max_features=1)\n"
    ),
    "another confidence": optional("", "--mia-confidence=0.9"),
    "more jobs": optional("", "--mia-jobs=2"),
    "settings in pytest.ini": change(files={"pytest.ini": "[pytest]\nmia_seed = 0\nmia_inconclusive = <fail|warn>\n"}),
    "the path of the test": optional("", "test_privacy.py::test_one"),
    "a folder below": change(
        HELPED, files={"recipe.py": RECIPE, "below/more.txt": "1"}, folder="<.|below>", options="<.|../test_privacy.py>"
    ),
    "the root folder": optional("", "--rootdir={folder}/repository {folder}/repository"),
    "a variable that training sets": trained(
        "(os.environ.update(MODEL_DEPTH='3'), os.environ['MODEL_DEPTH'])[1]", environment={"MODEL_SIZE": "<2|5>"}
    ),
    "a further folder on the path": change(
        HELPED, files={"recipe.py": RECIPE, "more/other.py": "1\n"}, environment={"PYTHONPATH": "<|more>"}
    ),
    "a file beside those that are read": trained(
        "open('depths/one').read()", files={"depths/one": "3", "depths/two": "<|2>"}
    ),
    "a log that training appends to": trained("len(open('log', 'a').name)", meanwhile=touch),
    "bytecode that isn't written": change(
        HELPED + READING, files=USED, environment={"PYTHONDONTWRITEBYTECODE": "<|1>"}, meanwhile=remove_bytecode
    ),
}
