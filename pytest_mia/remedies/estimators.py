"""Estimators around estimators, which answer with a remedy; loaded by those who use them, being scikit-learn's.

Each answers exactly as `pytest_mia.remedies` has it, from what the audit reads of the estimator inside: what was
measured is what is shipped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from pytest_mia.core.types import FloatArray
from pytest_mia.models.answers import Answer, Labels
from pytest_mia.models.sklearn import EstimatorAsker
from pytest_mia.remedies.labels import Label
from pytest_mia.remedies.protocol import Remedy
from pytest_mia.remedies.rounding import Rounded
from pytest_mia.remedies.temperature import Tempered
from pytest_mia.remedies.top_k import TopK


def _has_probabilities(wrapper: Any) -> bool:
    return any(hasattr(wrapper.estimator, name) for name in ("predict_proba", "decision_function"))


class Remedied(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """An estimator that answers with a remedy.

    Parameters
    ----------
    estimator
        A classifier. It is cloned, and the clone fitted.

    Attributes
    ----------
    estimator_
        The fitted clone.
    classes_
        Its classes.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    @property
    def remedy(self) -> Remedy:
        """What is done to the answers."""
        raise NotImplementedError

    def fit(self, X: Any, y: Any, **parameters: Any) -> Remedied:
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


class RemediedProbabilities(Remedied):
    """An estimator whose probabilities are changed by a remedy."""

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> FloatArray:
        """Changed probabilities (records, classes)."""
        return self._answer(X).values  # type: ignore[union-attr]


class RoundedAnswers(RemediedProbabilities):
    """Answers in whole steps; see `pytest_mia.remedies.Rounded`.

    Parameters
    ----------
    estimator
        A classifier.
    step
        One over a whole number; a quarter by default.
    """

    def __init__(self, estimator: Any, step: float = 0.25) -> None:
        self.estimator, self.step = estimator, step

    @property
    def remedy(self) -> Rounded:
        """What is done to the answers."""
        return Rounded(self.step)


class TopKAnswers(RemediedProbabilities):
    """Answers with the likeliest classes; see `pytest_mia.remedies.TopK`.

    Parameters
    ----------
    estimator
        A classifier.
    k
        How many classes; 3 by default.
    """

    def __init__(self, estimator: Any, k: int = 3) -> None:
        self.estimator, self.k = estimator, k

    @property
    def remedy(self) -> TopK:
        """What is done to the answers."""
        return TopK(self.k)


class TemperedAnswers(RemediedProbabilities):
    """Answers softened; see `pytest_mia.remedies.Tempered`.

    Parameters
    ----------
    estimator
        A classifier.
    temperature
        Above 1 softens; 2 by default.
    """

    def __init__(self, estimator: Any, temperature: float = 2.0) -> None:
        self.estimator, self.temperature = estimator, temperature

    @property
    def remedy(self) -> Tempered:
        """What is done to the answers."""
        return Tempered(self.temperature)


class LabelAnswers(Remedied):
    """Answers with labels alone, and has no ``predict_proba``; see `pytest_mia.remedies.Label`.

    Parameters
    ----------
    estimator
        A classifier.
    """

    @property
    def remedy(self) -> Label:
        """What is done to the answers."""
        return Label()
