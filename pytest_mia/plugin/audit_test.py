"""What one test asks of the engine: its request and settings, its gates, and what they judged."""

from __future__ import annotations

import dataclasses
import unittest
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec

from pytest_mia.core.errors import InvalidAuditWarning, MIAError, MIAUsageError
from pytest_mia.core.reported import plain
from pytest_mia.plugin import options
from pytest_mia.verdicts.judging import construct, describe, enforce, judge

if TYPE_CHECKING:
    import pytest

    from pytest_mia.auditing.run import ShadowModel
    from pytest_mia.core.request import AuditRequest
    from pytest_mia.plugin.session import Session
    from pytest_mia.verdicts.audit_result import AuditResult
    from pytest_mia.verdicts.gates import Gate

P = ParamSpec("P")


@dataclass(frozen=True)
class Missing:
    """Stands for a fixture that the user has not written, until it turns out to be needed."""

    name: str
    lines: str

    @property
    def problem(self) -> str:
        """What to write."""
        return f"the fixture {self.name} is missing; write in conftest.py:\n\n    @pytest.fixture\n{self.lines}\n"


class AuditTest:
    """One test that uses fixtures of the plugin.

    Parameters
    ----------
    test
        The test's node ID.
    item
        The test.
    session
        What it shares with the others.
    request
        What the user's fixtures gave, with `Missing` for those that the user has not written.

    Attributes
    ----------
    test
        The test's node ID.
    unasked
        Gates that the test requested and has not called yet.

    Raises
    ------
    MIAUsageError
        When a fixture is missing or a marker is bad; all problems are named at once.
    """

    def __init__(self, test: str, item: pytest.Item, session: Session, request: AuditRequest) -> None:
        __tracebackhide__ = True
        self.unasked: set[str] = set()
        self.test = test
        self._item = item
        self._session = session
        self._settings = options.apply_markers(item, session.options.settings)
        self._request = _complete(request, shadows=self._settings.shadows)
        self._replay = options.replay(item.config, test, self._settings, session.options)
        self._shown: list[AuditResult] = []
        self._judged: list[AuditResult] = []
        self._measured: list[AuditResult] = []
        session.verdicts.begun.add(test)

    def gate(self, kind: Callable[P, Gate], name: str) -> Callable[P, AuditResult]:
        """The gate of this kind and name, which audits when it is called."""
        self.unasked.add(name)

        def ask(*args: P.args, **keywords: P.kwargs) -> AuditResult:
            __tracebackhide__ = True
            self.unasked.discard(name)
            gate = construct(kind, *args, **keywords)
            gate.check_request(self._request)
            if gate.needs_baseline:
                self._check_baseline()
            return enforce(self.judge(gate, self._audit(gate.early_limit, coins=gate.on_coins)))

        return describe(ask, kind, name)

    def judge(self, gate: Gate, result: AuditResult) -> AuditResult:
        """The result judged by a gate, and noted."""
        __tracebackhide__ = True
        if gate.needs_baseline:
            self._check_baseline()
            if self._session.makes_baseline:
                self._shown.append(result)
                raise unittest.SkipTest("this run makes the baseline, so there is nothing to compare it with")
            result = self._compared(result)
        judged = judge(gate, result)
        self._judged.append(judged)
        return judged

    def audit(self) -> AuditResult:
        """The audit, not judged yet; what its gates judge is noted here too."""
        __tracebackhide__ = True
        result = dataclasses.replace(self._audit(None), observer=Watcher(self))
        if result.findings:
            # Who looks at figures alone may take those of an audit that found nothing out for a pass.
            findings = "; ".join(result.findings)
            warnings.warn(
                f"this audit is invalid, and a gate would say so: {findings}", InvalidAuditWarning, stacklevel=2
            )
        self._shown.append(result)
        return result

    def shadow_models(self) -> tuple[ShadowModel, ...]:
        """The trained shadows."""
        __tracebackhide__ = True
        try:
            return self._session.shadow_models(self._request, self._settings, item=self._item, owner=self)
        except MIAError as error:
            raise error.with_traceback(None) from None

    def measured(self) -> dict[str, Any] | None:
        """The audit as a baseline keeps it: of several that on halves, and of most models; none that isn't valid."""
        if not self._measured or any(
            each.findings or each.verdict == "invalid" for each in self._measured + self._judged
        ):
            return None
        from pytest_mia.verdicts import baseline

        longest = max(self._measured, key=lambda result: (any(each.swapped for each in result.coins), result.models))
        return dict(plain(baseline.summarise(longest, self._settings).to_dict()))

    def take(self) -> list[dict[str, Any]]:
        """What was judged, or else what was shown, in built-in types; and forget it."""
        results = self._judged or self._shown
        self._judged, self._shown, self._measured = [], [], []
        return [result.to_dict() for result in results]

    def _audit(self, threshold: float | None, *, coins: bool = False) -> AuditResult:
        """The audit; that of a recipe on coins where they are asked for, while memberships elsewhere are given."""
        __tracebackhide__ = True
        trains = self._request.target is None and self._request.outputs is None
        settings = dataclasses.replace(self._settings, coins=True) if coins and trains else self._settings
        try:
            result = self._session.audit(
                self._request,
                settings,
                item=self._item,
                replay=self._replay,
                threshold=threshold,
                owner=self,
            )
        except MIAError as error:
            # The message holds all that a person needs; our own frames would bury it.
            raise error.with_traceback(None) from None
        result = dataclasses.replace(result, test=self.test, replay=self._replay)
        self._measured.append(result)
        return result if self._session.options.compare is None else self._compared(result)

    def _compared(self, result: AuditResult) -> AuditResult:
        """The result with its change since the baseline."""
        change = self._session.baseline().change(self.test, result, self._settings)
        return dataclasses.replace(result, change=change)

    def _check_baseline(self) -> None:
        """Refuse to train for a comparison that can't be made."""
        __tracebackhide__ = True
        if self._session.makes_baseline:
            return
        kind = "recipe" if self._request.target is None else "release"
        missing = self._session.baseline().missing(self.test, kind, self._settings)
        if missing:
            raise MIAUsageError(f"{missing}; make it with\n{self._replay} --mia-save={self._session.baseline().name}")


class Watcher:
    """Judges the audit that a test was given, and notes the verdict of the test.

    Parameters
    ----------
    test
        The test.
    """

    def __init__(self, test: AuditTest) -> None:
        self._test = test

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy or a pickle of a result outlives the test, so nobody watches it.
        return type(None), ()

    def judge(self, gate: Gate, audit: AuditResult) -> AuditResult:
        """The judged audit."""
        __tracebackhide__ = True
        return self._test.judge(gate, audit)


def _complete(request: AuditRequest, *, shadows: int) -> AuditRequest:
    """The request without the fixtures that are missing and not needed."""
    __tracebackhide__ = True
    missing = {
        name: value for name in ("dataset", "model_factory") if isinstance(value := getattr(request, name), Missing)
    }
    needed: set[str] = set()
    if request.outputs is None and request.target is None:
        needed = {"dataset", "model_factory"}
    elif request.outputs is None and shadows > 0 and any(each.guess is None for each in request.attackers):
        needed = {"model_factory"}
    problems = [value.problem for name, value in missing.items() if name in needed]
    if problems:
        raise MIAUsageError(problems)
    unneeded: dict[str, Any] = dict.fromkeys(missing)
    return dataclasses.replace(request, **unneeded)
