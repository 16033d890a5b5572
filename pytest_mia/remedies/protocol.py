"""What a remedy is: a function of a model's answers, and the lines that ship it."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy.typing as npt
from scipy import special

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.types import FloatArray
from pytest_mia.models.answers import Answer, Labels, Logits, Probabilities, as_numbers, check_answer, in_unit

ENDINGS = {"estimator": "Answers", "module": "Module"}
"""Ends of the names of wrapper classes, by their first argument."""


class Remedy(ABC):
    """Changes answers about classes. Each is a frozen dataclass whose fields are the arguments of its wrappers.

    Attributes
    ----------
    idea
        What it does, in a few words.
    labels_alone
        Whether it answers with labels and no probabilities; by default it doesn't.
    """

    idea: ClassVar[str]
    labels_alone: ClassVar[bool] = False

    @classmethod
    def measured(cls, classes: int) -> Sequence[Remedy]:  # noqa: ARG003 - the number matters to some remedies
        """The remedies of this type that ``--mia-what-if`` measures on models of so many classes, the weakest first."""
        return (cls(),)

    @classmethod
    def arguments(cls) -> Sequence[dataclasses.Field[Any]]:
        """The arguments of remedies of this type, and of their wrappers."""
        return dataclasses.fields(cls)  # type: ignore[arg-type]

    @abstractmethod
    def changed(self, probabilities: FloatArray) -> Probabilities | Labels:
        """What is answered in the place of probabilities (records, classes)."""
        ...

    def apply(self, answer: Answer) -> Answer:
        """What is answered in the place of an answer; labels alone stay as they are.

        Raises
        ------
        InvalidAuditError
            For NaN, and for probabilities outside of 0 to 1: no remedy hides them.
        MIAUsageError
            For answers without classes.
        """
        if isinstance(answer, Labels):
            return answer
        if not isinstance(answer, Probabilities | Logits):
            raise MIAUsageError(f"{self!r} changes answers about classes, got {type(answer).__name__}")
        check_answer(answer, len(answer.values))
        return self.changed(self.probabilities(answer))

    def probabilities(self, answer: Probabilities | Logits) -> FloatArray:
        """An answer as probabilities, from which the remedy starts."""
        return answer.values if isinstance(answer, Probabilities) else special.softmax(answer.values, axis=1)

    def __call__(self, values: Any) -> npt.NDArray[Any]:
        """The same for an array, such as ``mia_predict`` and a service have it.

        Parameters
        ----------
        values
            Probabilities, or else logits (records, classes).

        Returns
        -------
        array
            Probabilities (records, classes), or numbers of classes (records,).
        """
        array = as_numbers(values)
        after = self.apply(Probabilities(array) if in_unit(array) else Logits(array))
        return after.codes if isinstance(after, Labels) else after.values

    def line(self, wrapped: str) -> str:
        """How it is written.

        Parameters
        ----------
        wrapped
            "estimator" or "module", for its wrapper; "answers" for what another function answers.
        """
        arguments = [f"{row.name}={getattr(self, row.name):g}" for row in self.arguments()]
        name = type(self).__name__
        if wrapped in ENDINGS:
            return f"{name}{ENDINGS[wrapped]}({', '.join([wrapped, *arguments])})"
        return f"{name}({', '.join(arguments)})({wrapped})"


def refuse(name: str, value: object, *, fits: bool, must: str) -> None:
    """Refuse a value that doesn't fit.

    Raises
    ------
    MIAUsageError
        The message says what it must be.
    """
    if not fits:
        raise MIAUsageError(f"{name} must be {must}, got {value!r}")
