"""The user's things are as they were after an audit."""

import os
import random
import signal
import sys
import threading
import warnings

import numpy as np
import pandas as pd
import threadpoolctl
from scipy import sparse
from torches import generator_state
from whole import INSIDE, Tree, X, Y, figures, recipe, release


def test_arrays():
    X_before, y_before = X.copy(), Y.copy()
    recipe(predict=lambda model, X: model.predict_proba(np.add(X, 0, out=X)))
    release(attacks=None)
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(Y, y_before)


def test_generators():
    states = [random.getstate(), np.random.get_state()[1].tolist(), generator_state()]  # noqa: NPY002
    recipe(lambda: Tree(max_features=1), attacks=None)
    release()
    assert [random.getstate(), np.random.get_state()[1].tolist(), generator_state()] == states  # noqa: NPY002


def test_the_process():
    """Environment, folder, paths, filters of warnings, numpy's errors and handlers of signals."""

    def state():
        handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
        return dict(os.environ), os.getcwd(), [*sys.path], [*warnings.filters], np.geterr(), handlers

    before = state()
    recipe(attacks=None)
    release()
    assert state() == before


def test_frames_and_sparse_matrices():
    frame, matrix = pd.DataFrame(X, index=np.arange(len(X))[::-1]), sparse.csr_matrix(X)
    copies = frame.copy(), matrix.copy()
    recipe(dataset=(frame, pd.Series(Y)))
    recipe(dataset=(matrix, Y))
    pd.testing.assert_frame_equal(frame, copies[0])
    assert (matrix != copies[1]).nnz == 0


def test_arrays_that_cannot_be_written():
    fixed = X.copy(), Y.copy()
    for array in fixed:
        array.flags.writeable = False
    assert figures(recipe(dataset=fixed)) == figures(recipe())


def test_threads():
    before = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
    recipe(attacks=None)
    release()
    after = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
    assert after[: len(before)] == before
    assert threading.active_count() >= 1


def test_a_released_model():
    model = Tree(random_state=0).fit(X[INSIDE], Y[INSIDE])
    nodes = model.tree_.__getstate__()["values"].copy()
    release(model)
    np.testing.assert_array_equal(model.tree_.__getstate__()["values"], nodes)
