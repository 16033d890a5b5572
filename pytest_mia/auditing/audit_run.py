"""One audit while it runs: what is audited, how, and until when."""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass

from pytest_mia.attacks import registry as attacks
from pytest_mia.cache.store import Store
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.settings import Settings
from pytest_mia.models.queries import registry as queries
from pytest_mia.training.jobs import Method, Trained


@dataclass(frozen=True)
class AuditRun:
    """What every stage of an audit needs.

    Attributes
    ----------
    request
        What is audited, and what its attacker knows.
    settings
        The audit's settings.
    method
        How models are trained and queried.
    store
        Where trained models are looked up and kept; ``None`` keeps none.
    replay
        The command that repeats this audit, for messages.
    threshold
        The limit of the gate, where it is known: too few records for it are then refused early.
    begun
        When it began, by ``time.perf_counter``.
    deadline
        When, by the same clock, training stops. It holds for everything that is trained for this audit.
    attackers
        How many attackers there are; they share the error probability.
    """

    request: AuditRequest
    settings: Settings
    method: Method
    store: Store | None = None
    replay: str = ""
    threshold: float | None = None
    begun: float = 0.0
    deadline: float = math.inf
    attackers: int = 1

    @classmethod
    def start(
        cls,
        request: AuditRequest,
        settings: Settings,
        *,
        store: Store | None = None,
        replay: str = "",
        threshold: float | None = None,
    ) -> AuditRun:
        """An audit that begins now, with the whole of its time limit."""
        now = time.perf_counter()
        deadline = now + (settings.time_limit or math.inf)
        return cls(request, settings, choose_method(request, settings), store, replay, threshold, now, deadline)

    def start_again(self, request: AuditRequest, settings: Settings) -> AuditRun:
        """A further audit of another request, which begins now and keeps to this one's deadline."""
        method = choose_method(request, settings)
        return AuditRun(request, settings, method, self.store, begun=time.perf_counter(), deadline=self.deadline)

    @property
    def out_of_time(self) -> bool:
        """Whether the deadline has passed."""
        return time.perf_counter() >= self.deadline

    def settle(self, trained: tuple[Trained, ...]) -> AuditRun:
        """The same run with what the first trained model decided; unchanged without a trained model."""
        return dataclasses.replace(self, method=self.method.settled(trained[0])) if trained else self


def choose_method(request: AuditRequest, settings: Settings) -> Method:
    """How the models of an audit are trained and queried."""
    asked = settings.attacks
    needed = None if asked is None or attacks.DEFAULT in asked else queries.names_that_measure(attacks.reads(asked))
    return Method(
        request.training,
        request.predict,
        request.loss,
        settings.device,
        settings.queries,
        request.augment,
        needed,
        settings.seed,
    )
