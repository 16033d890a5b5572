import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pytest_mia.data.memberships import draw_halves

strata = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(
    lambda given: np.unique(np.array(given), return_inverse=True)[1]
)
seeds = st.integers(0, 2**32 - 1)


@given(strata, st.integers(1, 5), seeds)
def test_each_half_holds_half_of_every_stratum_within_one(strata, models, seed):
    halves = draw_halves(strata, models=models, seed=seed)
    sizes = np.bincount(strata)
    for half in halves:
        drawn = np.bincount(strata, weights=half, minlength=len(sizes))
        assert (np.abs(2 * drawn - sizes) <= 1).all()


@given(strata, seeds, st.data())
def test_groups_go_together(strata, seed, data):
    given = data.draw(arrays.arrays(int, len(strata), elements=st.integers(0, 9)))
    groups = np.unique(given, return_inverse=True)[1]
    for half in draw_halves(strata, models=3, seed=seed, groups=groups):
        assert all(len(set(half[groups == group])) == 1 for group in range(groups.max() + 1))


@given(strata, st.integers(1, 4), st.integers(1, 4), seeds)
def test_a_model_s_half_does_not_depend_on_how_many_models_there_are(strata, few, more, seed):
    assert (draw_halves(strata, models=few + more, seed=seed)[:few] == draw_halves(strata, models=few, seed=seed)).all()


@given(strata, seeds)
def test_groups_of_one_are_no_groups(strata, seed):
    alone = np.arange(len(strata))
    assert (draw_halves(strata, models=3, seed=seed, groups=alone) == draw_halves(strata, models=3, seed=seed)).all()
