"""The attack of Shokri et al. (2017) with other kinds of classifier, each pooled over the classes or one per class."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_mia.attacks.observations import Observations
from pytest_mia.attacks.protocol import Scored, Scorer
from pytest_mia.attacks.shokri import REFERENCE, SIGNALS, Judge, LabelledAnswers, cross_fitted
from pytest_mia.core.types import BoolArray, FloatArray, IntArray

LEAST_ROWS = 20
"""Members, and as many others, that a class needs for a classifier of its own."""


@dataclass(frozen=True)
class ShokriBy(Scored):
    """A classifier on [three largest probabilities, phi, correct], labelled by the shadows' memberships.

    The paper has one per class, a network of 64 hidden units. Whether one per class or one for all does better is
    decided on the other models; a class with fewer than 20 labelled members or others is left to the pooled one.

    Attributes
    ----------
    name
        The attack's name.
    make
        Returns an unfitted classifier, given a seed.
    """

    name: str
    make: Callable[[int], Any]
    signals: tuple[str, ...] = SIGNALS
    least_shadows: int = 2
    family = "shadow classifier"
    summary = "lets a classifier tell members by the answer, learnt on the shadows for all classes or for each"
    reference = REFERENCE

    def scorers(self, observations: Observations) -> Iterator[Scorer]:
        """Yield P(member | answer) by the pooled classifier, then by one per class."""
        for scores in cross_fitted(observations, self.name, self._learn):
            yield scores.__getitem__

    def _learn(self, labelled: LabelledAnswers) -> Judge:
        share = float(labelled.members.mean())
        pooled = self._fitted(labelled, np.ones_like(labelled.members))
        of_class = {label: self._fitted(labelled, labelled.labels == label) for label in np.unique(labelled.labels)}

        def judge(features: FloatArray, labels: IntArray) -> FloatArray:
            together = np.full(len(features), share) if pooled is None else pooled.predict_proba(features)[:, 1]
            apart = together.copy()
            for label, classifier in of_class.items():
                mine = labels == label
                if classifier is not None and mine.any():
                    apart[mine] = classifier.predict_proba(features[mine])[:, 1]
            return np.stack([together, apart])

        return judge

    def _fitted(self, labelled: LabelledAnswers, rows: BoolArray) -> Any:
        """A classifier of some rows, or None where they are too few or all alike."""
        features, members = labelled.features[rows], labelled.members[rows]
        if min(members.sum(), (~members).sum()) < LEAST_ROWS or (features == features[:1]).all():
            return None
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            # A fit that stops at its limit of steps is as good an attack as any.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return self.make(labelled.seed).fit(features, members)


def logistic_regression(_seed: int) -> Any:
    """Logistic regression on standardised features."""
    from sklearn.linear_model import LogisticRegression

    return _scaled(LogisticRegression(max_iter=200))


def naive_bayes(_seed: int) -> Any:
    """Gaussian naive Bayes on standardised features."""
    from sklearn.naive_bayes import GaussianNB

    return _scaled(GaussianNB(var_smoothing=1e-3))


def nearest_neighbours(_seed: int) -> Any:
    """The share of members among 25 neighbours on standardised features."""
    from sklearn.neighbors import KNeighborsClassifier

    return _scaled(KNeighborsClassifier(25))


def decision_tree(seed: int) -> Any:
    """One tree whose leaves hold 20 rows at least."""
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(min_samples_leaf=20, random_state=seed)


def random_forest(seed: int) -> Any:
    """A hundred trees whose leaves hold 5 rows at least."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(min_samples_leaf=5, random_state=seed)


def gradient_boosting(seed: int) -> Any:
    """Boosted trees, without the class as a feature."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=16, early_stopping=False, random_state=seed)


def perceptron(seed: int) -> Any:
    """The paper's network, 64 hidden rectified linear units, on standardised features."""
    from sklearn.neural_network import MLPClassifier

    return _scaled(MLPClassifier((64,), max_iter=30, learning_rate_init=0.01, random_state=seed))


def _scaled(classifier: Any) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), classifier)


SHOKRI_BY: tuple[ShokriBy, ...] = tuple(
    ShokriBy(f"shokri_{make.__name__}", make)
    for make in (
        logistic_regression,
        naive_bayes,
        nearest_neighbours,
        decision_tree,
        random_forest,
        gradient_boosting,
        perceptron,
    )
)
"""The attack with each kind of classifier."""
