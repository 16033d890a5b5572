"""Accuracy against advantage of every defence, as a table: ``python table.py``.

DP-SGD needs Opacus (``pip install '../..[dp]'``); without it, its rows are left out.
"""

from importlib.util import find_spec

from defences import DEFENCES, DELTA, Private
from sklearn.datasets import load_digits

import pytest_mia
from pytest_mia import gates

LIMIT = 0.05


def row(defence, X, y):
    """One audit of the recipe, judged at the limit."""
    result = pytest_mia.audit(defence.factory, (X, y), training=defence.training, predict=defence.predict)
    judged = gates.membership_advantage(result, LIMIT)
    private = isinstance(defence.training, Private)
    name = f"{defence.name}, epsilon {defence.training.epsilon(len(y) // 2):.1f}" if private else defence.name
    shown = result.advantage
    return (
        f"| {name} | {result.accuracy.test:.3f} | {shown.estimate:.3f} ({shown.low:.3f} to {shown.high:.3f}) "
        f"| {result.attack} | {judged.verdict} |"
    )


def main():
    """Print the table."""
    digits = load_digits()
    X, y = (digits.images / 16).astype("float32"), digits.target
    print("| defence | accuracy | advantage | attack | verdict at 0.05 |\n|---|---|---|---|---|")
    for defence in DEFENCES:
        if not isinstance(defence.training, Private) or find_spec("opacus"):
            print(row(defence, X, y), flush=True)
    print(f"\nepsilon at delta {DELTA:g}, by Opacus' accountant, for one model, trained on half of the records")


if __name__ == "__main__":
    main()
