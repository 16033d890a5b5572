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
    """What every stage of an audit works by.

    Attributes
    ----------
    request
        What is audited, and by whom it is attacked.
    settings
        How.
    method
        How models are trained and queried.
    store
        Where models that were trained before are found, and others are kept; ``None`` keeps none.
    replay
        The command that repeats this audit, for messages.
    threshold
        The limit that the result will be judged by, where it is known: sizes that can't decide are then refused early.
    begun
        When it began, by ``time.perf_counter``.
    deadline
        When, by the same clock, it stops waiting for more models. Whatever is trained for this audit keeps to it.
    attackers
        How many attackers there are; they share the error.
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
        """An audit of something else for the sake of this one: it begins now, and ends with this one."""
        method = choose_method(request, settings)
        return AuditRun(request, settings, method, self.store, begun=time.perf_counter(), deadline=self.deadline)

    @property
    def out_of_time(self) -> bool:
        """Whether no more models are waited for."""
        return time.perf_counter() >= self.deadline

    def settle(self, trained: tuple[Trained, ...]) -> AuditRun:
        """The same with what was decided on the first trained model, if there is one."""
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
