"""From what models answered to a result: the attacks that fit, run and kept, and what is to be said of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pytest_mia.attacks import registry
from pytest_mia.attacks.kernel_support import with_opinions
from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Attack
from pytest_mia.auditing import result_cache, summary
from pytest_mia.auditing.plan import Plan
from pytest_mia.cache.store import Store
from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.seeding import single_threaded
from pytest_mia.core.settings import Settings
from pytest_mia.core.types import FloatArray
from pytest_mia.data import numeric
from pytest_mia.models.queries.label_noise import QUESTIONS
from pytest_mia.models.queries.registry import FEWEST_VALUES
from pytest_mia.models.signals import stack
from pytest_mia.results.values import Seconds
from pytest_mia.training.jobs import Trained
from pytest_mia.validity import identical_models, label_encoding, release_mismatch
from pytest_mia.verdicts.audit_result import AuditResult

MOST_SUM = 1.5
"""What the three largest probabilities of a record may sum to: rounded to quarters they sum to 1.25 at the most."""


@dataclass(frozen=True)
class QueriedModels:
    """The models of one attacker that have answered so far.

    Attributes
    ----------
    plan
        What is trained and attacked, of these models alone.
    trained
        The models that were trained, in the order of the plan's jobs.
    released
        The released model; ``None`` for a recipe.
    subject
        What is audited, as this attacker knows it.
    """

    plan: Plan
    trained: Sequence[Trained]
    released: Trained | None
    subject: AuditRequest

    @property
    def models(self) -> tuple[Trained, ...]:
        """All of them, the released one first."""
        return (*self.trained,) if self.released is None else (self.released, *self.trained)

    def remedied(self, place: int) -> QueriedModels:
        """The same models, as they answer with one of the remedies that they were asked with."""
        released = None if self.released is None else self.released.what_if[place]
        return replace(self, trained=[one.what_if[place] for one in self.trained], released=released)


def examine(answered: QueriedModels, context: summary.Context, settings: Settings, store: Store | None) -> AuditResult:
    """Attack what has answered so far."""
    observations = observed(answered, settings)
    if answered.released is not None:
        finding, note = _foreign(observations, answered)
        context = replace(context, findings=(*context.findings, *finding), notes=(*context.notes, *note))
    return attack(observations, context, settings, store)


def observed(answered: QueriedModels, settings: Settings) -> Observations:
    """What attacks see of the models so far; the released model's answers fill the rows after the trained models'."""
    made, released = answered.plan, answered.released
    signals = [one.signals for one in answered.trained]
    if released is not None:
        signals += [released.signals] * (len(made.members) - len(signals))
    records, seen = made.records, made.seen
    return Observations(
        stack(signals, losses=answered.subject.loss is not None).of(np.arange(len(made.members)), seen),
        made.members[:, seen],
        records.data.labels[seen],
        made.references,
        made.known[:, seen],
        made.judged[:, seen],
        settings.seed,
        None if records.groups is None else records.groups[seen],
        _features(made, settings),
    )


def _features(made: Plan, settings: Settings) -> FloatArray | None:
    """The records as numbers, where an attack that was asked for looks at them."""
    wanted = settings.attacks is not None and registry.read_features(settings.attacks)
    found = numeric.to_matrix(made.records.data.X, made.records.data.y) if wanted else None
    return None if found is None else found[made.seen]


def attack(
    observations: Observations, context: summary.Context, settings: Settings, store: Store | None
) -> AuditResult:
    """Run the attacks that fit, or take what they found when they saw the same.

    Raises
    ------
    MIAUsageError
        When none of the attacks that were asked for fits.
    """
    start = time.perf_counter()
    fitting = registry.fitting(
        observations.signals,
        shadows=context.shadows,
        names=settings.attacks,
        features=observations.features is not None,
    )
    if not fitting:
        raise MIAUsageError(_no_attack(observations, settings, context.shadows))
    context = replace(
        context,
        findings=(*context.findings, *_alike(observations), *_coded(observations)),
        notes=(*context.notes, *_hidden(observations), *_left_out(fitting, settings)),
    )

    def find() -> AuditResult:
        with single_threaded():
            # Found once, and shared by the lessons.
            wanted = registry.read_opinions([one.name for one in fitting])
            shared = with_opinions(observations) if wanted else observations
            return summary.find(fitting, shared, context, settings)

    if store is None:
        return summary.timed(find(), Seconds(context.training_seconds, time.perf_counter() - start))
    names = tuple(each.name for each in fitting)
    result = result_cache.obtain(store, names, observations, context, settings, find)
    if context.cache.misses:
        store.prune()
    result = replace(result, notes=(*result.notes, *store.remarks))
    return summary.timed(result, Seconds(context.training_seconds, time.perf_counter() - start))


def _no_attack(observations: Observations, settings: Settings, shadows: int) -> str:
    possible = ", ".join(each.name for each in registry.fitting(observations.signals, shadows=shadows)) or "none"
    asked = ", ".join(settings.attacks or ())
    return f"none of the attacks {asked} fits what these models answer; those that do: {possible}"


def _left_out(fitting: Sequence[Attack], settings: Settings) -> tuple[str, ...]:
    """Attacks that were asked for, and can't be run on what there is."""
    run = {registry.DEFAULT, *(attack.name for attack in fitting)}
    missing = [name for name in settings.attacks or () if name not in run]
    why = "asked for and not run, since these answers, records or shadows don't allow it"
    return (f"{why}: {', '.join(missing)}",) if missing else ()


def _alike(observations: Observations) -> tuple[str, ...]:
    rows = np.flatnonzero(observations.references)
    if not len(rows):
        return ()
    signals = observations.signals.of(rows, np.arange(len(observations.labels)))
    finding = identical_models.all_alike(signals, observations.labels, observations.members[rows])
    return (finding,) if finding else ()


def _coded(observations: Observations) -> tuple[str, ...]:
    finding = label_encoding.finding(observations)
    return (finding,) if finding else ()


def _foreign(observations: Observations, answered: QueriedModels) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The finding that the released model is none of this factory's, or was trained otherwise; or notes on that."""
    made, subject = answered.plan, answered.subject
    finding = release_mismatch.finding(observations, other_records=subject.own_records is not None)
    if subject.may_differ:
        return (), (finding,) if finding else ()
    note = release_mismatch.note(made.target, made.tried[0].models[0]) if made.tried and made.tried[0].models else None
    return (finding,) if finding else (), (note,) if note else ()


def _hidden(observations: Observations) -> tuple[str, ...]:
    """What labels alone, or few values, hide, and what was asked to find it."""
    signals = observations.signals
    sums = 0.0 if signals.shown is None else float(signals.shown.sum(axis=-1).max())
    if sums > MOST_SUM:
        return (
            f"the answers are numbers from 0 to 1 whose rows sum to as much as {sums:.2f}, and were taken for "
            "probabilities: if they are none, give mia_predict what the model ships, probabilities, logits or labels",
        )
    if signals.noise_robustness is not None:
        return (
            f"{QUESTIONS} noisy copies of each record were asked about too, for label_noise: labels, and answers of "
            "few values, hide how sure a model is; an attacker who asks more often may do better (hop_skip_jump)",
        )
    copies = signals.boundary_distance is not None or signals.augmented_correct is not None
    if signals.correct is None or copies:
        return ()
    if signals.confidence is not None and len(np.unique(signals.confidence)) >= FEWEST_VALUES:
        return ()
    return (
        "the model answers with labels alone, or with few values, and each record was asked about once: an attacker "
        "who asks about many slightly changed copies of a record can do better; --mia-attacks=label_noise tries it, or "
        "says what stands in its way",
    )
