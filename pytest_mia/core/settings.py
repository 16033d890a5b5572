"""The settings of an audit: one table from which options, ini keys, marker keywords and keyword arguments are made."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.text import quoted

WHAT_IF = ("off", "outputs", "train")


def _whole(text: str) -> int:
    return int(text)


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_names(value: object) -> bool:
    return isinstance(value, tuple) and value != () and all(isinstance(each, str) and each for each in value)


def _setting(
    default: Any,
    metavar: str,
    help: str,
    parse: Callable[[str], Any],
    must: str,
    fits: Callable[[Any], bool],
    *,
    decides: bool,
    alone: str | None = None,
) -> Any:
    """A row of the table.

    `decides` says whether attacks may find something else in the same answers under another value, which then is part
    of the key of their cached result. `alone` is the text that the option stands for where it is given without any.
    """
    row = {"metavar": metavar, "help": help, "parse": parse, "must": must, "fits": fits, "alone": alone}
    row["decides"] = decides
    return field(default=default, metadata=row)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How an audit is made. Each field is an option, an ini key, a marker keyword and a keyword of `pytest_mia.audit`.

    Raises
    ------
    MIAUsageError
        When values are out of range; all of them are named at once.
    """

    shadows: int = _setting(
        7,
        "N",
        "shadow models that attack each target (3 to 10000; 0: a release is audited without training anything)",
        _whole,
        "a whole number from 3 to 10000, or 0 for a release",
        lambda value: _is_int(value) and (value == 0 or 3 <= value <= 10000),
        decides=True,
    )
    device: str = _setting(
        "auto",
        "D",
        "where torch models are trained: auto, cpu, cuda, cuda:1, mps",
        str,
        "auto, cpu, cuda, cuda:N or mps",
        lambda value: isinstance(value, str) and re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", value) is not None,
        decides=False,
    )
    seed: int = _setting(
        0,
        "N",
        "the one number that every random choice derives from",
        _whole,
        "a whole number of at least 0, of 128 bits at the most",
        lambda value: _is_int(value) and 0 <= value < 2**128,
        decides=True,
    )
    attacks: tuple[str, ...] | None = _setting(
        None,
        "LIST",
        "attacks to run, separated by commas; default stands for all that fit what the model answers",
        _names,
        "a list of attack names",
        lambda value: value is None or _are_names(value),
        decides=False,
    )
    confidence: float = _setting(
        0.95,
        "P",
        "one-sided confidence of the bounds",
        float,
        "a number from 0.5 to 1, both excluded",
        lambda value: isinstance(value, float) and 0.5 < value < 1,
        decides=True,
    )
    inconclusive: str = _setting(
        "fail",
        "A",
        "what a test does when the data can't decide: fail, warn or skip",
        str,
        "fail, warn or skip",
        lambda value: isinstance(value, str) and value in ("fail", "warn", "skip"),
        decides=False,
    )
    queries: int | None = _setting(
        None,
        "N",
        "queries averaged per record (default: 1, and 16 for a model whose answers vary)",
        _whole,
        "a whole number from 1 to 10000",
        lambda value: value is None or (_is_int(value) and 1 <= value <= 10000),
        decides=False,
    )
    jobs: int | None = _setting(
        None,
        "N",
        "models trained at the same time (default: one per core)",
        _whole,
        "a whole number from 1 to 1000000",
        lambda value: value is None or (_is_int(value) and 1 <= value <= 10**6),
        decides=False,
    )
    backend: str = _setting(
        "loky",
        "B",
        "what trains models at the same time: loky (processes of this machine) or dask (a running cluster)",
        str,
        "loky or dask; threading is not supported because models in threads of one process would share its random "
        "generators, and ray is not, because dask trains on several machines",
        lambda value: isinstance(value, str) and value in ("loky", "dask"),
        decides=False,
    )
    scheduler: str | None = _setting(
        None,
        "ADDRESS",
        "the running Dask scheduler to train on, such as tcp://10.0.0.1:8786",
        str,
        "an address such as tcp://10.0.0.1:8786",
        lambda value: (
            value is None or (isinstance(value, str) and re.fullmatch(r"(\w+://)?\S+:\d+/?", value) is not None)
        ),
        decides=False,
    )
    cache: str = _setting(
        "use",
        "MODE",
        "models that were trained before: use them, refresh (train all again and keep them) or off",
        str,
        "use, refresh or off",
        lambda value: isinstance(value, str) and value in ("use", "refresh", "off"),
        decides=False,
    )
    time_limit: float | None = _setting(
        None,
        "SECONDS",
        "stop training after so many seconds, and answer with the models that are trained by then",
        float,
        "a finite number above 0",
        lambda value: (
            value is None
            or (isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= sys.float_info.max)
        ),
        decides=False,
    )
    early_stop: bool = _setting(
        False,
        "",
        "stop as soon as a leak is certain, after 4, 8, 16... models; the rate of false leaks stays as stated",
        _truth,
        "true or false",
        lambda value: isinstance(value, bool),
        decides=True,
    )
    coins: bool = _setting(
        False,
        "",
        "decide by an independent coin for each record whether a model is trained on it, with shadows that are not "
        "targets: claims of differential privacy are judged more sharply",
        _truth,
        "true or false",
        lambda value: isinstance(value, bool),
        decides=True,
    )
    what_if: str = _setting(
        "off",
        "WHICH",
        "measure remedies too: outputs (or no value) for those that change answers alone, train also for those that "
        "train models again",
        str,
        "off, outputs or train, after an equals sign (--mia-what-if=train)",
        lambda value: isinstance(value, str) and value in WHAT_IF,
        decides=False,
        alone="outputs",
    )
    controls: bool = _setting(
        False,
        "",
        "check the audit itself: its attacks look for planted records (four more models are trained), and must find "
        "nothing where memberships are shuffled",
        _truth,
        "true or false",
        lambda value: isinstance(value, bool),
        decides=False,
    )

    def __post_init__(self) -> None:
        if isinstance(self.attacks, list):
            object.__setattr__(self, "attacks", tuple(self.attacks))
        if isinstance(self.attacks, str):
            object.__setattr__(self, "attacks", _names(self.attacks))
        problems = [
            f"{row.name} must be {row.metadata['must']}, got {quoted(getattr(self, row.name))}"
            for row in dataclasses.fields(self)
            if not row.metadata["fits"](getattr(self, row.name))
        ]
        if problems:
            raise MIAUsageError(problems)

    def contradictions(self) -> list[str]:
        """Settings that are good by themselves and not together, each with its remedy."""
        if self.backend == "dask" and self.scheduler is None:
            return ["backend dask needs scheduler, the address of a running one: --mia-scheduler=tcp://HOST:8786"]
        if self.backend != "dask" and self.scheduler is not None:
            return [f"scheduler {self.scheduler} is for backend dask, got {self.backend}: give both or neither"]
        return []

    def changed(self) -> Mapping[str, Any]:
        """Those settings that differ from their defaults, by name."""
        values = {row.name: getattr(self, row.name) for row in dataclasses.fields(self)}
        return {row.name: values[row.name] for row in dataclasses.fields(self) if values[row.name] != row.default}

    @property
    def deciding(self) -> Mapping[str, Any]:
        """Those settings that decide what attacks find in the same answers, by name."""
        return {row.name: getattr(self, row.name) for row in dataclasses.fields(self) if row.metadata["decides"]}

    @property
    def workers(self) -> int:
        """How many models are trained at the same time."""
        return self.jobs or available_cores()


