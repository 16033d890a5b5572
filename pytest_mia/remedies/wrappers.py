"""Classes around the user's models that answer with a remedy, made from the remedies themselves."""

from __future__ import annotations

import inspect
from inspect import Parameter, Signature
from typing import Any

from pytest_mia.remedies.protocol import ENDINGS, Remedy


def make_wrapper(base: type, remedy: type[Remedy], wrapped: Parameter, about: str) -> type:
    """The class of models that answer with a remedy, as if it were written out by hand.

    It can be pickled where the module of `base` gives it by its name. Its arguments are the model and the remedy's own,
    with their defaults, which `base` gets as keywords.

    Parameters
    ----------
    base
        What such classes have in common; it finds the remedy's type in its attribute ``remedy_type``.
    remedy
        The type of the remedies.
    wrapped
        The first argument, "estimator" or "module".
    about
        What the documentation says of it.
    """
    own = [
        Parameter(row.name, Parameter.POSITIONAL_OR_KEYWORD, default=row.default, annotation=row.type)
        for row in remedy.arguments()
    ]
    signature = Signature([Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), wrapped, *own])
    name = f"{remedy.__name__}{ENDINGS[wrapped.name]}"

    def __init__(*given: Any, **named: Any) -> None:
        bound = signature.bind(*given, **named)
        bound.apply_defaults()
        base.__init__(**bound.arguments)  # type: ignore[misc]

    __init__.__qualname__ = f"{name}.__init__"
    __init__.__signature__ = signature  # type: ignore[attr-defined]
    content = {
        "__init__": __init__,
        "__module__": base.__module__,
        "__doc__": _documentation(remedy, wrapped.name, about),
        "remedy_type": remedy,
    }
    return type(name, (base,), content)


def _documentation(remedy: type[Remedy], wrapped: str, about: str) -> str:
    words, _, attributes = (inspect.getdoc(remedy) or "").partition("Attributes\n----------\n")
    first = words.partition("\n\n")[0].strip()
    head = f"{first}\n\nSee `pytest_mia.remedies.{remedy.__name__}`."
    return f"{head}\n\nParameters\n----------\n{wrapped}\n    {about}\n{attributes}"
