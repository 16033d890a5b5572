"""Changes of libraries: the user's code in their place, their settings, other versions."""

from change_table.repository import change, made, trained

RANK = "np.linalg.matrix_rank"
PACK = """
class Settings:
    depth = 3

DEPTH = 3
SETTINGS = Settings()
MODELS = {"plain": lambda: 3}

def depth():
    return DEPTH

def make():
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(max_depth=depth())
"""


def patched(conftest, **rest):
    """A change of what stands in the place of a library's function that training calls."""
    return trained(f"1 + {RANK}(X)", conftest, **rest)


def installed(code, version="1.0", name="pack", digest=""):
    """The files of an installed package."""
    place = "../site-packages"
    information = f"{place}/{name}-{version}.dist-info"
    return {
        f"{place}/{name}/__init__.py": code,
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{information}/RECORD": f"{name}/__init__.py,{digest},\n",
    }


def packed(conftest, **rest):
    """A change of what happens to an installed package."""
    return change(conftest, files=installed(PACK), **rest)


CHANGES = {
    "a method of a library's class that is reached through its module": change(
        """
        import sklearn.preprocessing as pre
        from sklearn.pipeline import make_pipeline

        pre.StandardScaler.transform = lambda self, X: np.round(X, <0|2>)

        def make():
            return make_pipeline(pre.StandardScaler(), Tree(max_depth=3))
        """
    ),
    "a library's function that another of it calls": packed(
        "import pack\nfrom pack import make\n\npack.depth = lambda: <2|5>\n"
    ),
    "a decorated function in a library's place": patched(
        f"@functools.wraps({RANK})\ndef rank(X):\n    return <2|5>\n\n{RANK} = rank"
    ),
    "an object in a library's place": patched(
        f"""
        class Rank:
            def __init__(self, depth):
                self.depth = depth

            def __call__(self, X):
                return self.depth

        {RANK} = Rank(<2|5>)
        """
    ),
    "another function of a library in its place": trained(f"np.ravel({RANK}(X))[0]", f"{RANK} = np.<ndim|shape>"),
    "a value of a library's module": packed("import pack\nfrom pack import make\n\npack.DEPTH = <2|5>\n"),
    "an entry in a library's registry": packed(
        """
        import pack

        pack.MODELS["own"] = lambda: <2|5>

        def make():
            return Tree(max_depth=pack.MODELS["own"]())
        """
    ),
    "a setting of scikit-learn": change(
        """
        import sklearn
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer, StandardScaler

        sklearn.set_config(transform_output="<default|pandas>")

        def rounded(X):
            return np.round(X, 0 if isinstance(X, np.ndarray) else 2)

        def make():
            return make_pipeline(StandardScaler(), FunctionTransformer(rounded), Tree(max_depth=3))
        """
    ),
    "how NumPy treats errors": trained(
        "depth()",
        """
        np.seterr(divide="<ignore|raise>")

        def depth():
            try:
                return np.divide(1.0, 0.0) > 0 and 2
            except FloatingPointError:
                return 5
        """,
    ),
    "a package's version": made(
        "pack.depth()", "import pack", files=installed("def depth():\n    return <2|5>\n", version="<1.0|1.1>")
    ),
    "the version of a package that training imports": trained(
        "__import__('pack').depth()", files=installed("def depth():\n    return <2|5>\n", version="<1.0|1.1>")
    ),
    "a package that is installed anew under its version": made(
        "pack.depth()", "import pack", files=installed("def depth():\n    return <2|5>\n", digest="sha256=<two|five>")
    ),
    "a package that is installed now": trained(
        "depth()",
        """
        def depth():
            try:
                import pack
            except ImportError:
                return 2
            return pack.depth()
        """,
        files=installed("<|def depth():\n    return 5\n>", version="<0.9|1.0>"),
    ),
}
VARIANTS = {
    "a function in a library's place": patched(f"{RANK} = lambda X: <2|5>"),
    "the source of a package that is installed to be edited": made(
        "pack.depth()",
        "import pack",
        files={
            "../site-packages/pack-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: pack\nVersion: 1.0\n",
            "../source/pack/__init__.py": "from .parts import depth\n",
            "../source/pack/parts.py": "def depth():\n    return <2|5>\n",
        },
        environment={"PYTHONPATH": "../source"},
    ),
    "a method of a library's class": change(
        """
        fit = Tree.fit

        def deeper(self, X, y, **rest):
            return fit(self.set_params(max_depth=<2|5>), X, y, **rest)

        Tree.fit = deeper
        """
    ),
    "a library's class that another of it makes": change(
        """
        from sklearn.ensemble import BaggingClassifier, _bagging

        _bagging.DecisionTreeClassifier = functools.partial(Tree, max_depth=<1|4>)

        def make():
            return BaggingClassifier(n_estimators=3)
        """
    ),
    "a partial of a library's function in its place": patched(f"{RANK} = functools.partial({RANK}, tol=<None|1000.0>)"),
    "a mock in a library's place": patched(
        "from unittest import mock\n\nmock.patch.object(np.linalg, 'matrix_rank', return_value=<2|5>).start()",
        thing="matrix_rank",
    ),
    "a patch of a fixture": patched(
        """
        @pytest.fixture(autouse=True)
        def rank(monkeypatch):
            monkeypatch.setattr(np.linalg, "matrix_rank", lambda X: <2|5>)
        """
    ),
    "a function of Python's library": trained("math.floor(3)", "import math\nmath.floor = lambda value: <2|5>"),
    "a function of Python's own": trained("bin(3)", "import builtins\nbuiltins.bin = lambda value: <2|5>"),
    "an attribute of a library's class": packed(
        "import pack\n\npack.Settings.depth = <2|5>\n\ndef make():\n    return Tree(max_depth=pack.SETTINGS.depth)\n"
    ),
    "an attribute of a library's object": packed(
        "import pack\n\npack.SETTINGS.depth = <2|5>\n\ndef make():\n    return Tree(max_depth=pack.SETTINGS.depth)\n"
    ),
    "the version of a package that another imports": made(
        "pack.depth()",
        "import pack",
        files=installed("from deep import depth\n")
        | installed("def depth():\n    return <2|5>\n", "<1.0|1.1>", "deep"),
    ),
    "a module among the installed ones that has no version": made(
        "alone.depth()", "import alone", files={"../site-packages/alone.py": "def depth():\n    return <2|5>\n"}
    ),
    "a version that training asks for": trained(
        "{'1.0': 2, '1.1': 5}[metadata.version('pack')]",
        "from importlib import metadata",
        files=installed("1\n", version="<1.0|1.1>"),
    ),
}
