"""What a repair is worth: advantage and accuracy of models on scikit-learn's breast cancer data, as a table.

    python benchmarks/repairs.py

Eight seeds each, 7 shadows, limit 0.05; some minutes on one core. The table stands in docs/how-to/remedies.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pytest_mia
from pytest_mia import AuditResult, gates
from pytest_mia.remedies import LabelAnswers, RoundedAnswers

SEEDS = range(8)
LIMIT = 0.05


def logistic(C: float) -> Callable[[], Any]:
    """A factory of logistic regressions."""
    return lambda: make_pipeline(StandardScaler(), LogisticRegression(C=C))


def forest(**keywords: Any) -> Callable[[], Any]:
    """A factory of random forests."""
    return lambda: RandomForestClassifier(**keywords)


@dataclass(frozen=True)
class Case:
    """A model with its way to answer."""

    name: str
    answers: str
    factory: Callable[[], Any]
    remedy: Callable[[Any], Any] | None = None

    def model(self) -> Any:
        """A fresh model, as it is shipped."""
        return self.factory() if self.remedy is None else self.remedy(self.factory())

    def audits(self) -> Iterator[AuditResult]:
        """One judged audit per seed."""
        for seed in SEEDS:
            audit = pytest_mia.audit(self.model, load_breast_cancer(return_X_y=True), seed=seed)
            yield gates.membership_advantage(audit, LIMIT)

    def row(self) -> str:
        """Means over the seeds, the highest upper bound, and how often each verdict came."""
        audits = list(self.audits())
        accuracy = np.mean([audit.accuracy.test for audit in audits])
        advantage = np.mean([audit.advantage.estimate for audit in audits])
        highest = max(audit.advantage.high for audit in audits)
        verdicts = ", ".join(
            f"{count} {word}" for word, count in Counter(each.verdict for each in audits).most_common()
        )
        return f"| {self.name} | {self.answers} | {accuracy:.3f} | {advantage:.3f} | {highest:.3f} | {verdicts} |"


CASES = (
    Case("forest", "probabilities", forest()),
    Case("forest", "labels", forest(), LabelAnswers),
    Case("forest, leaves of 10", "probabilities", forest(min_samples_leaf=10)),
    Case("forest, leaves of 10", "quarters", forest(min_samples_leaf=10), RoundedAnswers),
    Case("forest, leaves of 10", "labels", forest(min_samples_leaf=10), LabelAnswers),
    Case("logistic regression, C=0.1", "probabilities", logistic(0.1)),
    Case("logistic regression, C=0.1", "labels", logistic(0.1), LabelAnswers),
    Case("logistic regression, C=0.01", "probabilities", logistic(0.01)),
    Case("logistic regression, C=0.01", "quarters", logistic(0.01), RoundedAnswers),
    Case("logistic regression, C=0.01", "labels", logistic(0.01), LabelAnswers),
    Case("logistic regression, C=0.001", "quarters", logistic(0.001), RoundedAnswers),
)


if __name__ == "__main__":
    print("| model | answers | accuracy | advantage | highest upper bound | verdicts at 0.05 |")
    print("|---|---|---|---|---|---|")
    for case in CASES:
        print(case.row(), flush=True)
