"""Models that speak scikit-learn's protocol: ``fit`` and one of ``predict_proba``, ``decision_function``, ``predict``.

Duck typing decides: XGBoost, LightGBM, skorch and a user's own classes work because they speak it.
"""

from __future__ import annotations

import copy
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from pytest_mia.core.errors import MIAUsageError
from pytest_mia.core.seeding import seed_for
from pytest_mia.core.types import FloatArray
from pytest_mia.data.containers import find_bad_features
from pytest_mia.data.dataset import Dataset
from pytest_mia.data.labels import as_labels, encode_by, is_labels
from pytest_mia.models.answers import (
    Answer,
    Logits,
    Probabilities,
    as_numbers,
    check_answer,
    expand_one_column,
    interpret,
)
from pytest_mia.models.functions import FunctionTrainer, own_asker
from pytest_mia.models.protocol import Adapter, ModelUse, NoTrainer, Trainer
from pytest_mia.models.reading import log_odds, read_answer
from pytest_mia.models.torch.settings import TrainingSettings

ASKED = ("predict_proba", "decision_function", "predict")
SMALL = 1e-6
SEEDS = frozenset({"random_state", "random_seed", "seed"})
THREADS = frozenset({"n_jobs", "nthread", "num_threads", "thread_count"})


@dataclass(frozen=True)
class EstimatorTrainer:
    """Trains by ``fit``, with every seed among the parameters set, and one thread."""

    description: str = ""

    def problems(self, model: Any, dataset: Dataset) -> list[str]:
        """Why this model can't be trained on these records."""
        name, found = type(model).__name__, []
        if _is_fitted(model):
            found.append(f"the {name} of mia_model_factory is fitted already; it must return an unfitted model")
        bad = find_bad_features(dataset.X) if _refuses_nan(model) else None
        if bad is not None and bad.any():
            found.append(
                f"{name} refuses NaN and infinite features, which X holds in {int(bad.sum())} of {len(bad)} records, "
                f"first in record {int(bad.argmax())}; put an imputer in front of it, or leave these records out"
            )
        return found

    def fit(self, model: Any, X: Any, y: Any, seed: int) -> Any:
        """The trained model; objects that models of one factory share are left alone."""
        values = _reproducible(model, seed)
        if values:
            model = copy.deepcopy(model).set_params(**values)
        model.fit(X, y)
        return model


