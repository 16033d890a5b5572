import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from torches import torch, torch_case

import pytest_mia
from pytest_mia import MIAUsageError
from pytest_mia.models.queries.hop_skip_jump import QUESTIONS, HopSkipJump
from pytest_mia.models.queries.protocol import QueryTarget
from pytest_mia.models.queries.registry import find_problems
from pytest_mia.models.select import adapter_for

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4))
X = (X - X.mean(axis=0)) / X.std(axis=0)
WEIGHTS, OFFSET = np.array([1.0, -2.0, 0.5, 0.25]), 0.7


def distance(predict, labels, X=X, seed=0):
    adapter = adapter_for(object(), classes=np.arange(5), predict=lambda _model, X: predict(X))
    return HopSkipJump().measure(QueryTarget(adapter, None, labels), X, seed).boundary_distance


def linear(X):
    return (np.asarray(X) @ WEIGHTS + OFFSET > 0).astype(int)


def planes(X, rows, offsets):
    return (np.asarray(X) @ rows.T + offsets).argmax(axis=1)


class TestClosedForms:
    def test_a_linear_boundary(self):
        """|w.x + b| / ||w||; a found point is never nearer than the boundary."""
        found = distance(linear, linear(X))
        exact = np.abs(X @ WEIGHTS + OFFSET) / np.linalg.norm(WEIGHTS)
        assert (found >= exact * (1 - 1e-9)).all()
        assert np.median(found / exact) < 1.01
        assert np.quantile(found / exact, 0.95) < 1.05

    def test_several_classes(self):
        """Of the planes towards each other class, the nearest one counts."""
        rows, offsets = RNG.normal(size=(4, 4)), RNG.normal(size=4)
        labels = planes(X, rows, offsets)
        found = distance(lambda X: planes(X, rows, offsets), labels)
        scores = X @ rows.T + offsets
        own, apart = scores[np.arange(300), labels][:, None], np.linalg.norm(rows[labels][:, None] - rows, axis=2)
        with np.errstate(invalid="ignore"):
            exact = np.nanmin((own - scores) / apart, axis=1)
        assert (found >= exact * (1 - 1e-9)).all()
        # A walk may end at a farther plane, where the start lay behind that.
        assert np.median(found / exact) < 1.03
        assert np.mean(found / exact < 1.1) > 0.8

    def test_each_column_is_measured_by_its_spread(self):
        scale = np.array([1e3, 1e-3, 1.0, 7.0])
        scaled = distance(lambda X: linear(np.asarray(X) / scale), linear(X), X * scale)
        assert scaled == pytest.approx(distance(linear, linear(X)), rel=1e-6)

    def test_columns_that_do_not_vary_are_left_alone(self):
        asked = []

        def predict(X):
            asked.append(np.asarray(X)[:, 4].copy())
            return linear(np.asarray(X)[:, :4])

        wide = np.column_stack([X, np.full(300, 3.0)])
        found = distance(predict, linear(X), wide)
        assert all((values == 3.0).all() for values in asked)
        exact = np.abs(X @ WEIGHTS + OFFSET) / np.linalg.norm(WEIGHTS)
        assert np.median(found / exact) < 1.01


class TestAnswers:
    def test_wrong_answers_lie_at_zero(self):
        labels = linear(X)
        labels[:50] = 1 - labels[:50]
        found = distance(linear, labels)
        assert (found[:50] == 0).all()
        assert (found[50:] > 0).all()

    def test_a_model_of_one_answer_keeps_every_record_at_one_distance(self):
        found = distance(lambda X: np.ones(len(X), dtype=int), np.arange(300) % 2)
        assert found.tolist() == [0.0, 1.0] * 150

    def test_a_bounded_number_of_questions(self):
        asked = []
        distance(lambda X: asked.append(len(X)) or linear(X), linear(X))
        assert asked == [300] * QUESTIONS

    def test_the_same_points_for_every_model_of_a_seed(self):
        assert (distance(linear, linear(X), seed=1) == distance(linear, linear(X), seed=1)).all()
        assert (distance(linear, linear(X), seed=1) != distance(linear, linear(X), seed=2)).any()

    def test_records_stay_as_they_were(self):
        before = X.copy()

        def predict(X):
            labels = linear(X)
            X[:] = 0
            return labels

        distance(predict, linear(X))
        assert (before == X).all()

    @pytest.mark.parametrize(
        "typed",
        [
            X.astype(np.float32),
            X.reshape(300, 2, 2),
            torch_case(lambda: torch.from_numpy(X)),
            pd.DataFrame(X, columns=list("abcd")),
            X.tolist(),
        ],
        ids=["float32", "images", "tensor", "frame", "lists"],
    )
    def test_models_are_asked_in_the_user_s_own_type(self, typed):
        kinds = set()

        def predict(asked):
            kinds.add((type(asked), getattr(asked, "dtype", None), np.shape(asked)))
            return linear(np.asarray(asked).reshape(300, 4))

        found = distance(predict, linear(X), typed)
        assert kinds == {(type(typed), getattr(typed, "dtype", None), np.shape(typed))}
        assert found == pytest.approx(distance(linear, linear(X)), rel=0.05)

    def test_counts_get_room_for_fractions(self):
        counts = RNG.integers(0, 9, (300, 4))
        labels = (counts.sum(axis=1) > 16).astype(int)
        found = distance(lambda X: (np.asarray(X).sum(axis=1) > 16).astype(int), labels, counts)
        exact = np.abs(counts.sum(axis=1) - 16) / np.linalg.norm(counts.std(axis=0))
        right = exact > 0
        assert np.median(found[right] / exact[right]) < 1.02