class SettingsKeywords(TypedDict, total=False):
    """The fields of `Settings` as keywords, for ``**settings: Unpack[SettingsKeywords]``; a test compares the two."""

    shadows: int
    device: str
    seed: int
    attacks: Sequence[str] | None
    confidence: float
    inconclusive: str
    queries: int | None
    jobs: int | None
    backend: str
    scheduler: str | None
    cache: str
    time_limit: float | None
    early_stop: bool
    coins: bool
    what_if: str
    controls: bool


CHEAP = (
    *("gap", "loss", "modified_entropy", "attack_r", "calibrated_gap"),
    *("lira_online", "rmia_online", "rmia_offline", "mast", "nig_t", "min_k"),
)
"""Attacks that take next to no time and ask nothing more of a model, for answers of every kind."""

PROFILES: Mapping[str, Mapping[str, Any]] = {
    "fast": {"shadows": 3, "attacks": CHEAP, "early_stop": True},
    "ci": {},
    "thorough": {
        "shadows": 31,
        "attacks": (
            "default",
            *("shokri_logistic_regression", "shokri_naive_bayes", "shokri_nearest_neighbours", "shokri_decision_tree"),
            *("shokri_random_forest", "shokri_gradient_boosting", "shokri_perceptron", "quantile_regression"),
            *("combined_neighbours", "label_frequency", "digit_frequency", "single_columns"),
        ),
    },
}
"""Defaults by the time that there is: while one works, for every change, before a release.

The thorough one leaves out the attacks that ask about a thousand copies of each record: on large models they take days.
"""


def parse(name: str, text: str) -> Any:
    """Turn the text of an option or ini key into the value of its setting.

    Raises
    ------
    MIAUsageError
        When the text can't be read; the message says what the setting must be.
    """
    row = Settings.__dataclass_fields__[name]
    try:
        return row.metadata["parse"](text)
    except ValueError:
        raise MIAUsageError(f"{name} must be {row.metadata['must']}, got {quoted(text)}") from None


def available_cores() -> int:
    """The cores that this process may use, shared fairly among the workers of pytest-xdist."""
    sharing = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, allowed // sharing)
