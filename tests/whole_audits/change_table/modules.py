"""Changes of the user's modules, however they are reached."""

import shutil
import subprocess
import sysconfig
import zipfile

from change_table.repository import change, made, trained

DEPTHS = "DEPTH = <2|5>\n"
LATE = "def depth():\n    from depths import DEPTH\n    return DEPTH\n"
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
EXTENSION = """
int PyModule_AddIntConstant(void *, const char *, long);
void *PyModule_Create2(void *, int);
static void *definition[13] = {(void *) 1, 0, 0, 0, 0, "depths", 0, (void *) -1};
int depth(void) { return <2|5>; }
void *PyInit_depths(void) {
    void *module = PyModule_Create2(definition, 1013);
    PyModule_AddIntConstant(module, "DEPTH", depth());
    return module;
}
"""


def compiled(path, text):
    """Compile a module of Python's: without its headers, which not every machine has."""
    command = ["cc", "-shared", "-fPIC", "-w", "-x", "c", "-", "-o", path]
    subprocess.run(command, input=text, text=True, check=True)


def zipped(path, text):
    """Write an archive that holds depths.py."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("depths.py"), text)


CHANGES = {
    "a helper two imports away": change(
        "from recipe import make\n",
        recipe="""
        from sklearn.tree import DecisionTreeClassifier
        import depths

        def make():
            return DecisionTreeClassifier(max_depth=depths.depth())
        """,
        depths="def depth():\n    return <2|5>\n",
    ),
    "a registry that decorators of another module fill": change(
        "import models\nfrom registry import MODELS\n\ndef make():\n    return MODELS['tree']()\n",
        registry="""
        MODELS = {}

        def register(function):
            MODELS[function.__name__] = function
            return function
        """,
        models="""
        from sklearn.tree import DecisionTreeClassifier
        from registry import register

        @register
        def tree():
            return DecisionTreeClassifier(max_depth=<2|5>)
        """,
    ),
    "a value that is set in a module": made(
        "depth()",
        "import depths\nfrom recipe import depth\ndepths.DEPTH = <2|5>",
        recipe="import depths\n\ndef depth():\n    return depths.DEPTH\n",
        depths="DEPTH = 3\n",
    ),
    "a module that training imports": change(
        """
        def train(model, X, y):
            from depths import DEPTH

            return model.set_params(max_depth=DEPTH).fit(X, y)
        """,
        depths=DEPTHS,
    ),
    "a value that is set in a module that training imports": change(
        """
        import depths

        depths.DEPTH = <2|5>

        def train(model, X, y):
            from depths import DEPTH

            return model.set_params(max_depth=DEPTH).fit(X, y)
        """,
        depths="DEPTH = 3\n",
    ),
    "a value that is set in a module before training imports another": change(
        """
        import depths

        depths.DEPTH = <2|5>

        def train(model, X, y):
            from recipe import SIZE

            return model.set_params(max_depth=SIZE).fit(X, y)
        """,
        recipe="from depths import DEPTH\n\nSIZE = DEPTH\n",
        depths="DEPTH = 3\n",
    ),
    "a file that is read by a module that training imports": trained(
        "depth()",
        LATE,
        depths="DEPTH = int(open('depth.txt').read())\n",
        files={"depth.txt": "<2|5>"},
    ),
    "a variable that is read by a module that training imports": trained(
        "depth()",
        LATE,
        depths="import os\n\nDEPTH = int(os.environ['MODEL_DEPTH'])\n",
        environment={"MODEL_DEPTH": "<2|5>"},
    ),
    "a module that is imported by a made name": trained(
        "importlib.import_module(f'{KIND}_depths').DEPTH", "import importlib\nKIND = 'tree'", tree_depths=DEPTHS
    ),
    "another module of the same name": trained(
        "__import__('depths').DEPTH",
        files={"two/depths.py": "DEPTH = 2\n", "five/depths.py": "DEPTH = 5\n"},
        environment={"PYTHONPATH": "<two|five>"},
    ),
    "a module that appears": trained(
        "depth()",
        """
        def depth():
            try:
                import local_settings
            except ImportError:
                return 2
            return local_settings.DEPTH
        """,
        local_settings="<|DEPTH = 5>",
    ),
    "a module whose file has another suffix": trained(
        "SourceFileLoader('depths', 'depths.conf').load_module().DEPTH",
        "from importlib.machinery import SourceFileLoader\nimport warnings\nwarnings.simplefilter('ignore')",
        files={"depths.conf": DEPTHS},
    ),
    "a compiled module that training imports": trained(
        "__import__('depths').DEPTH", files={f"depths{SUFFIX}": (compiled, EXTENSION)}
    ),
    "a compiled library that ctypes opens": trained(
        "ctypes.CDLL('./depths.so').depth()", "import ctypes", files={"depths.so": (compiled, EXTENSION)}
    ),
}
VARIANTS = {
    "a module of a package": made(
        "nets.depth()",
        "from pack import nets",
        files={
            "pack/__init__.py": "import os\n",
            "pack/nets.py": "from .parts import DEPTH\n\ndef depth():\n    return DEPTH\n",
            "pack/parts.py": DEPTHS,
        },
    ),
    "a plugin of the repository's own": change(
        """
        from registry import MODELS

        pytest_plugins = ["models"]

        def make():
            return Tree(max_depth=MODELS[0])
        """,
        registry="MODELS = []\n",
        models="import registry\n\nregistry.MODELS.append(<2|5>)\n",
    ),
    "a constant two imports away": made(
        "DEPTH", "from recipe import DEPTH", recipe="from depths import *", depths=DEPTHS
    ),
    "a package itself": made(
        "pack.DEPTH", "import pack.nets", files={"pack/__init__.py": DEPTHS, "pack/nets.py": "1\n"}
    ),
    "a module's attribute that is made up when asked": made(
        "depths.DEPTH", "import depths", depths="def __getattr__(name):\n    return <2|5>"
    ),
    "a module that was made on the way": trained(
        "__import__('made').depth",
        "import types\nmodule = types.ModuleType('made')\nmodule.depth = <2|5>\nsys.modules['made'] = module",
    ),
    "a value that is set in a module and looked up by a made name": made(
        "getattr(depths, 'DEP' + 'TH')", "import depths\ndepths.DEPTH = <2|5>", depths="DEPTH = 3\n"
    ),
    "a module that is imported by a module that training imports": change(
        """
        def train(model, X, y):
            import recipe

            return model.set_params(max_depth=recipe.depth()).fit(X, y)
        """,
        recipe="def depth():\n    from depths import DEPTH\n    return DEPTH\n",
        depths=DEPTHS,
    ),
    "a module that __import__ imports": trained("__import__('dep' + 'ths').DEPTH", depths=DEPTHS),
    "a module that is loaded from its path": trained(
        "loaded().DEPTH",
        """
        import importlib.util

        def loaded():
            spec = importlib.util.spec_from_file_location("recipe", "parts/depths.py")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
        """,
        files={"parts/depths.py": DEPTHS},
    ),
    "a script that is run": trained("runpy.run_path('depths.py')['DEPTH']", "import runpy", depths=DEPTHS),
    "a module in an archive": trained(
        "__import__('depths').DEPTH", files={"depths.zip": (zipped, DEPTHS)}, environment={"PYTHONPATH": "depths.zip"}
    ),
    "a compiled module": made("depths.DEPTH", "import depths", files={f"depths{SUFFIX}": (compiled, EXTENSION)}),
    "a compiled library that was opened before": trained(
        "LIBRARY.depth()",
        "import ctypes\nLIBRARY = ctypes.CDLL('./depths.so')",
        files={"depths.so": (compiled, EXTENSION)},
        thing="LIBRARY",
    ),
}
if not shutil.which("cc"):
    CHANGES, VARIANTS = (
        {name: each for name, each in cases.items() if "compiled" not in name} for cases in (CHANGES, VARIANTS)
    )
