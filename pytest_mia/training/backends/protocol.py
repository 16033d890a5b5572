"""What a backend is: workers that train models at the same time."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pytest_mia.data.records import Data
    from pytest_mia.training.jobs import Job, Method, Trained, Unit


class Backend(Protocol):
    """Workers that train models; the figures are those of one process, bit for bit."""

    def check(self, jobs: Sequence[Job], method: Method) -> None:
        """See, before anything is trained, whether these jobs can be done.

        Raises
        ------
        MIAUsageError
            When they can't, with every reason.
        """
        ...

    def suits(self, units: Sequence[Unit], method: Method, first: Trained) -> bool:
        """Whether to train these models here, after the first one."""
        ...

    def train(
        self, units: Sequence[Unit], data: Data, method: Method, first: Trained
    ) -> Generator[Trained, None, None] | None:
        """Start to train.

        Parameters
        ----------
        units
            What to train.
        data, method
            On what, and how.
        first
            The audit's first model, which tells where others like it can be trained.

        Returns
        -------
        generator or None
            The models in the order in which they are done, each kept in its slot, without those that another process
            trains just now. No generator where the user's functions can't leave this process.
        """
        ...

    def close(self) -> None:
        """Let go of the workers."""
        ...