class Nearest:
    """The nearest neighbour."""

    def fit(self, X, y):
        self.X, self.y, self.norms = X, y, (X**2).sum(axis=1)

    def predict(self, X):
        return self.y[(self.norms - 2 * X @ self.X.T).argmin(axis=1)]


class TestAudits:
    def refused(self, X, **others):
        adapter = adapter_for(object(), classes=np.arange(2), predict=lambda model, X: None)
        return find_problems(["hop_skip_jump"], adapter, None, X)

    @pytest.mark.parametrize(
        "strange",
        [
            sparse.csr_matrix(X),
            ["a text"] * 9,
            pd.DataFrame({"a": ["x", "y"]}),
            torch_case(lambda: torch.zeros(4, 2, dtype=torch.int64)),
        ],
    )
    def test_other_records_are_refused(self, strange):
        (problem,) = self.refused(strange)
        assert problem.startswith("hop_skip_jump needs dense numeric features that may be fractions, got a ")

    def test_nan_is_refused(self):
        holed = X.copy()
        holed[[3, 5], 0] = np.nan
        (problem,) = self.refused(holed)
        assert problem.endswith("X holds NaN or infinite ones in 2 of 300 records, first in record 3")

    @pytest.mark.parametrize(
        ("first", "refused"),
        [torch_case(lambda: torch.nn.EmbeddingBag(9, 2), True), torch_case(lambda: torch.nn.Linear(4, 2), False)],
    )
    def test_a_module_that_looks_its_records_up_is_refused(self, first, refused):
        tokens = RNG.integers(0, 9, (300, 4))
        adapter = adapter_for(first, classes=np.arange(2))
        found = find_problems(["hop_skip_jump"], adapter, first, tokens)
        name = type(first).__name__
        assert found == [f"hop_skip_jump asks about features with fractions, which {name} can't answer"] * refused

    def test_refused_before_any_training(self):
        def train(model, X, y):
            raise AssertionError

        with pytest.raises(MIAUsageError, match="hop_skip_jump needs dense numeric features"):
            pytest_mia.audit(
                dict,
                (sparse.csr_matrix(X), linear(X)),
                training=train,
                predict=lambda model, X: None,
                attacks=["hop_skip_jump"],
            )

    def test_memorised_records_lie_far_from_the_boundary(self):
        """The nearest neighbour's boundary keeps its distance from members; others lie anywhere."""
        rng = np.random.default_rng(0)
        names = ["gap", "hop_skip_jump", "calibrated_hop_skip_jump"]
        data = rng.normal(size=(120, 4)), rng.integers(0, 2, 120)
        result = pytest_mia.audit(Nearest, data, shadows=3, attacks=names, jobs=1)
        found = {attack.name: attack for attack in result.attacks}
        assert found["hop_skip_jump"].auc > found["gap"].auc + 0.05
        assert found["hop_skip_jump"].advantage.estimate > 0.4
        assert not any("noisy" in note or "asked about each record once" in note for note in result.notes)

    def test_only_on_request(self):
        result = pytest_mia.audit(lambda: LogisticRegression(), (X, linear(X)), shadows=3, jobs=1)
        assert not any("hop_skip_jump" in attack.name for attack in result.attacks)
