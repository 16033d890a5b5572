"""Two models that read handwritten digits: the first attempt, and what is shipped."""

from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC


def trees():
    """The first attempt: it learns its writers by heart."""
    return ExtraTreesClassifier()


def machine():
    """What is shipped."""
    return make_pipeline(StandardScaler(), SVC(C=0.5, gamma=0.002))


def digit(model, X):
    """What the service answers: the digit, without a probability."""
    return model.predict(X)
