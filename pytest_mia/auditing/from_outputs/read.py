"""Outputs of shadows that were trained elsewhere, in place of training any."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_mia.auditing.from_outputs import validate
from pytest_mia.auditing.from_outputs.validate import FEWEST_MODELS
from pytest_mia.cache import safe_npz
from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.text import quoted
from pytest_mia.data.containers import as_array
from pytest_mia.data.labels import as_labels
from pytest_mia.models.answers import Losses, Residuals, TokenLogProbabilities

__all__ = ["FEWEST_MODELS", "FIELDS", "ModelOutputs", "read_outputs"]

FIELDS = ("outputs", "members", "labels")
TOKENS = ("token_log_probabilities", "token_means", "token_deviations")
KINDS = {"residuals": Residuals, "losses": Losses, TOKENS[0]: TokenLogProbabilities}
"""Names that say what the answers are, in place of `outputs`, in a mapping or a file."""
OPTIONAL = ("labels", "groups", "means", "deviations")
ALWAYS_READ, MOST_TIMES = 2**28, 100
"""Bytes that a file may always unpack to, and how many times its own size: answers seldom pack so well."""


@dataclass(frozen=True)
class ModelOutputs:
    """Answers of several models on the same records.

    Attributes
    ----------
    outputs
        What the labels ask for: class probabilities or logits (models, records, classes), or guessed labels (models,
        records); predicted numbers (models, records), or (models, records, columns); a probability, a logit or 0 and 1
        for each of several labels (models, records, labels). Or `pytest_mia.Residuals`, `pytest_mia.Losses` or
        `pytest_mia.TokenLogProbabilities`, whose arrays start with (models, records); a list of them, one a model,
        will do.
    members
        Memberships (models, records): who trained on what. Each model's must be drawn independently.
    labels
        What is true of each record (records,), as `y` of a `pytest_mia.Dataset`. Residuals, losses and
        log-probabilities of tokens do without; where they are given, records are compared with those of their class.
    groups
        One id per record (records,), such as a person's; records of one group are members together or not at all.
    """

    outputs: Any
    members: Any
    labels: Any = None
    groups: Any = None


def read_outputs(given: Any) -> ModelOutputs:
    """Outputs from a `ModelOutputs`, a triple, a mapping, or the path of an npz file with these names.

    Raises
    ------
    MIAUsageError
        With everything that is missing or doesn't fit.
    """
    if isinstance(given, (str, os.PathLike)):
        given = _load_file(Path(given))
    if isinstance(given, Mapping):
        given = _read_mapping(given)
    values = _convert_arrays(given if isinstance(given, ModelOutputs) else ModelOutputs(*_read_triple(given)))
    _refuse(validate.find_problems(values.outputs, values.members, values.labels, values.groups))
    return values


def _load_file(path: Path) -> dict[str, Any]:
    remedy = f"give an npz file with {', '.join(FIELDS)}"
    if not path.is_file():
        raise MIAUsageError(f"mia_outputs: there is no file {path}; {remedy}")
    try:
        with path.open("rb") as file:
            most = max(ALWAYS_READ, MOST_TIMES * safe_npz.size_of(file))
            return safe_npz.read_arrays(file, most=most)
    except (OSError, ValueError) as error:
        raise MIAUsageError(
            f"mia_outputs: {path} can't be read ({error}); {remedy}, as numpy.savez writes it, and no Python objects"
        ) from None


def _read_mapping(given: Mapping[str, Any]) -> ModelOutputs:
    """Outputs from their names, of which one says what the answers are."""
    told = [name for name in ("outputs", *KINDS) if name in given]
    by_labels = told in ([], ["outputs"]) and not isinstance(given.get("outputs"), validate.Typed)
    needed = FIELDS if by_labels else ("members",)
    known = {*FIELDS, *KINDS, *TOKENS, "groups"}
    missing, strange = [name for name in needed if name not in given], [name for name in given if name not in known]
    problems = []
    if missing:
        problems.append(f"lacks {', '.join(missing)}; it needs {', '.join(needed)}")
    if len(told) > 1:
        problems.append(f"holds {' and '.join(told)}, answers of {len(told)} kinds; give one of them")
    if strange:
        problems.append(f"holds {', '.join(map(quoted, strange))}, which is none of {', '.join(sorted(known))}")
    if problems:
        raise MIAUsageError([f"mia_outputs {problem}" for problem in problems])
    answers: list[Any] = [given.get(name) for name in (TOKENS if told == [TOKENS[0]] else told)]
    outputs = KINDS[told[0]](*answers) if told[0] in KINDS else given["outputs"]
    return ModelOutputs(outputs, given["members"], given.get("labels"), given.get("groups"))


def _read_triple(given: Any) -> tuple[Any, Any, Any]:
    if isinstance(given, (tuple, list)) and len(given) == len(FIELDS):
        return given[0], given[1], given[2]
    raise MIAUsageError(
        f"mia_outputs must be ({', '.join(FIELDS)}) or an npz file with these, got {type(given).__name__}"
    )


def _convert_arrays(given: ModelOutputs) -> ModelOutputs:
    """The same as arrays."""
    outputs = _join_models(given.outputs)
    named = {each.name: getattr(outputs, each.name) for each in _fields(outputs)} or {"outputs": outputs}
    found, problems = dict[str, Any](), list[str]()
    for name, value in {**named, "members": given.members, "labels": given.labels, "groups": given.groups}.items():
        try:
            found[name] = _convert_array(name, value)
        except MIAUsageError as error:
            wanted = f", {validate.SHAPES[type(outputs)][1]}" if name in named and _fields(outputs) else ""
            problems += [f"{problem}{wanted}" for problem in error.problems]
    _refuse(problems)
    answers = {name: found.pop(name) for name in named}
    return ModelOutputs(dataclasses.replace(outputs, **answers) if _fields(outputs) else answers["outputs"], **found)


def _fields(outputs: Any) -> tuple[dataclasses.Field[Any], ...]:
    """The fields of answers that say themselves what they are; nothing for others, nor for what users don't give."""
    fields = dataclasses.fields(outputs) if isinstance(outputs, validate.Typed) else ()
    return tuple(each for each in fields if not each.kw_only)


def _convert_array(name: str, value: Any) -> npt.NDArray[Any] | None:
    if value is None and name in OPTIONAL:
        return None
    if any(map(np.ma.is_masked, value if isinstance(value, (list, tuple)) else [value])):
        raise MIAUsageError(f"{name} hold masked entries; give an array without masked entries")
    try:
        return as_labels(value) if name in ("labels", "groups") else as_array(value)
    except ValueError:
        raise MIAUsageError(f"{name} hold entries of different lengths; they must be an array") from None


def _join_models(outputs: Any) -> Any:
    """The answers of all models as one, from a list of those that say themselves what they are."""
    if not isinstance(outputs, (list, tuple)) or not any(isinstance(each, validate.Typed) for each in outputs):
        return outputs
    kinds = [type(each) for each in outputs]
    other = next((model for model, kind in enumerate(kinds) if kind is not kinds[0]), None)
    if other is not None:
        raise MIAUsageError(
            f"mia_outputs: models answer in different ways: model 0 with {kinds[0].__name__}, model {other} with "
            f"{kinds[other].__name__}; give the answers of all of them in one way"
        )
    parts = {field.name: [getattr(each, field.name) for each in outputs] for field in _fields(outputs[0])}
    return kinds[0](**{name: None if all(each is None for each in part) else part for name, part in parts.items()})


def _refuse(problems: list[str]) -> None:
    if problems:
        raise MIAUsageError([f"mia_outputs: {problem}" for problem in problems])
