"""The engine without pytest: an audit as one call, from a notebook or a training script."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, Unpack

from pytest_mia.auditing.from_outputs.read import ModelOutputs
from pytest_mia.auditing.run import run
from pytest_mia.cache.store import opened
from pytest_mia.core.events import Event, Progress
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.settings import Settings, SettingsKeywords
from pytest_mia.verdicts.audit_result import AuditResult


def audit(
    model_factory: Callable[[], Any] | None,
    dataset: Any,
    *,
    training: Any = None,
    predict: Any = None,
    loss: Any = None,
    augment: Any = None,
    target: Any = None,
    shadow_factory: Any = None,
    shadow_dataset: Any = None,
    threshold: float | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int, float], None] | None = None,
    **settings: Unpack[SettingsKeywords],
) -> AuditResult:
    """Audit a model factory, or a trained model, without pytest.

    Parameters
    ----------
    model_factory
        A callable without arguments that returns a fresh, untrained model.
    dataset
        ``(X, y)``, a `pytest_mia.Dataset` or a map-style torch data set.
    training
        How a torch module is trained: `pytest_mia.TorchTraining`, or any ``train(model, X, y)``.
    predict
        ``predict(model, X)`` -> probabilities or logits (records, classes), or labels (records,); numbers for a
        regression, one column per label where several may hold, `pytest_mia.TokenLogProbabilities` for texts.
    loss
        ``loss(model, X, y)`` -> one value per record (records,), for models of any other kind.
    augment
        ``augment(X, rng)`` -> a changed copy of each record, about which models are asked too.
    target
        `pytest_mia.Target`: audits this trained model instead of the recipe.
    shadow_factory, shadow_dataset
        The attacker's guess of the factory (or a list of guesses), and the attacker's own records; a mapping from names
        to these compares several attackers.
    threshold
        The limit that the result will be judged by, where it is known; stopping early takes it.
    cache_dir
        The folder in which trained models' outputs are kept for the next audits; ``None`` keeps none.
    progress
        Called with (models done, models in all, seconds since the start).
    **settings
        As the options of these names, with their defaults: ``shadows``, ``device``, ``seed``, ``attacks``,
        ``confidence``, ``inconclusive``, ``queries``, ``jobs``, ``backend``, ``scheduler``, ``cache``, ``time_limit``,
        ``early_stop``, ``coins``, ``what_if``, ``controls``.

    Returns
    -------
    AuditResult
        Its gates are methods: ``result.assert_membership_advantage_below(0.05)``.

    Raises
    ------
    MIAUsageError
        Bad input, all problems at once, before anything is trained.
    ModelTrainingError
        The user's code raised.
    InvalidAuditError
        A model answered with NaN or infinity.
    """
    chosen = _settings(settings)
    request = AuditRequest(
        model_factory, dataset, training, predict, loss, target, shadow_factory, shadow_dataset, augment=augment
    )
    store = opened(None if cache_dir is None else Path(cache_dir), chosen.cache, since=time.time())
    replay = _call("audit(model_factory, dataset", chosen)
    return _follow(run(request, chosen, replay=replay, threshold=threshold, store=store), progress)


def audit_outputs(
    outputs: Any,
    members: Any,
    labels: Any,
    *,
    groups: Any = None,
    seed: int = 0,
    attacks: Sequence[str] | None = None,
    confidence: float = 0.95,
    inconclusive: str = "fail",
    controls: bool = False,
) -> AuditResult:
    """Audit models that were trained elsewhere, from their answers: each is a target, attacked with all the others.

    Parameters
    ----------
    outputs
        Probabilities or logits (models, records, classes), or guessed labels (models, records); for a regression
        numbers (models, records), where several labels may hold a column for each (models, records, labels). Or
        `pytest_mia.Residuals`, `pytest_mia.Losses` or `pytest_mia.TokenLogProbabilities` of such arrays.
    members
        Memberships (models, records), drawn independently for each model.
    labels
        What is true of each record (records,), as `y` of a data set: it says what the outputs are, and a note of the
        result what they were taken for. ``None`` where the outputs say it themselves.
    groups
        One id per record (records,), such as a person's, where records of one are members together.
    seed, attacks, confidence, inconclusive, controls
        As the options of these names.

    Returns
    -------
    AuditResult
        As `audit` returns it.

    Raises
    ------
    MIAUsageError
        Bad input, all problems at once.
    InvalidAuditError
        NaN or infinity among the outputs.
    """
    settings = Settings(
        seed=seed,
        attacks=attacks,  # type: ignore[arg-type]
        confidence=confidence,
        inconclusive=inconclusive,
        controls=controls,
    )
    request = AuditRequest(None, None, outputs=ModelOutputs(outputs, members, labels, groups))
    given = "outputs, members, labels" + ("" if groups is None else ", groups=groups")
    return _follow(run(request, settings, replay=_call(f"audit_outputs({given}", settings)), None)


def _settings(given: SettingsKeywords) -> Settings:
    """The settings of an audit; a misspelt one is an error of the call."""
    strange = [name for name in given if name not in Settings.__dataclass_fields__]
    if strange:
        raise TypeError(f"audit() got an unexpected keyword argument {strange[0]!r}")
    return Settings(**given)  # type: ignore[arg-type]


def _follow(
    events: Generator[Event, None, AuditResult], progress: Callable[[int, int, float], None] | None
) -> AuditResult:
    """Run an audit to its end, and tell how far the training is."""
    # An interrupt may be held for long, with all that the audit holds: its workers end here.
    with contextlib.closing(events):
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                result: AuditResult = end.value
                return result
            if progress is not None and isinstance(event, Progress):
                progress(event.done, event.total, event.seconds)


def _call(start: str, settings: Settings) -> str:
    words = {"shadows": settings.shadows, "seed": settings.seed, **settings.changed()}
    if start.startswith("audit_outputs"):
        words.pop("shadows")
    return f"pytest_mia.{start}, " + ", ".join(f"{name}={value!r}" for name, value in words.items()) + ")"
