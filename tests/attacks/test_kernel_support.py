import numpy as np
import pytest
from worlds import trained

from pytest_mia.attacks import kernel_support
from pytest_mia.attacks.evaluation import split_targets
from pytest_mia.attacks.kernel_support import RIDGE, SHARPNESS, opinions, with_opinions

RNG = np.random.default_rng(0)
RECORDS = 24
FEATURES = RNG.normal(size=(RECORDS, 3))
LABELS = np.arange(RECORDS) % 3
MEMBERS = RNG.random((4, RECORDS)) < 0.5
SAID = opinions(FEATURES, LABELS, MEMBERS, 0)
ROUNDING = 1e-4


def trained_without(record, members):
    """Ridge regression with the Gaussian kernel on the members but the record: its answer for each class."""
    scaled = (FEATURES - FEATURES.mean(axis=0)) / FEATURES.std(axis=0)
    squares = ((scaled[:, None] - scaled) ** 2).sum(axis=2)
    kernel, others = np.exp(-squares / squares.mean()), np.setdiff1d(np.flatnonzero(members), [record])
    system = kernel[np.ix_(others, others)] + RIDGE * np.eye(len(others))
    return kernel[record, others] @ np.linalg.solve(system, np.eye(3)[LABELS[others]])


def test_each_record_is_left_out_as_if_the_model_were_fitted_again():
    for members, said in zip(MEMBERS, SAID, strict=True):
        for record, label in enumerate(LABELS):
            support = trained_without(record, members)
            rest = np.delete(support, label)
            soft = np.log(np.exp(SHARPNESS * rest).sum()) / SHARPNESS
            assert said[record] == pytest.approx([support[label], rest.max(), soft], abs=ROUNDING)


def test_what_is_said_of_a_record_does_not_depend_on_its_own_membership():
    for record in range(RECORDS):
        turned = MEMBERS ^ (np.arange(RECORDS) == record)
        others = opinions(FEATURES, LABELS, turned, 0)
        np.testing.assert_allclose(others[:, record], SAID[:, record], atol=ROUNDING)
        assert np.abs(others - SAID).max() > 100 * ROUNDING


def test_units_order_and_names_of_classes_do_not_matter():
    moved = FEATURES * [1e-3, 1.0, 1e3] + [5.0, -5.0, 0.0]
    np.testing.assert_allclose(opinions(moved, 7 - 2 * LABELS, MEMBERS, 0), SAID, atol=ROUNDING)
    order = RNG.permutation(RECORDS)
    mixed = opinions(FEATURES[order], LABELS[order], MEMBERS[:, order], 0)
    np.testing.assert_allclose(mixed, SAID[:, order], atol=ROUNDING)


def test_of_many_records_some_have_a_say(monkeypatch):
    monkeypatch.setattr(kernel_support, "MOST_VOTERS", 10)
    said = [opinions(FEATURES, LABELS, MEMBERS ^ (np.arange(RECORDS) == record), 0) for record in range(RECORDS)]
    plain = opinions(FEATURES, LABELS, MEMBERS, 0)
    assert sum((each != plain).any() for each in said) == 10
    assert plain.shape == SAID.shape


@pytest.mark.parametrize("members", [np.zeros(RECORDS, bool), np.ones(RECORDS, bool), np.arange(RECORDS) == 3])
@pytest.mark.parametrize("features", [FEATURES, np.zeros((RECORDS, 2)), 1e100 * FEATURES])
@pytest.mark.parametrize("labels", [LABELS, np.zeros(RECORDS, int), np.arange(RECORDS)])
def test_extremes(members, features, labels):
    assert np.isfinite(opinions(features, labels, members[None], 0)).all()


def test_lessons_share_what_was_found_once():
    given = with_opinions(trained(1.0, models=4, records=40))
    assert with_opinions(given) is given
    for group, labelled in split_targets(given):
        assert (labelled.opinions == np.delete(given.opinions, group, axis=0)).all()
