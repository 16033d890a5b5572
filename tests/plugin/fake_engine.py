"""A plugin that replaces the engine: the "dataset" is the advantage that the audit will measure.

Each training leaves a line in ``trained.txt``, so that tests can count them in any process.
"""

import os

import pytest

from pytest_mia.auditing import run as auditing
from pytest_mia.core.events import Announcement, Progress
from pytest_mia.results.values import Accuracy, AttackResult, Curve, Histogram, Seconds, SliceResult
from pytest_mia.statistics.counts import CoinGuesses, Counts, Interval, Selected
from pytest_mia.verdicts.audit_result import AuditResult

MARGIN = 0.02
WRITTEN = os.path.abspath("trained.txt")
RATES = ("0.001", "0.01", "0.1")


def pytest_configure(config):
    config.fake_engine = pytest.MonkeyPatch()
    config.fake_engine.setattr(auditing, "run", run)
    config.fake_engine.setattr(auditing, "train", train)


def pytest_unconfigure(config):
    config.fake_engine.undo()


def run(request, settings, *, replay="", threshold=None, store=None):
    yield from _trained("audit", settings.shadows + 1)
    if isinstance(request.dataset, BaseException):
        raise request.dataset
    return _result(request, settings, replay)


def train(request, settings):
    yield from _trained("models", settings.shadows + 1)
    return tuple(request.model_factory() for _ in range(settings.shadows))


def _trained(what, models):
    yield Announcement(f"{models} models to train")
    with open(WRITTEN, "a") as file:
        file.write(f"{what} in {os.getpid()}\n")
    for done in range(models + 1):
        yield Progress(done, models, 4.0 * done)


def _result(request, settings, replay):
    advantage = 0.3 if request.dataset is None else request.dataset
    interval = Interval(advantage, advantage - MARGIN, advantage + MARGIN, settings.confidence)
    # Many non-members, so that a TPR at an FPR of 0.001 can be measured.
    flagged, everyone = (int(10000 * (0.5 + advantage / 2)),), (10000,)
    counts = Counts(flagged, everyone, (10000 - flagged[0],), everyone)
    tail = Counts((int(10000 * advantage),), everyone, (10,), everyone)
    attack = AttackResult("loss", interval, 0.75, dict.fromkeys(RATES, advantage), counts, dict.fromkeys(RATES, tail))
    return AuditResult(
        kind="recipe" if request.target is None else "release",
        attack="loss",
        advantage=interval,
        selected=counts,
        coins=(CoinGuesses("loss", 20000, 20000, int(20000 * (0.5 + advantage / 2)), swapped=not settings.coins),),
        tails={rate: Selected("loss", tail) for rate in RATES},
        attacks=(attack,),
        shadows=settings.shadows,
        models=settings.shadows + 1,
        records=20000,
        accuracy=Accuracy(1.0, 0.875),
        slices=(),
        most_exposed=(),
        seed=settings.seed,
        device="cpu",
        seconds=Seconds(1.0, 0.5),
        replay=replay,
        inconclusive=settings.inconclusive,
        classes=(SliceResult("class", "benign", 20000, counts, interval),),
        curves=(Curve("loss", (0.01, 1.0), (0.1, 1.0), (0.0, 0.9), (0.2, 1.0)),),
        histogram=Histogram("loss", 0.0, 1.0, (1, 3), (3, 1)),
    )
