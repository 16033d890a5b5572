"""A model asked as if it were shipped with a remedy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pytest_mia.data.containers import count
from pytest_mia.data.dataset import Dataset
from pytest_mia.models.answers import Answer, check_answer
from pytest_mia.models.protocol import Adapter, Asker
from pytest_mia.remedies.protocol import Remedy


@dataclass(frozen=True, eq=False)
class RemediedAsker:
    """Asks as another does, and changes the answers.

    Attributes
    ----------
    asker
        Asks the model.
    remedy
        Changes what it answers.
    """

    asker: Asker
    remedy: Remedy

    def problems(self, model: Any, dataset: Dataset) -> list[str]:
        """Why the model can't be asked, with a remedy or without."""
        return self.asker.problems(model, dataset)

    def answer(self, model: Any, X: Any, y: Any) -> Answer:
        """What is answered in the place of the model's answers."""
        return self.remedy.apply(check_answer(self.asker.answer(model, X, y), count(X)))


def add_remedy(adapter: Adapter, remedy: Remedy) -> Adapter:
    """The adapter of models that are trained as these are, and answer with a remedy."""
    return replace(adapter, asker=RemediedAsker(adapter.asker, remedy))