@dataclass(frozen=True, eq=False)
class EstimatorAsker:
    """Asks by ``predict_proba``, ``decision_function`` or ``predict``, the first that there is.

    Attributes
    ----------
    classes
        The dataset's classes in order. A class that the model has never met gets probability 0, or the logit of it.
        Empty for other tasks: numbers are predicted, and of several labels each is asked for.
    """

    classes: npt.NDArray[Any]

    def problems(self, model: Any, dataset: Dataset) -> list[str]:  # noqa: ARG002 - the records don't matter here
        """Why this model can't be asked for classes."""
        name, found = type(model).__name__, []
        if hasattr(model, "fit") and _method(model) is None:
            found.append(f"{name} has none of {', '.join(ASKED)}; give mia_predict")
        if len(self.classes) and not _may_classify(model):
            remedy = "mia_predict for class probabilities, or mia_loss, or for a regression floats as y"
            found.append(f"{name} is no classifier; give {remedy}")
        if _method(model) == "decision_function" and "ovo" in _values(model, "decision_function_shape"):
            found.append(f"{name} votes between pairs of classes; set decision_function_shape='ovr'")
        return found

    def answer(self, model: Any, X: Any, y: Any) -> Answer:
        """The trained model's answers on all records; `y` is looked at where it holds no classes."""
        if not len(self.classes):
            return _several(model, X, y) if is_labels(y) else read_answer(model.predict(X), self.classes, y)
        match _method(model):
            case "predict_proba":
                return self._probabilities(model, model.predict_proba(X))
            case "decision_function":
                return self._decisions(model, as_numbers(model.decision_function(X)))
            case "predict":
                return interpret(model.predict(X), self.classes)
        raise MIAUsageError(
            f"the trained model, a {type(model).__name__}, has none of {', '.join(ASKED)}; "
            "mia_training must return the trained model or None, and mia_predict can say how to ask it"
        )

    def _probabilities(self, model: Any, given: Any) -> Answer:
        if isinstance(given, list) and given and getattr(given[0], "ndim", 1) > 1:
            raise MIAUsageError(f"{type(model).__name__}.predict_proba answers {len(given)} labels at once; audit one")
        values = as_numbers(given)
        if values.ndim == 1 or (values.shape[1] == 1 and len(self._columns(model)) == 2):
            values = expand_one_column(values.reshape(len(values))).values  # type: ignore[union-attr]
        codes = self._codes(model, values)
        aligned = np.zeros((len(values), len(self.classes)), dtype=values.dtype)
        aligned[:, codes[codes >= 0]] = values[:, codes >= 0]
        return Probabilities(aligned)

    def _decisions(self, model: Any, values: npt.NDArray[Any]) -> Answer:
        values = values.reshape(len(values), -1)
        if values.shape[1] == 1 and len(self._columns(model)) == 2:
            values = np.concatenate([np.zeros_like(values), values], axis=1)
        codes = self._codes(model, values)
        aligned = np.full((len(values), len(self.classes)), -np.inf, dtype=values.dtype)
        aligned[:, codes[codes >= 0]] = values[:, codes >= 0]
        return Logits(aligned)

    def _columns(self, model: Any) -> npt.NDArray[Any]:
        """The classes that the model's columns stand for; the dataset's where it doesn't say."""
        return np.asarray(getattr(model, "classes_", self.classes))

    def _codes(self, model: Any, values: npt.NDArray[Any]) -> npt.NDArray[np.integer]:
        columns = self._columns(model)
        codes = encode_by(columns, self.classes) if columns.ndim == 1 else np.array([], dtype=np.intp)
        if values.ndim != 2 or len(codes) != values.shape[1] or not (codes >= 0).any():
            raise MIAUsageError(
                f"{type(model).__name__} answers with shape {values.shape} for its {len(columns)} classes, of which "
                f"{(codes >= 0).sum()} are among the {len(self.classes)} of the dataset; "
                "it needs one column per class, named by classes_"
            )
        return codes


class Estimators:
    """Models that speak scikit-learn's protocol, and all others, for which the user's functions are needed."""

    def fits(self, model: Any, use: ModelUse) -> bool:  # noqa: ARG002 - what is lacking is said before any training
        """Always: this kind is the last one."""
        return True

    def adapter(self, model: Any, use: ModelUse) -> Adapter:
        """Trained by ``fit`` and asked by ``predict_proba``, unless the user's functions do it."""
        return Adapter(_trainer(model, use.training), own_asker(use) or EstimatorAsker(use.classes))


def _trainer(model: Any, training: Any) -> Trainer:
    name = model.__name__ if isinstance(model, type) else type(model).__name__
    if isinstance(training, TrainingSettings):
        return NoTrainer(f"mia_training is a TorchTraining, which trains torch modules, but the model is {name}")
    if training is not None:
        return FunctionTrainer(training)
    if isinstance(model, type):
        return NoTrainer(
            f"mia_model_factory returned the class {name}; it must return a model, such as lambda: {name}()"
        )
    if callable(getattr(model, "fit", None)):
        return EstimatorTrainer()
    return NoTrainer(
        f"mia_model_factory returned {name}, which has no fit and is no torch module; "
        "give mia_training, a function train(model, X, y)"
    )


def _several(model: Any, X: Any, y: Any) -> Answer:
    """Log-odds of each of several labels, asked for as the model can tell them."""
    wanted = as_labels(y)
    match _method(model):
        case "predict_proba":
            given, columns = model.predict_proba(X), getattr(model, "classes_", None)
            if isinstance(given, list):
                pairs = zip(map(as_numbers, given), columns or given, strict=True)
                given, probabilities = np.stack([_log_odds_of_two(*pair) for pair in pairs], 1), False
            else:
                probabilities = True
            answer = as_numbers(given)
        case "decision_function":
            answer, probabilities = as_numbers(model.decision_function(X)), False
        case _:
            answer, probabilities = as_numbers(model.predict(X)), True
    if answer.shape != wanted.shape:
        raise MIAUsageError(
            f"{type(model).__name__} answers with shape {answer.shape} where y has shape {wanted.shape}; it needs one "
            "probability per label: give mia_predict"
        )
    return log_odds(answer, wanted, probabilities=probabilities)


