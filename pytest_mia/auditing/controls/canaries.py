"""Canaries, the positive control: records with wrong labels, which a model that memorises gives away.

A canary is one of the user's records with the label of another record. It is in a model's training data, or not, by a
coin of its own, so a bound that needs independent memberships may rest on canaries. They are planted in models of a
run of their own, on the halves and seeds of the audit's first ones: in the audited models they would change the recipe
that is judged.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from pytest_mia.attacks.observations import recipe
from pytest_mia.auditing import attack_stage
from pytest_mia.auditing.audit_run import AuditRun
from pytest_mia.auditing.design import AuditDesign
from pytest_mia.auditing.plan import Plan
from pytest_mia.core.errors import InvalidAuditError, MIAUsageError, ModelTrainingError
from pytest_mia.core.events import Progress
from pytest_mia.core.seeding import generator_for
from pytest_mia.core.text import counted
from pytest_mia.core.types import BoolArray, IntArray
from pytest_mia.data import containers
from pytest_mia.data.records import Data
from pytest_mia.models.signals import stack
from pytest_mia.results.audit_data import Audit
from pytest_mia.results.controls import Canaries
from pytest_mia.training import model_cache
from pytest_mia.training.backends import select
from pytest_mia.training.jobs import Trained
from pytest_mia.training.train import Training, train_steps

MODELS = 4
"""Models that canaries are planted in: each is attacked with the help of the others, for which three are needed."""
MOST, FEWEST = 50, 4
NO_TIME = "there was no time left to train their models"
SHARE, LARGEST_SHARE = 0.05, 0.25
"""Share of the records that become canaries, and what it may be where these would be fewer than eight."""


@dataclass(frozen=True)
class Planted:
    """Records of which some are canaries.

    Attributes
    ----------
    data
        All records; a canary has the features of its own record and the label of another.
    canaries
        Places of the canaries (canaries,).
    """

    data: Data
    canaries: IntArray


def count_canaries(records: int) -> int:
    """How many canaries are planted among so many records."""
    return min(MOST, max(8, int(SHARE * records)), int(LARGEST_SHARE * records))


def find_problem(data: Data, *, records: int) -> str | None:
    """Why no canaries can be planted among these records, if so."""
    if data.y is None:
        return "the records have no labels, and a canary needs a wrong label"
    if len(np.unique(data.labels)) < 2:
        return (
            "the labels can't be divided into classes or parts, and a canary needs the label of another class or part"
        )
    if count_canaries(records) < FEWEST:
        return f"{counted(records, 'record')} {'is' if records == 1 else 'are'} too few for {FEWEST} canaries"
    return None


def plant(data: Data, candidates: BoolArray, *, seed: int, groups: IntArray | None = None) -> Planted:
    """Give some records the label of a record of another class, or of another tenth of a continuous label.

    The user's own arrays stay as they are. Canaries are drawn at random, no two from one group.

    Parameters
    ----------
    data
        The records, which `find_problem` found nothing wrong with.
    candidates
        Records (records,) that may become canaries.
    seed
        The audit's seed.
    groups
        Group of each record (records,); ``None`` where each stands for itself.
    """
    rng = generator_for(seed, "canaries")
    order = rng.permutation(np.flatnonzero(candidates))
    if groups is not None:
        order = order[np.sort(np.unique(groups[order], return_index=True)[1])]
    canaries = np.sort(order[: count_canaries(int(candidates.sum()))])
    labelled_as = np.arange(len(candidates))
    for canary in canaries:
        labelled_as[canary] = rng.choice(np.flatnonzero(data.labels != data.labels[canary]))
    y, labels = containers.take(data.y, labelled_as), data.labels[labelled_as]
    return Planted(dataclasses.replace(data, y=y, labels=labels), canaries)


def draw_coins(planted: Planted, members: BoolArray, *, seed: int, groups: IntArray | None = None) -> BoolArray:
    """Memberships (models, records) with an independent coin for each canary in each model.

    What else is in a canary's group, its copies with the right label for instance, is left out of all of them.

    Parameters
    ----------
    planted
        The records.
    members
        Memberships (models, records) without canaries.
    seed
        The audit's seed.
    groups
        As in `plant`.
    """
    drawn = members.copy()
    if groups is not None:
        drawn[:, np.isin(groups, groups[planted.canaries])] = False
    for model in range(len(drawn)):
        drawn[model, planted.canaries] = generator_for(seed, "coins", model).random(len(planted.canaries)) < 0.5
    return drawn


def describe_canaries(plan: Plan) -> str:
    """What they will cost, in words; empty where none can be planted."""
    if _find_problem(plan) is not None:
        return ""
    count = count_canaries(int(_find_candidates(plan).sum()))
    return f"{counted(min(MODELS, len(plan.jobs)), 'more model')} with {count} canaries, as a control"


def seek(run: AuditRun, plan: Plan) -> Generator[Progress, None, Canaries | str]:
    """What the audit's attacks find of canaries, in models of the same factory; or why that can't be said.

    Parameters
    ----------
    run, plan
        The audit, whose deadline holds for these models too.

    Yields
    ------
    Progress
        Before and after each model that is trained.
    """
    reason = _find_problem(plan) or (NO_TIME if run.out_of_time else None)
    if reason is not None:
        return reason
    try:
        return (yield from _plant_and_attack(run, plan))
    except (MIAUsageError, InvalidAuditError, ModelTrainingError) as error:
        return str(error).splitlines()[0]


def add_canaries(result: Audit, sought: Canaries | str) -> Audit:
    """The result, for every attacker, with what was sought, found or not.

    Coins of canaries count where an epsilon is judged. A release may have been trained otherwise than its shadows, in
    which they were planted, so there they don't.
    """
    result = dataclasses.replace(result, attackers=tuple(add_canaries(each, sought) for each in result.attackers))
    if isinstance(sought, str):
        return dataclasses.replace(result, notes=(*result.notes, f"controls: no canaries were planted: {sought}"))
    assert result.controls is not None, "canaries are sought where memberships were shuffled too"
    controls = dataclasses.replace(result.controls, canaries=sought)
    coins = (*result.coins, *(sought.coins if result.kind == "recipe" else ()))
    return dataclasses.replace(result, controls=controls, coins=coins)


def _find_problem(plan: Plan) -> str | None:
    if len(plan.jobs) < MODELS:
        return f"they need {MODELS} models, and this audit trains {len(plan.jobs)}"
    return find_problem(plan.records.data, records=int(_find_candidates(plan).sum()))


def _find_candidates(plan: Plan) -> BoolArray:
    """Records on which every model of the control may be trained."""
    held = plan.known | plan.judged
    return np.asarray(held[: min(MODELS, len(plan.jobs))].all(axis=0))


def _plant_and_attack(run: AuditRun, plan: Plan) -> Generator[Progress, None, Canaries | str]:
    groups, seed = plan.records.groups, run.settings.seed
    planted = plant(plan.records.data, _find_candidates(plan), seed=seed, groups=groups)
    members = draw_coins(planted, plan.members[:MODELS], seed=seed, groups=groups)
    trained = yield from _train(run, plan, planted.data, members)
    if len(trained) < MODELS:
        return NO_TIME
    signals = stack([one.signals for one in trained], losses=run.method.loss is not None)
    observations = recipe(
        signals.of(np.arange(MODELS), planted.canaries),
        members[:, planted.canaries],
        planted.data.labels[planted.canaries],
        seed=seed,
    )
    observations = dataclasses.replace(observations, drawn=True)
    design = AuditDesign("recipe", len(planted.canaries), MODELS - 1, MODELS)
    result = attack_stage.attack(run, observations, design)
    guessed = tuple(dataclasses.replace(each, planted=True) for each in result.coins)
    return Canaries(len(planted.canaries), MODELS, result.attack, result.advantage, result.selected, guessed)


def _train(run: AuditRun, plan: Plan, data: Data, members: BoolArray) -> Generator[Progress, None, Sequence[Trained]]:
    own = zip(plan.jobs[:MODELS], members, strict=True)
    jobs = [dataclasses.replace(job, members=row, batch=()) for job, row in own]
    method, cache = (
        dataclasses.replace(run.method, what_if=()),
        model_cache.open_model_cache(run.store, data, plan.tried),
    )
    trained = list[Trained]()
    with select.connect(run.settings) as backend:
        training = Training(data, method, backend, cache, run.deadline)
        with contextlib.closing(train_steps(jobs, training)) as steps:
            for step in steps:
                trained += step.models
                yield Progress(step.done, step.total, step.seconds)
    return sorted(trained, key=lambda one: one.number)
