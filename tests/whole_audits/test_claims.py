"""True claims of privacy stand, broken mechanisms fall: a part of benchmarks/epsilon.py, which shows it at length."""

import numpy as np
import pytest
from scipy import stats

from pytest_mia import gates


@pytest.fixture(scope="module")
def benchmark(load_benchmark):
    return load_benchmark("epsilon")


def refuted(results, claimed, delta, mechanism="any"):
    """How many of these claims fall."""
    return sum(gates.epsilon(each, claimed, delta=delta, mechanism=mechanism).verdict == "leak" for each in results)


def results(benchmark, name, runs):
    (row,) = (row for row in benchmark.mechanisms() if row[0] == name)
    return [benchmark.audit(row[3], seed) for seed in range(runs)], *row[1:3]


@pytest.mark.parametrize(("name", "runs"), [("randomised response", 60), ("noisy mean", 20)])
def test_true_claims_stand(benchmark, name, runs):
    found, claimed, delta = results(benchmark, name, runs)
    assert refuted(found, claimed, delta) <= stats.binom.ppf(0.999, runs, 0.05)
    assert np.mean([gates.epsilon(each, claimed, delta=delta).judged.low for each in found]) > claimed / 5
    if delta:
        assert refuted(found, claimed, delta, "gaussian") <= stats.binom.ppf(0.999, runs, 0.05)


@pytest.mark.parametrize(
    ("name", "mechanism"),
    [
        ("randomised response of epsilon 1.5", "any"),
        ("noisy mean, a quarter of the noise", "gaussian"),
        ("noisy mean, one in ten not clipped from 5 to 1", "gaussian"),
    ],
)
def test_false_claims_fall(benchmark, name, mechanism):
    found, claimed, delta = results(benchmark, name, 6)
    assert refuted(found, claimed, delta, mechanism) >= 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "falls"),
    [("DP-SGD", False), ("DP-SGD, noise divided by the batch", True), ("DP-SGD, not clipped", True)],
)
def test_training_by_opacus(benchmark, name, falls):
    pytest.importorskip("opacus")
    training = dict(benchmark.TRAININGS_TRIED)[name]
    result = benchmark.train_and_audit(training, seed=0)
    assert (gates.epsilon(result, training.epsilon, mechanism="gaussian").verdict == "leak") == falls
