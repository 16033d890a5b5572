import numpy as np
import pytest

from pytest_mia.models.digits import digits_of, digits_tell

RNG = np.random.default_rng(0)
FINE = RNG.uniform(0.01, 0.99, (200, 2))


@pytest.mark.parametrize(("dtype", "many"), [(np.float64, 10), (np.float32, 5)])
def test_decimals_of_rounded_numbers(dtype, many):
    """Fault 6. Of rounded numbers one in ten has a digit less, and both columns count."""
    found = digits_of(np.round(FINE, 3).astype(dtype))[:, 0]
    assert found.max() == 3
    assert (found == 3).mean() > 0.9
    assert (digits_of(FINE.astype(dtype))[:, 0] == many).mean() > 0.95


def test_significant_digits_and_bits():
    found = digits_of(np.array([[1.25e-7], [0.5], [1 / 3], [np.float16(1 / 3)], [np.float32(1 / 3)], [0.0], [1.0]]))
    assert found[:, 1].tolist() == [3, 1, 10, 10, 10, 0, 1]
    assert found[:, 2].tolist() == [3, 0, 3, 1, 2, 0, 0]
    assert found[:, 0].tolist() == [9 if round(1.25e-7, 9) == 1.25e-7 else 10, 1, 10, 10, 10, 0, 0]


def test_numbers_of_any_size_have_digits():
    found = digits_of(np.array([[1e308, -np.inf], [5e-324, 1.0], [-1e-200, 1e-137]]))
    assert np.isfinite(found).all()
    assert (found[:, 0] == 10).all()


def models(*digits):
    """Digits of two models' answers, each rounded to so many decimals; `None` for those that aren't."""
    return np.stack([digits_of(FINE if each is None else np.round(FINE, each)) for each in digits])


def test_members_of_half_precision_tell():
    """Fault 6: a replayed answer may have been kept in fewer bits."""
    answers = [FINE, FINE.astype(np.float16).astype(float)]
    assert digits_tell(np.stack([digits_of(each) for each in answers]))


@pytest.mark.parametrize("pair", [(3, None), (3, 6), (1, 3)])
def test_answers_of_unlike_digits_tell(pair):
    assert digits_tell(models(*pair))


@pytest.mark.parametrize("pair", [(None, None), (2, 2), (1, 1)])
def test_answers_of_like_digits_do_not(pair):
    assert not digits_tell(models(*pair))


def test_zeros_and_ones_alone_do_not():
    assert not digits_tell(np.stack([digits_of(np.round(FINE))] * 2))
    certain = np.where(RNG.random((200, 1)) < 0.5, np.round(FINE), FINE)
    assert not digits_tell(np.stack([digits_of(certain)] * 2))
