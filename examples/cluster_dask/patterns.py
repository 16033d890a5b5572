"""Two models that read handwritten digits: the first attempt, and what is shipped."""

from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import make_pipeline


def trees():
    """The first attempt: it learns its writers by heart."""
    return ExtraTreesClassifier()


def strokes():
    """What is shipped: a dozen strokes tell most digits apart."""
    return make_pipeline(PCA(12), LinearDiscriminantAnalysis())


def digit(model, X):
    """What the service answers: the digit, without a probability."""
    return model.predict(X)
