"""From what models answered to a result: the attacks that fit, run and kept, and what is to be said of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pytest_mia import attacks, diagnostics, findings, numbers, result_cache
from pytest_mia.arrays import FloatArray
from pytest_mia.attacks.protocol import Attack
from pytest_mia.errors import MIAUsageError
from pytest_mia.figures import Seconds
from pytest_mia.jobs import Trained
from pytest_mia.neighbours import with_opinions
from pytest_mia.observations import Observations
from pytest_mia.plan import Plan
from pytest_mia.probes import FEWEST_VALUES
from pytest_mia.probes.noise import QUESTIONS
from pytest_mia.randomness import single_threaded
from pytest_mia.results import AuditResult
from pytest_mia.settings import Settings
from pytest_mia.signals import stack
from pytest_mia.store import Store
from pytest_mia.subject import Subject

MOST_SUM = 1.5
"""What the three largest probabilities of a record may sum to: rounded to quarters they sum to 1.25 at the most."""


def examine(
    made: Plan,
    trained: Sequence[Trained],
    released: Trained | None,
    subject: Subject,
    context: findings.Context,
    settings: Settings,
    store: Store | None,
) -> AuditResult:
    """Attack what has been trained so far."""
    observations = observed(made, trained, released, subject, settings)
    if released is not None:
        finding, note = _strange(observations, subject)
        context = replace(context, findings=(*context.findings, *finding), notes=(*context.notes, *note))
    return attack(observations, context, settings, store)


def observed(
    made: Plan, trained: Sequence[Trained], released: Trained | None, subject: Subject, settings: Settings
) -> Observations:
    """What attacks see of the models so far; the released model's answers fill the rows after the trained models'."""
    answered = [one.signals for one in trained]
    if released is not None:
        answered += [released.signals] * (len(made.members) - len(answered))
    records, seen = made.records, made.seen
    return Observations(
        stack(answered, losses=subject.loss is not None).of(np.arange(len(made.members)), seen),
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
    wanted = settings.attacks is not None and attacks.read_features(settings.attacks)
    found = numbers.of(made.records.data.X, made.records.data.y) if wanted else None
    return None if found is None else found[made.seen]


def attack(
    observations: Observations, context: findings.Context, settings: Settings, store: Store | None
) -> AuditResult:
    """Run the attacks that fit, or take what they found when they saw the same.

    Raises
    ------
    MIAUsageError
        When none of the attacks that were asked for fits.
    """
    start = time.perf_counter()
    fitting = attacks.fitting(
        observations.signals,
        shadows=context.shadows,
        names=settings.attacks,
        features=observations.features is not None,
    )
    if not fitting:
        raise MIAUsageError(_no_attack(observations, settings, context.shadows))
    context = replace(
        context,
        findings=(*context.findings, *_alike(observations)),
        notes=(*context.notes, *_hidden(observations), *_left_out(fitting, settings)),
    )

    def find() -> AuditResult:
        with single_threaded():
            # Found once, and shared by the lessons.
            wanted = attacks.read_opinions([one.name for one in fitting])
            shared = with_opinions(observations) if wanted else observations
            return findings.find(fitting, shared, context, settings)

    if store is None:
        return findings.timed(find(), Seconds(context.training_seconds, time.perf_counter() - start))
    names = tuple(each.name for each in fitting)
    result = result_cache.obtain(store, names, observations, context, settings, find)
    if context.cache.misses:
        store.prune()
    result = replace(result, notes=(*result.notes, *store.remarks))
    return findings.timed(result, Seconds(context.training_seconds, time.perf_counter() - start))


def _no_attack(observations: Observations, settings: Settings, shadows: int) -> str:
    possible = ", ".join(each.name for each in attacks.fitting(observations.signals, shadows=shadows)) or "none"
    asked = ", ".join(settings.attacks or ())
    return f"none of the attacks {asked} fits what these models answer; those that do: {possible}"


def _left_out(fitting: Sequence[Attack], settings: Settings) -> tuple[str, ...]:
    """Attacks that were asked for, and can't be run on what there is."""
    run = {attacks.DEFAULT, *(attack.name for attack in fitting)}
    missing = [name for name in settings.attacks or () if name not in run]
    why = "asked for and not run, since these answers, records or shadows don't allow it"
    return (f"{why}: {', '.join(missing)}",) if missing else ()


def _alike(observations: Observations) -> tuple[str, ...]:
    rows = np.flatnonzero(observations.references)
    if not len(rows):
        return ()
    signals = observations.signals.of(rows, np.arange(len(observations.labels)))
    finding = diagnostics.all_alike(signals, observations.labels, observations.members[rows])
    return (finding,) if finding else ()


def _strange(observations: Observations, subject: Subject) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The finding that the released model is no model of this factory; a note, where shadows may differ from it."""
    signals, target = observations.signals, observations.targets[0]
    shadows = np.flatnonzero(observations.references)
    values = signals.confidence if signals.confidence is not None else signals.correct
    if values is None or not len(shadows):
        return (), ()
    new = observations.judged[target] & ~observations.members[target]
    theirs = values[shadows][:, new][~observations.members[shadows][:, new]]
    found = diagnostics.strangeness(values[target, new], theirs)
    if found <= diagnostics.STRANGE:
        return (), ()
    text = (
        f"on records that are new to both, the released model answers so unlike the shadows (distance {found:.2f}, "
        f"where {diagnostics.STRANGE:g} is the most) that nothing learnt from them holds for it: give the factory, "
        f"the training and the way to ask that it was made with, {_more(subject)}or audit it without shadows "
        "(shadows=0)"
    )
    return ((), (text,)) if subject.may_differ else ((text,), ())


def _more(subject: Subject) -> str:
    """What else helps where shadows were trained on the attacker's own records."""
    if subject.own_records is None:
        return ""
    return "records more like its own, an attacker beside this one who has the audited records (None in a mapping), "


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
