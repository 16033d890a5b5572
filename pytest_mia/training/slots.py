"""Where trained models' outputs are kept, as those see it who train: one slot a model. By default nothing is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pytest_mia.training.jobs import Job, Method, Trained


class Slot(Protocol):
    """The place of one model; it can be sent to another process."""

    def load(self) -> Trained | None:
        """The model, if it is there."""
        ...

    def obtain(self, train: Callable[[], Trained], *, wait: float) -> Trained | None:
        """The model if it is there; otherwise trained, and kept as soon as it is.

        Parameters
        ----------
        train
            Trains it.
        wait
            Seconds to wait for another process that trains it just now; ``None`` is returned if it still does then.
        """
        ...


class Cache(Protocol):
    """The slots of an audit's models."""

    def slots(self, jobs: Sequence[Job], method: Method) -> Sequence[Slot]:
        """The slot of each job."""
        ...


class Uncached:
    """Keeps nothing."""

    def load(self) -> Trained | None:
        """Nothing."""

    def obtain(self, train: Callable[[], Trained], *, wait: float) -> Trained | None:  # noqa: ARG002 - nobody else trains it
        """The model, trained."""
        return train()

    def slots(self, jobs: Sequence[Job], method: Method) -> Sequence[Slot]:  # noqa: ARG002 - all slots are alike
        """A slot for each job."""
        return [self] * len(jobs)


UNCACHED = Uncached()
