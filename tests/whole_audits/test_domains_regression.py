"""Whole audits of regressions."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeRegressor
from torches import needs_torch, torch
from whole import assert_leaks, assert_not_accused, audit, names

from pytest_mia import MIAUsageError, Target, TorchTraining

DIABETES = load_diabetes(return_X_y=True)


class TestRegression:
    @pytest.mark.parametrize("factory", [lambda: KNeighborsRegressor(1), DecisionTreeRegressor])
    def test_regressors_that_memorise_are_caught(self, factory):
        result = audit(factory, DIABETES)
        assert_leaks(result, 0.5)
        assert {"lira_online_residual", "nig_t_residual", "loss", "nig_t"} <= names(result)
        assert result.accuracy.train is result.accuracy.test is None

    @pytest.mark.parametrize("factory", [lambda: Ridge(100), DummyRegressor])
    def test_regressors_that_do_not_are_not_accused(self, factory):
        assert_not_accused(audit(factory, DIABETES))

    def test_predictions_that_do_not_depend_on_the_records(self):
        """Noise that every model draws anew: no attack tells members from others."""
        rng = np.random.default_rng(0)
        X = np.arange(400.0)[:, None]
        result = audit(
            dict,
            (X, rng.normal(size=400)),
            training=lambda model, X, y: model.update(
                noise=np.random.default_rng(len(X) + int(X.sum())).normal(size=400)
            ),
            predict=lambda model, X: model["noise"][X[:, 0].astype(int)],
        )
        assert_not_accused(result)
        assert np.mean([attack.auc for attack in result.attacks]) == pytest.approx(0.5, abs=0.04)

    def test_several_outputs(self):
        X, y = DIABETES
        both = np.column_stack([y, 1e6 * X[:, 0]])
        result = audit(lambda: KNeighborsRegressor(2), (X, both))
        assert_leaks(result)
        assert "lira_online_residual" not in names(result)

    @needs_torch
    @pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
    def test_a_module_with_one_output(self, shape):
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(80, 20)), rng.normal(size=80)

        def module():
            layers = [torch.nn.Linear(20, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1)]
            return torch.nn.Sequential(*layers, torch.nn.Flatten(0)) if shape == (-1,) else torch.nn.Sequential(*layers)

        training = TorchTraining(epochs=80, lr=0.01, batch_size=16, loss=torch.nn.functional.mse_loss)
        result = audit(module, (X, y.reshape(shape)), training=training, shadows=5)
        assert_leaks(result, 0.3)
        assert "nig_t_residual" in names(result)

    def test_an_own_predict(self):
        X, y = DIABETES
        result = audit(
            dict,
            (X, y),
            training=lambda model, X, y: model.update(tree=DecisionTreeRegressor(random_state=0).fit(X, y)),
            predict=lambda model, X: model["tree"].predict(X),
            shadows=3,
        )
        assert_leaks(result, 0.5)

    @pytest.mark.parametrize("shadows", [0, 3])
    def test_a_released_regressor(self, shadows):
        X, y = DIABETES
        target = Target(KNeighborsRegressor(1).fit(X[:221], y[:221]), (X[:221], y[:221]), (X[221:], y[221:]))
        assert_leaks(audit(lambda: KNeighborsRegressor(1), None, target=target, shadows=shadows), 0.5)

    def test_quantiles_of_what_a_record_may_reach(self, tmp_path):
        X, y = DIABETES
        result = audit(
            lambda: KNeighborsRegressor(1), (X, y), shadows=3, attacks=["quantile_regression"], cache_dir=tmp_path
        )
        assert names(result) == {"quantile_regression"}
        assert_leaks(result, 0.3)
        kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert len(kept) > 10_000
        assert not any(value.tobytes() in kept or repr(float(value)).encode() in kept for value in X[:20].ravel())

    def test_quantiles_of_records_that_are_no_numbers_are_refused(self):
        objects = [object() for _ in range(100)]
        with pytest.raises(MIAUsageError, match="none of the attacks quantile_regression fits"):
            audit(
                dict,
                (objects, np.arange(100) % 2),
                training=lambda model, X, y: model.update(known={id(x) for x in X}),
                predict=lambda model, X: np.array([[id(x) in model["known"], 0.5] for x in X], dtype=float),
                attacks=["quantile_regression"],
                shadows=3,
            )

    def test_a_regressor_of_few_whole_numbers_is_refused(self):
        X, y = DIABETES
        with pytest.raises(MIAUsageError, match=r"Ridge is no classifier; .* for a regression floats as y"):
            audit(Ridge, (X, (y > 100).astype(int)))

    @needs_torch
    def test_fractions_that_are_few_are_refused_where_the_model_says_nothing(self):
        X, y = DIABETES
        with pytest.raises(MIAUsageError, match=r"y holds fractions, .* for regression give mia_loss, or a model that"):
            audit(lambda: torch.nn.Linear(10, 1), (X, np.round(y / 100) / 2))

    def test_missing_numbers_are_refused(self):
        X, y = DIABETES
        with pytest.raises(MIAUsageError, match="mia_dataset: y holds NaN or infinity in 1 of 442 records, first in"):
            audit(Ridge, (X, np.where(np.arange(442) == 3, np.nan, y)))


def test_a_regression_under_pytest_without_a_loss(pytester):
    pytester.makeconftest("""
        import pytest
        from sklearn.datasets import load_diabetes
        from sklearn.linear_model import Ridge
        from sklearn.neighbors import KNeighborsRegressor

        @pytest.fixture
        def mia_dataset():
            return load_diabetes(return_X_y=True)

        @pytest.fixture(params=["ridge", "neighbours"])
        def mia_model_factory(request):
            return {"ridge": lambda: Ridge(100), "neighbours": lambda: KNeighborsRegressor(1)}[request.param]
    """)
    pytester.makepyfile("""
        def test_release(assert_membership_advantage_below):
            assert_membership_advantage_below(0.2)
    """)
    result = pytester.runpytest("--mia-shadows=7", "--mia-jobs=1", "--mia-attacks=loss,lira_online_residual")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*test_release?neighbours?*leak*"])
