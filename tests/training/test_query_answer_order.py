import numpy as np
import pytest

from pytest_mia.core.errors import InvalidAuditError
from pytest_mia.models.answers import Labels, LogOdds, Losses, Probabilities, Residuals, TokenLogProbabilities
from pytest_mia.models.protocol import Adapter
from pytest_mia.training.query import check_order

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 3))
Y = rng.normal(size=200)


class Asker:
    """Asks a function, as others ask a model."""

    def answer(self, model, X, y):
        return model(X, y)


def check(answer, X=X, y=Y):
    check_order(Adapter(None, Asker()), answer, X, y, 0)


def probabilities(X):
    p = 1 / (1 + np.exp(-X[:, 0]))
    return np.stack([p, 1 - p], axis=1)


KINDS = {
    "probabilities": lambda X, y: Probabilities(probabilities(X)),
    "labels": lambda X, y: Labels((X[:, 0] > 0).astype(int)),
    "losses": lambda X, y: Losses((y - X[:, 0]) ** 2),
    "residuals": lambda X, y: Residuals((y - X[:, 0])[:, None]),
    "log-odds": lambda X, y: LogOdds(X[:, :2] * np.sign(y)[:, None]),
    "texts": lambda X, y: TokenLogProbabilities(np.where(np.arange(3) > 1 + (X[:, :1] > 0), np.nan, -np.abs(X))),
}


own = np.random.default_rng(0)
"""A generator that no seed of an audit reaches, as models may have; no test fails by chance, since it has its seed."""


def changing(share):
    """A model that answers now and then with the other label."""
    own = np.random.default_rng(0)
    return lambda X, y: Labels((X[:, 0] > 0) ^ (own.random(len(X)) < share))


def shuffled(kind, arrange):
    """The same answers, each given to another record."""

    def answer(X, y):
        places = arrange(X)
        # What the model says of a record depends on its features; what is asked of it, on its label.
        return KINDS[kind](X[places], y if kind in ("residuals", "log-odds") else y[places])

    return answer


SHUFFLES = {
    "by the global generator": lambda X: np.random.permutation(len(X)),  # noqa: NPY002
    "by one of its own": lambda X: own.permutation(len(X)),
    "by a fixed seed": lambda X: np.random.default_rng(0).permutation(len(X)),
    "sorted": lambda X: np.argsort(X[:, 0]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_answers_of_every_kind_in_their_order(kind):
    check(KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("arrange", SHUFFLES)
def test_in_another_order(kind, arrange):
    told = r"asked about 100 records .* answered \d+ of them with the answers of other records"
    with pytest.raises(InvalidAuditError, match=told):
        check(shuffled(kind, SHUFFLES[arrange]))


def test_answers_by_their_place_alone():
    with pytest.raises(InvalidAuditError, match="with the answers of other records"):
        check(lambda X, y: Probabilities(np.linspace(0, 1, 2 * len(X)).reshape(-1, 2)))


@pytest.mark.parametrize(
    "answer",
    [
        lambda X, y: Probabilities(probabilities((X - X.mean(axis=0)) / X.std(axis=0) ** 2)),
        lambda X, y: Labels((X[:, 0] > X[0, 0]).astype(int)),
    ],
    ids=["statistics of the batch", "the first record"],
)
def test_answers_that_depend_on_what_else_is_asked(answer):
    with pytest.raises(InvalidAuditError, match="its answer on a record depends on the other records of the call"):
        check(answer)


@pytest.mark.parametrize(
    "answer",
    [
        lambda X, y: Probabilities(probabilities(X) * np.random.uniform(0.5, 1, (len(X), 2))),  # noqa: NPY002
        lambda X, y: Labels((X[:, 0] + np.random.normal(size=len(X)) > 0).astype(int)),  # noqa: NPY002
        changing(0.02),
        lambda X, y: Probabilities(probabilities(X).astype(np.float16).astype(np.float32)),
        lambda X, y: Probabilities(np.full((len(X), 2), 0.5)),
        lambda X, y: Labels(np.zeros(len(X), dtype=int)),
    ],
    ids=["noise", "noisy labels", "a label now and then", "rounded", "constant", "one label"],
)
def test_answers_that_vary_by_themselves_are_fine(answer):
    for _ in range(10):
        check(answer)


def test_one_label_of_hundreds_that_varies_is_fine_however_often_it_is_asked():
    """One of a dozen such models was refused, as though its answers depended on what else is asked."""
    answer = changing(0.0025)
    for _ in range(200):
        check(answer)


@pytest.mark.parametrize("records", [1, 2, 3])
def test_a_handful_of_records(records):
    check(KINDS["probabilities"], X[:records], Y[:records])


def test_a_thousand_are_asked_at_the_most():
    sizes = []
    many = rng.normal(size=(3000, 2))
    check(lambda X, y: sizes.append(len(X)) or KINDS["probabilities"](X, y), many, many[:, 0])
    assert sizes == [1000, 500]
