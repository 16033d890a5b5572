"""Changes of environment variables, however they are read: MODEL_DEPTH is 2, then 5."""

from change_table.repository import made, trained

DEPTH = {"MODEL_DEPTH": "<2|5>"}
HOME = {"HOME": "/nowhere/<2|5>"}


def read(depth, conftest="", **rest):
    """A change of the variable, which training reads by this expression."""
    return trained(depth, conftest, environment=DEPTH, **rest)


CHANGES = {
    "a variable": read('os.environ["MODEL_DEPTH"]'),
    "a variable under a made name": read('os.environ[f"MODEL_{NAME}"]', 'NAME = "DEPTH"'),
    "a variable under a made name by getenv": read('os.getenv("MODEL_" + NAME)', 'NAME = "DEPTH"'),
    "a variable by an alias of getenv": read('g("MODEL_DEPTH")', "from os import getenv as g"),
    "a variable in a copy": read('os.environ.copy()["MODEL_DEPTH"]'),
    "a variable as bytes": read('os.environb[b"MODEL_DEPTH"]'),
    "a variable in a path": read('os.path.expandvars("$MODEL_DEPTH")'),
    "a variable that a library reads": trained(
        "pack.depth()",
        "import pack",
        environment=DEPTH,
        files={
            "../site-packages/pack.py": 'import os\n\ndef depth():\n    return os.environ["MODEL_" + "DEPTH"]\n',
            "../site-packages/pack-1.0.dist-info/METADATA": "Name: pack\nVersion: 1.0\n",
            "../site-packages/pack-1.0.dist-info/RECORD": "pack.py,,\n",
        },
    ),
    "whether there is a variable": trained(
        '2 if "MODEL_" + "DEPTH" in os.environ else 5', environment={"MODEL_DEPTH": "<1|>"}
    ),
    "a variable that a kept answer is made of": trained(
        "depth()",
        """
        @functools.lru_cache
        def depth():
            return os.environ["MODEL_DEPTH"]

        depth()
        """,
        environment=DEPTH,
    ),
    "a variable that an answer kept in training is made of": trained(
        "depth()", '@functools.lru_cache\ndef depth():\n    return os.environ["MODEL_DEPTH"]', environment=DEPTH
    ),
}
VARIANTS = {
    "a variable under a made name by get": read('os.environ.get(f"MODEL_{NAME}")', 'NAME = "DEPTH"'),
    "the home folder": trained('pathlib.Path("~").expanduser().name', environment=HOME),
    "a variable that appears": trained('os.environ.get("MODEL_" + "DEPTH", 2)', environment={"MODEL_DEPTH": "<|5>"}),
    "a variable that the factory reads": made('os.environ["MODEL_DEPTH"]', environment=DEPTH),
    "a variable by get": read('os.environ.get("MODEL_DEPTH", 3)'),
    "a variable by getenv": read('os.getenv("MODEL_DEPTH")'),
    "a variable that the factory reads under a made name": made(
        'os.environ["MODEL_" + NAME]', 'NAME = "DEPTH"', environment=DEPTH
    ),
    "a variable by a method that is kept": read('look("MODEL_DEPTH")', "look = os.environ.get"),
    "a variable by an alias of environ": read(
        'settings.env["MODEL_DEPTH"]', "import settings", settings="from os import environ as env"
    ),
    "a variable by an attribute of a made name": read('getattr(os, "env" + "iron")["MODEL_DEPTH"]'),
    "a variable in a dict": read('dict(os.environ)["MODEL_DEPTH"]'),
    "a variable among all": read('[text for name, text in os.environ.items() if name.endswith("_DEPTH")][0]'),
    "a variable in another mapping": read('{**os.environ}["MODEL_DEPTH"]'),
    "a variable in a chain of mappings": read(
        'collections.ChainMap({}, os.environ)["MODEL_DEPTH"]', "import collections"
    ),
    "a variable by getenvb": read('os.getenvb(b"MODEL_DEPTH")'),
    "a variable in a template": read('string.Template("$MODEL_DEPTH").substitute(os.environ)', "import string"),
    "the home folder by expanduser": trained('os.path.expanduser("~")[-1]', environment=HOME),
    "a variable that a helper reads": read(
        "settings.depth()",
        "import settings",
        settings="import os\n\ndef depth():\n    return os.environ['MODEL_' + 'DEPTH']\n",
    ),
    "a variable that a thread reads": read(
        'ThreadPoolExecutor().submit(os.getenv, "MODEL_DEPTH").result()',
        "from concurrent.futures import ThreadPoolExecutor",
    ),
    "a variable that is read when conftest.py is loaded": made(
        "DEPTH", 'DEPTH = os.getenv("MODEL_" + "DEPTH")', environment=DEPTH
    ),
    "a variable that vanishes": trained('os.environ.get("MODEL_" + "DEPTH", 5)', environment={"MODEL_DEPTH": "<2|>"}),
    "how many variables there are": trained("len(os.environ) - 4", environment={"MODEL_DEPTH": "<|5>"}),
}
