"""Changes of records, of what fixtures give, and of this plugin's settings."""

from change_table.repository import change, trained

RECORDS = """
def records():
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(60, 2)), generator.integers(0, 2, 60)
    {}
    return X, y
"""
STEP = """
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

def rounded(X):
    return np.round(X, <0|2>)

def make():
    return make_pipeline({}, Tree(max_depth=3))
"""
EPOCHS = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Training:
    epochs: int

    def __call__(self, model, X, y):
        for depth in range(1, self.epochs + 1):
            model.set_params(max_depth=depth).fit(X, y)
        return model

train = Training(epochs=<2|5>)
"""


def recorded(line, conftest=""):
    """A change of the records by this line."""
    return change(RECORDS.format(line) + conftest)


def typed(line, depth):
    """A change of the type of the records, on which the depth of the tree depends."""
    train = f"\ndef train(model, X, y):\n    return model.set_params(max_depth={depth}).fit(X, y)\n"
    return recorded(line, train)


CHANGES = {
    "a value of a record": recorded("X[7, 0] = <0.0|3.0>"),
    "a label": recorded("y[7] = <0|1>"),
    "groups": change(
        """
        import pytest_mia

        def records():
            generator = np.random.default_rng(0)
            groups = np.arange(60) // <2|3>
            return pytest_mia.Dataset(generator.normal(size=(60, 2)), generator.integers(0, 2, 60), groups=groups)
        """
    ),
    "the type of records' numbers": typed("X = X.astype(np.<float64|float16>)", "X.dtype.itemsize // 2 + 1"),
    "the order of records": recorded("X, y = X[::<1|-1>], y[::<1|-1>]"),
    "the seed": change(options="--mia-seed=<0|1>"),
    "an option of the repository's own": change(
        """
        def pytest_addoption(parser):
            parser.addoption("--depth", type=int)

        @pytest.fixture
        def mia_model_factory(request):
            depth = request.config.getoption("--depth")
            return lambda: Tree(max_depth=depth)
        """,
        options="--depth=<2|5>",
    ),
    "random_state": change(
        """
        def make():
            return Tree(max_features=1, random_state=<0|1>)

        def train(model, X, y):
            return model.fit(X, y)
        """
    ),
    "epochs of mia_training": change(EPOCHS),
    "mia_predict": change("def predict(model, X):\n    return np.round(model.predict_proba(X), <1|3>)\n"),
    "mia_loss": change(
        "def loss(model, X, y):\n    return np.abs(model.predict_proba(X)[:, 1] - y) + X[:, 0] ** <2|4>\n"
    ),
}
VARIANTS = {
    "the type of labels": typed("y = y<|.astype(str)>", '5 if y.dtype.kind == "U" else 2'),
    "a step of a pipeline": change(STEP.format("<FunctionTransformer()|FunctionTransformer(np.round)>")),
    "mia_training": trained("<2|5>"),
    "mia_augment": change(
        "def augment(X, rng):\n    return X + rng.normal(size=X.shape, scale=<0.1|0.9>)\n",
        options="--mia-attacks=augmentation",
    ),
    "a function in a step of a pipeline": change(STEP.format("FunctionTransformer(rounded)")),
    "the seed in pytest.ini": change(files={"pytest.ini": "[pytest]\nmia_seed = <0|1>\n"}),
    "the seed of a marker": change(
        test_privacy="""
        import pytest

        @pytest.mark.mia(seed=<0|1>)
        def test_one(mia_audit):
            assert mia_audit.models == 4
        """
    ),
    "a fixture in a test file": change(
        test_privacy="""
        import pytest
        from sklearn.tree import DecisionTreeClassifier

        @pytest.fixture
        def mia_model_factory():
            return lambda: DecisionTreeClassifier(max_depth=<2|5>)

        def test_one(mia_audit):
            assert mia_audit.models == 4
        """
    ),
}
