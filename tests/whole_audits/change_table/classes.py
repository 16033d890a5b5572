"""Changes of the user's own classes and objects."""

from change_table.repository import change, made, trained

SETTINGS = """
class Settings:
    def __init__(self, depth):
        self.depth = depth
"""
META = """
class Meta(type):
    {}

class Own(metaclass=Meta):
    def __init__(self):
        self.depth = 3
"""
TREE = """
class Own(Tree):
    {}

def make():
    return Own()
"""

CHANGES = {
    "a class attribute": made("Own.depth", "class Own:\n    depth = <2|5>"),
    "a descriptor": made(
        "Own().depth",
        """
        class Depth:
            def __get__(self, instance, owner):
                return <2|5>

        class Own:
            depth = Depth()
        """,
    ),
    "a default of a dataclass": made(
        "Own().depth", "from dataclasses import dataclass\n\n@dataclass\nclass Own:\n    depth: int = <2|5>"
    ),
    "a value of an Enum": made("Depth.DEEP.value", "import enum\n\nclass Depth(enum.Enum):\n    DEEP = <2|5>"),
    "a metaclass's call": made(
        "Own().depth",
        META.format(
            """
    def __call__(cls):
        own = super().__call__()
        own.depth = <2|5>
        return own
"""
        ),
    ),
    "a base class in another module": change(
        "from bases import Base\n\nclass Own(Base):\n    pass\n\ndef make():\n    return Own()\n",
        bases="""
        from sklearn.tree import DecisionTreeClassifier

        class Base(DecisionTreeClassifier):
            def fit(self, X, y):
                return self.set_params(max_depth=<2|5>) and super().fit(X, y)
        """,
    ),
    "__init__ of a model's own class": change(
        TREE.format("def __init__(self, max_depth=<2|5>):\n        super().__init__(max_depth=max_depth)\n")
    ),
    "what __getstate__ leaves out": made(
        "SHY.depth", SETTINGS + "    def __getstate__(self):\n        return {}\n\nSHY = Settings(<2|5>)"
    ),
    "what a method kept of a variable": trained(
        "OWN.depth()",
        """
        class Own:
            @functools.cache
            def depth(self):
                return int(os.environ["MODEL_DEPTH"])

        OWN = Own()
        """,
        environment={"MODEL_DEPTH": "<2|5>"},
    ),
    "a method that is replaced in its class": made(
        "Own().depth()", "class Own:\n    def depth(self):\n        return 3\n\nOwn.depth = lambda self: <2|5>"
    ),
}
VARIANTS = {
    "an attribute of an object": made("SETTINGS.depth", SETTINGS + "\nSETTINGS = Settings(<2|5>)"),
    "a method of an object": change(
        SETTINGS + "    def make(self):\n        return Tree(max_depth=self.depth)\n\nmake = Settings(<2|5>).make\n"
    ),
    "a property": made("Own().depth", "class Own:\n    @property\n    def depth(self):\n        return <2|5>"),
    "an object that makes models": change(
        SETTINGS + "    def __call__(self):\n        return Tree(max_depth=self.depth)\n\nmake = Settings(<2|5>)\n"
    ),
    "a static method": made("Own.depth()", "class Own:\n    @staticmethod\n    def depth():\n        return <2|5>"),
    "an attribute that is made up when asked": made(
        "Own().depth", "class Own:\n    def __getattr__(self, name):\n        return <2|5>"
    ),
    "a factory of a dataclass's default": made(
        "Own().depths[0]",
        """
        from dataclasses import dataclass, field

        @dataclass
        class Own:
            depths: list = field(default_factory=lambda: [<2|5>])
        """,
    ),
    "a default of a named tuple": made(
        "Own().depth", "from typing import NamedTuple\n\nclass Own(NamedTuple):\n    depth: int = <2|5>"
    ),
    "a slot of an object": made(
        "OWN.depth", 'class Own:\n    __slots__ = ("depth",)\n\nOWN = Own()\nOWN.depth = <2|5>'
    ),
    "a metaclass's attribute": made("Own.depth", META.format("depth = <2|5>")),
    "fit of a model's own class": change(
        TREE.format("def fit(self, X, y):\n        return super().fit(np.round(X, <0|2>), y)\n")
    ),
    "what __reduce__ leaves out": made(
        "SHY.depth", SETTINGS + "    def __reduce__(self):\n        return Settings, (3,)\n\nSHY = Settings(<2|5>)"
    ),
    "a value that is computed once": made(
        "OWN.depth",
        """
        class Own:
            @functools.cached_property
            def depth(self):
                return sizes.pop()

        OWN = Own()
        sizes = [3, <2|5>]
        OWN.depth
        sizes = [3]
        """,
    ),
    "a method that is replaced in its object": made(
        "OWN.depth()",
        "class Own:\n    def depth(self):\n        return 3\n\nOWN = Own()\nOWN.depth = lambda: <2|5>",
    ),
    "subclasses that their base registers": made(
        'Base.known["Own"].depth',
        """
        class Base:
            known = {}

            def __init_subclass__(cls):
                Base.known[cls.__name__] = cls

        class Own(Base):
            depth = <2|5>
        """,
    ),
}
