"""What a probe is, and the model that it asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.types import BoolArray, IntArray
from pytest_mia.data.containers import join_copies
from pytest_mia.models.answers import Answer, Labels, Logits, Probabilities, check_answer
from pytest_mia.models.protocol import Adapter
from pytest_mia.models.signals import Signals


@dataclass(frozen=True, eq=False)
class QueryTarget:
    """A trained model that answers any question about the audit's records.

    Attributes
    ----------
    adapter
        How it is asked.
    model
        The trained model itself, for those that look inside.
    labels
        Class code of each record (records,).
    """

    adapter: Adapter
    model: Any
    labels: IntArray

    def answer(self, X: Any) -> Answer:
        """The model's answer on a copy of each record; the model may write to the copies.

        Raises
        ------
        InvalidAuditError
            For answers that can't be judged.
        """
        return check_answer(self.adapter.asker.answer(self.model, X, None), len(self.labels))

    def guesses(self, X: Any) -> IntArray:
        """The class (records,) that the model guesses for a copy of each record.

        Raises
        ------
        MIAUsageError
            When it answers without classes.
        """
        match self.answer(X):
            case Labels(codes):
                return codes
            case Probabilities(values) | Logits(values):
                return np.asarray(values.argmax(axis=1))
        raise MIAUsageError("a model that answers without classes guesses none; leave the attacks on labels out")

    def right_on_copies(self, copies: Sequence[Any]) -> BoolArray:
        """Whether some copies of each record are answered with the record's own label (copies, records), in one call.

        Parameters
        ----------
        copies
            Copies of all records, each in the user's own type; the model may write to them.
        """
        together = replace(self, labels=np.tile(self.labels, len(copies)))
        return together.right(join_copies(copies)).reshape(len(copies), -1)

    def right(self, X: Any) -> BoolArray:
        """Whether a copy of each record (records,) is answered with the record's own label."""
        return np.asarray(self.guesses(X) == self.labels)


class Probe(Protocol):
    """Asks a trained model more than its answers on the records.

    Attributes
    ----------
    name
        The probe's name, by which workers and the cache know it.
    fields
        Names of the `Signals` fields that it measures.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def fields(self) -> tuple[str, ...]: ...  # noqa: D102

    def problems(self, adapter: Adapter, model: Any, X: Any) -> list[str]:
        """Why models like this one can't be probed about these records, each with its remedy."""
        ...

    def measure(self, target: QueryTarget, X: Any, seed: int) -> Signals:
        """What is found on one model; the records stay as they are.

        Parameters
        ----------
        target
            The trained model.
        X
            All records, in the user's own type.
        seed
            The same for every model of an audit, so that all are asked alike.
        """
        ...
