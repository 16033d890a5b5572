"""Changes of values that a factory or a training refers to, and of functions that hold them."""

from change_table.repository import change, made, trained

CHANGES = {
    "a hyperparameter": change("def make():\n    return Tree(max_depth=<2|5>)\n"),
    "the cell of a closure": change(
        "def outer(depth):\n    return lambda: Tree(max_depth=depth)\n\nmake = outer(<2|5>)\n"
    ),
    "an argument of a partial": change("make = functools.partial(Tree, max_depth=<2|5>)\n"),
    "an answer that a function kept before training": made(
        "depth()",
        """
        @functools.lru_cache
        def depth():
            return sizes.pop()

        sizes = [<2|5>]
        depth()
        """,
    ),
    "a global list that is changed later": made("DEPTHS[0]", "DEPTHS = [3]\nDEPTHS[0] = <2|5>"),
    "an attribute of an array's own class": made(
        "WEIGHTS.depth",
        """
        class Weights(np.ndarray):
            depth = 3

        WEIGHTS = np.ones(2).view(Weights)
        WEIGHTS.depth = <2|5>
        """,
    ),
    "a value of a thread": made("LOCAL.depth", "import threading\nLOCAL = threading.local()\nLOCAL.depth = <2|5>"),
    "a context variable": made(
        "DEPTH.get()",
        'import contextvars\nDEPTH = contextvars.ContextVar("depth")\nDEPTH.set(<2|5>)',
        thing="DEPTH|depth",
    ),
    "a state that training moves on": trained(
        "GENERATOR.integers(1, 9)", "GENERATOR = np.random.default_rng(<0|1>)", thing="GENERATOR"
    ),
    "an expression that is evaluated": made('eval("DEP" + "TH")', "DEPTH = <2|5>", thing=r"\beval\b"),
    "code that is executed": made(
        "executed()",
        """
        CODE = "depth = <2|5>"

        def executed():
            space = {}
            exec(CODE, space)
            return space["depth"]
        """,
        thing=r"\bexec\b",
    ),
}
VARIANTS = {
    "a default argument": change("def make(depth=<2|5>):\n    return Tree(max_depth=depth)\n"),
    "a default of a keyword": change("def make(*, depth=<2|5>):\n    return Tree(max_depth=depth)\n"),
    "an attribute of a function": change("def make():\n    return Tree(max_depth=make.depth)\n\nmake.depth = <2|5>\n"),
    "a constant of a decorator's inner function": made(
        "depth()",
        """
        def deeper(function):
            @functools.wraps(function)
            def inner():
                return function() + <0|3>
            return inner

        @deeper
        def depth():
            return 2
        """,
    ),
    "a table made by a generator": made(
        'TABLE["b"]', 'TABLE = {name: depth + 1 for name, depth in zip("ab", (each for each in (3, <1|4>)))}'
    ),
    "a hyperparameter's type": change("def make():\n    return Tree(max_features=<1|1.0>, random_state=0)\n"),
    "a constant of an inner function": made(
        "inner()()", "def inner():\n    def depth():\n        return <2|5>\n    return depth"
    ),
    "a function in a table": made('TABLE["deep"]()', 'TABLE = {"deep": lambda: <2|5>}'),
    "an implementation of a generic function": made(
        "depth(1)",
        """
        @functools.singledispatch
        def depth(value):
            return 3

        @depth.register
        def _(value: int):
            return <2|5>
        """,
        thing="depth",
    ),
    "the order of a mapping": made("next(iter(DEPTHS))", "DEPTHS = {<2|5>: 0, <5|2>: 0}"),
    "an element of a set": made("max(DEPTHS)", "DEPTHS = {1, 2, <2|5>}"),
    "a value of a large array": made("DEPTHS.sum()", "DEPTHS = np.zeros(10**5)\nDEPTHS[50000] = <2|5>"),
    "the mask of an array": made("DEPTHS.sum()", "DEPTHS = np.ma.array([2, 3], mask=[<0|1>, <1|0>])"),
    "an attribute of a data frame": made(
        'FRAME.attrs["depth"]', 'import pandas\nFRAME = pandas.DataFrame({"a": [1]})\nFRAME.attrs["depth"] = <2|5>'
    ),
    "a name that is known everywhere": made("DEPTH", "import builtins\nbuiltins.DEPTH = <2|5>"),
    "a value behind a weak reference": made(
        "REFERENCE().depth",
        """
        import weakref

        class Settings:
            depth = 3

        settings = Settings()
        settings.depth = <2|5>
        REFERENCE = weakref.ref(settings)
        """,
        thing="REFERENCE",
    ),
    "a count that training moves on": trained(
        "next(COUNT)", "import itertools\nCOUNT = itertools.count(<1|3>)", thing="COUNT"
    ),
    "a name that is looked up in globals": made('globals()["DEP" + "TH"]', "DEPTH = <2|5>", thing=r"\bglobals\b"),
}