def _log_odds_of_two(probabilities: npt.NDArray[Any], classes: npt.NDArray[Any]) -> FloatArray:
    """Log-odds (records,) that one label holds, also infinite; one that always, or never, held has one column."""
    if probabilities.ndim == 2 and probabilities.shape[1] == 1:
        return np.full(len(probabilities), np.inf if bool(np.ravel(classes)[0]) else -np.inf)
    check_answer(Probabilities(probabilities), len(probabilities))
    first, second = np.clip(probabilities[:, [0, -1]].T.astype(np.float64), 0.0, 1.0)
    with np.errstate(divide="ignore"):
        # Of a probability near 1 the other one is exact, and 1 - p is not.
        return np.asarray(np.where(first < SMALL, np.log(second) - np.log(first), logit(second)))


def is_estimator(model: Any) -> bool:
    """Whether this speaks scikit-learn's protocol."""
    return callable(getattr(model, "fit", None)) and _method(model) is not None


def _method(model: Any) -> str | None:
    return next((name for name in ASKED if callable(getattr(model, name, None))), None)


def _parameters(model: Any) -> dict[str, Any]:
    return dict(model.get_params(deep=True)) if hasattr(model, "get_params") and hasattr(model, "set_params") else {}


def _values(model: Any, parameter: str) -> list[Any]:
    return [value for name, value in _parameters(model).items() if name.rpartition("__")[2] == parameter]


def _reproducible(model: Any, seed: int) -> dict[str, int | None]:
    if callable(getattr(getattr(model, "remedy", None), "apply", None)):
        # Whatever is done to its answers, an estimator is trained as it is without.
        return {f"estimator__{name}": value for name, value in _reproducible(model.estimator, seed).items()}
    parameters = _parameters(model)
    names = {name: name.rpartition("__") for name in parameters}
    # Some libraries read a seed as a signed number of 32 bits.
    seeds = {name: seed_for(seed, name) >> 1 for name, (_, _, kind) in names.items() if kind in SEEDS}
    threads = {
        name: _one_thread(parameters.get(owner, model)) for name, (owner, _, kind) in names.items() if kind in THREADS
    }
    return {**seeds, **threads}


def _one_thread(owner: Any) -> int | None:
    """What stands for one thread: ``None`` in scikit-learn, which warns of numbers; others may use all cores on it."""
    author = next(each for each in type(owner).__mro__ if "__init__" in vars(each)).__module__
    return None if author.startswith("sklearn.") else 1


def _is_sklearn(model: Any) -> bool:
    base = sys.modules.get("sklearn.base")
    return base is not None and isinstance(model, base.BaseEstimator)


def _is_fitted(model: Any) -> bool:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    if not _is_sklearn(model):
        return any(name.endswith("_") and not name.startswith("_") for name in getattr(model, "__dict__", {}))
    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    return bool(getattr(_tags(model), "requires_fit", True))


def kind_of(model: Any) -> str | None:
    """What a model says that it is, as scikit-learn's protocol has it: "classifier", "regressor"..., or nothing."""
    said = getattr(model, "_estimator_type", None)
    return getattr(_tags(model), "estimator_type", said) if _is_sklearn(model) else said


def _may_classify(model: Any) -> bool:
    """Whether nothing says that this is something else, such as a regressor."""
    from sklearn.base import ClassifierMixin

    return kind_of(model) in (None, "classifier") or isinstance(model, ClassifierMixin)


def _refuses_nan(model: Any) -> bool:
    """Whether scikit-learn says that NaN is refused; where it can't be known, training will show it."""
    steps = [step for _, step in getattr(model, "steps", ()) if step not in (None, "passthrough")]
    inner = steps[0] if steps else getattr(model, "estimator", None)
    if hasattr(inner, "fit"):
        return _refuses_nan(inner)
    parts = any(hasattr(model, name) for name in ("steps", "transformers", "transformer_list", "estimators"))
    tags = None if parts or not type(model).__module__.startswith("sklearn.") else _tags(model)
    return tags is not None and not tags.input_tags.allow_nan and not tags.no_validation


def _tags(model: Any) -> Any:
    try:
        from sklearn.utils import get_tags
    except ImportError:  # scikit-learn before 1.6
        return None
    return get_tags(model)
