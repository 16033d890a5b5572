import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from torches import torch, torch_case

from pytest_mia import MIAUsageError
from pytest_mia.knowledge import hill_climbing

BITS = np.array([np.zeros(20, dtype=int), np.ones(20, dtype=int)])


def ones(X):
    """Two classes: the confidence in the second one is the share of ones."""
    share = np.asarray(X, dtype=float).reshape(len(X), -1).mean(axis=1)
    return np.c_[1 - share, share]


class Recorder:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []

    def __call__(self, X):
        self.asked.append(np.array(X))
        return self.answers(X)


def test_candidates_climb_until_the_model_is_sure():
    made = hill_climbing(ones, BITS, 100, threshold=0.9)
    confidence = ones(made.X)[np.arange(len(made.y)), made.y]
    assert len(made.y) == 100
    assert np.bincount(made.y).tolist() == [50, 50]
    assert (confidence > 0.9).all()
    assert set(np.unique(made.X)) == {0, 1}


def test_a_record_is_taken_with_a_probability_equal_to_its_confidence():
    """One step, and a model that is always as sure: a share of that size is taken."""
    sure = hill_climbing(lambda X: np.tile([0.7, 0.3], (len(X), 1)), BITS, 4000, iterations=1, threshold=0.0)
    assert (sure.y == 0).all()
    assert len(sure.y) / 2000 == pytest.approx(0.7, abs=0.04)


def test_the_class_must_be_the_likeliest():
    found = hill_climbing(lambda X: np.tile([0.3, 0.3, 0.4], (len(X), 1)), BITS, 300, threshold=0.2)
    assert set(found.y) == {2}


def test_candidates_that_never_make_it():
    with pytest.raises(
        MIAUsageError, match=r"^no candidate of 3 reached a confidence of 0.5 in 20 iterations; the best"
    ):
        hill_climbing(lambda X: np.full((len(X), 2), 0.5), BITS, 3, iterations=20)


def test_confidence_never_falls():
    """What is asked differs from what was kept in so many features, and what was kept never gets worse."""
    asked = Recorder(ones)
    hill_climbing(asked, BITS, 1, threshold=0.9)
    kept, best = asked.asked[1][0], -1.0
    for (record,) in asked.asked[1:]:
        confidence = ones([record])[0, 0]
        assert (record != kept).sum() <= 5
        if confidence >= best:
            kept, best = record, confidence
    assert best > 0.9


def test_after_rejections_half_as_many_features_are_drawn():
    """The first answer is the best there will be, so every later one is a rejection."""
    calls = []

    def falling(X):
        calls.append(np.array(X))
        return np.tile([0.5, 0.4] if len(calls) <= 2 else [0.1, 0.0], (len(X), 1))

    numbers = np.array([np.zeros(40), np.ones(40)])
    with pytest.raises(MIAUsageError, match=r"the best reached 0\.5:"):
        hill_climbing(falling, numbers, 1, threshold=0.6, iterations=14, rejections=2, most=9, least=2)
    first = calls[1]
    changed = [int((later != first).sum()) for later in calls[2:]]
    assert changed == [9] * 3 + [5] * 3 + [3] * 3 + [2] * 4


def test_all_candidates_are_asked_about_at_the_same_time():
    asked = Recorder(ones)
    hill_climbing(asked, BITS, 50, threshold=0.6, iterations=40)
    assert len(asked.asked) <= 41
    assert len(asked.asked[1]) == 50
    assert (np.diff([len(X) for X in asked.asked[1:]]) <= 0).all()


def test_a_model_is_asked_by_its_probabilities_and_names_its_classes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    model = LogisticRegression().fit(X, np.where(X[:, 0] > 0, "yes", "no"))
    made = hill_climbing(model, X, 30, threshold=0.8)
    assert set(made.y) == {"yes", "no"}
    assert (model.predict(made.X) == made.y).all()
    assert (X.min(axis=0) <= made.X).all()
    assert (X.max(axis=0) >= made.X).all()


@pytest.mark.parametrize(
    "template",
    [
        BITS.astype(bool),
        BITS.astype("float32"),
        BITS.astype("uint8").reshape(2, 4, 5),
        torch_case(lambda: torch.as_tensor(BITS)),
        torch_case(lambda: torch.as_tensor(BITS.astype("float32"))),
        pd.DataFrame(BITS),
    ],
    ids=["bools", "floats", "images", "tensor", "float tensor", "frame"],
)
def test_records_have_the_type_of_the_template(template):
    kinds = set()

    def predict(X):
        kinds.add((type(X), str(getattr(X, "dtype", ""))))
        return ones(X.numpy() if hasattr(X, "numpy") else X)

    made = hill_climbing(predict, template, 6, threshold=0.6).X
    assert kinds == {(type(template), str(getattr(template, "dtype", "")))}
    assert type(made) is type(template)
    assert tuple(made.shape[1:]) == tuple(template.shape[1:])


def test_a_frame_of_all_kinds():
    frame = pd.DataFrame(
        {"age": [20, 40, 30], "sex": pd.Categorical(["f", "m", "f"]), "name": ["a", "b", "c"], "dose": [0.5, 1.5, 1.0]}
    )
    made = hill_climbing(lambda X: np.c_[X["age"] / 100, 1 - X["age"] / 100], frame, 40, threshold=0.0).X
    assert (made.dtypes == frame.dtypes).all()
    assert made["age"].between(20, 40).all()
    assert made["dose"].between(0.5, 1.5).all()
    assert set(made["name"]) == {"a", "b", "c"}
    assert set(made["sex"]) == {"f", "m"}


def test_the_seed_decides_and_the_users_generators_stay():
    def drawing(X):
        return ones(X) * np.random.uniform(0.9, 1.0)  # noqa: NPY002

    state = np.random.get_state()[1].tolist()  # noqa: NPY002
    first, again, other = (hill_climbing(drawing, BITS, 20, threshold=0.5, seed=seed).X for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"template": sparse.csr_array(BITS)}, "the template is a scipy.csr_array of shape"),
        ({"template": ["a text"]}, "the template is a list; give an array"),
        ({"template": BITS[:0]}, "the template is a numpy.ndarray of shape"),
        ({"template": BITS * np.nan}, "the template holds NaN or infinity, first in record 0"),
        ({"template": BITS.astype(str)}, "the template holds <U21, not numbers"),
        ({"model": "model"}, "the model, a str, has no predict_proba"),
        ({"model": lambda X: np.zeros(len(X))}, "the model must answer with probabilities"),
        ({"model": lambda X: -ones(X)}, "the model must answer with probabilities"),
        ({"classes": [1, 2, 3]}, "the model answers with 2 columns, and there are 3 classes"),
        ({"records": 0}, "records must be a whole number from 1"),
        ({"threshold": 1.0}, "threshold must be from 0 to 1, 1 excluded"),
        ({"rejections": -1}, "rejections must be a whole number from 0"),
        ({"least": 0}, "least must be a whole number from 1"),
    ],
)
def test_bad_input(changed, problem):
    given = {"model": ones, "template": BITS, "records": 5} | changed
    with pytest.raises(MIAUsageError) as error:
        hill_climbing(given.pop("model"), given.pop("template"), given.pop("records"), **given)
    assert problem in str(error.value)
