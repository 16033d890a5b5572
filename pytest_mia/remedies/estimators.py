"""Estimators around estimators, which answer with a remedy; loaded by those who use them, being scikit-learn's.

Each answers exactly as `pytest_mia.remedies` has it, from what the audit reads of the estimator inside: what was
measured is what is shipped.
"""

from __future__ import annotations

from inspect import Parameter
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from pytest_mia.core.types import FloatArray
from pytest_mia.models.answers import Answer, Labels
from pytest_mia.models.sklearn import EstimatorAsker
from pytest_mia.remedies import ON_ANSWERS
from pytest_mia.remedies.protocol import Remedy
from pytest_mia.remedies.wrappers import make_wrapper


def _has_probabilities(wrapper: Any) -> bool:
    return any(hasattr(wrapper.estimator, name) for name in ("predict_proba", "decision_function"))


class RemediedEstimator(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """An estimator that answers with a remedy.

    Parameters
    ----------
    estimator
        A classifier. It is cloned, and the clone is fitted.
    **arguments
        The arguments of its remedy.

    Attributes
    ----------
    estimator_
        The fitted clone.
    classes_
        Its classes.
    """

    remedy_type: ClassVar[type[Remedy]]

    def __init__(self, estimator: Any, **arguments: Any) -> None:
        self.estimator = estimator
        for name, value in arguments.items():
            setattr(self, name, value)

    @property
    def remedy(self) -> Remedy:
        """What is done to the answers; bad arguments are refused here, since scikit-learn sets them in any way."""
        return self.remedy_type(**{row.name: getattr(self, row.name) for row in self.remedy_type.arguments()})

    def fit(self, X: Any, y: Any, **parameters: Any) -> RemediedEstimator:
        """Fit a clone of the estimator; its own `parameters`, such as ``sample_weight``, go to it."""
        self.remedy  # noqa: B018 - bad parameters are refused before anything is fitted
        self.estimator_ = clone(self.estimator).fit(X, y, **parameters)
        self.classes_ = self.estimator_.classes_
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The likeliest class of each record, by what is answered: the label says no more than that does."""
        after = self._answer(X)
        codes = after.codes if isinstance(after, Labels) else after.values.argmax(axis=1)
        return np.asarray(self.classes_[codes])

    def _answer(self, X: Any) -> Answer:
        check_is_fitted(self)
        return self.remedy.apply(EstimatorAsker(np.asarray(self.classes_)).answer(self.estimator_, X, None))

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import get_tags

        tags, inside = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.input_tags, tags.classifier_tags = inside.input_tags, inside.classifier_tags
        return tags


class RemediedProbabilities(RemediedEstimator):
    """An estimator whose probabilities are changed by a remedy."""

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> FloatArray:
        """Changed probabilities (records, classes)."""
        return self._answer(X).values  # type: ignore[union-attr]


def _wrapper(remedy: type[Remedy]) -> type:
    base = RemediedEstimator if remedy.labels_alone else RemediedProbabilities
    estimator = Parameter("estimator", Parameter.POSITIONAL_OR_KEYWORD)
    return make_wrapper(base, remedy, estimator, "A classifier. It is cloned, and the clone is fitted.")


WRAPPERS = {each.__name__: each for each in map(_wrapper, ON_ANSWERS)}
"""``RoundedAnswers`` and its like, by their names."""


def __getattr__(name: str) -> Any:
    if name not in WRAPPERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return WRAPPERS[name]
