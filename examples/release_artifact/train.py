"""Train the model, and save it with the numbers of the records that it was trained on: ``python train.py``."""

from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

RELEASE = Path(__file__).parent / "release.joblib"


def records():
    """1,797 images of 8 x 8 pixels, and the digits that they show."""
    X, y = load_digits(return_X_y=True)
    return X / 16, y


def untrained():
    """A fresh, untrained model."""
    return LogisticRegression(C=0.05)


def save(path=RELEASE):
    """Train on a random half of the records; the other half stays unseen, for the audit."""
    X, y = records()
    members = np.sort(np.random.default_rng(0).permutation(len(y))[: len(y) // 2])
    joblib.dump({"model": untrained().fit(X[members], y[members]), "members": members}, path)
    return path


if __name__ == "__main__":
    print(f"saved {save()}")
