"""What goes wrong around an audit ends in a clear state, and never as a pass: interrupts, full disks, no memory..."""

import builtins
import contextlib
import errno
import functools
import os
import signal
import subprocess
import sys
import threading
import time
import types
import warnings

import joblib
import numpy as np
import pytest
import warm
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

import pytest_mia
from pytest_mia import MIAWarning, ModelTrainingError
from pytest_mia.cache import patches, store
from pytest_mia.cache.store import Store
from pytest_mia.training.backends import loky

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(120, 3)), RNG.integers(0, 2, 120)
HERE = os.getpid()


def audit(factory=GaussianNB, dataset=(X, Y), **options):
    return pytest_mia.audit(factory, dataset, **{"shadows": 3, "attacks": ["loss"], "jobs": 1} | options)


@pytest.fixture
def parallel(monkeypatch):
    """Training in worker processes, however quick it is."""
    monkeypatch.setattr(loky, "WORTH_A_PROCESS", 0.0)


SCRIPT = """
import os, pathlib, signal, sys, time
import numpy as np
from sklearn.naive_bayes import GaussianNB
import pytest_mia

HERE, folder = os.getpid(), pathlib.Path(sys.argv[1])

class Slow(GaussianNB):
    def fit(self, X, y):
        if os.getpid() != HERE:
            (folder / str(os.getpid())).touch()
            time.sleep(600)
        time.sleep(0.7)
        return super().fit(X, y)

if __name__ == "__main__":
    # As at a terminal: where a shell runs the tests in the background, they and all that they start ignore interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print(HERE, flush=True)
    rng = np.random.default_rng(0)
    try:
        result = pytest_mia.audit(Slow, (rng.normal(size=(80, 3)), rng.integers(0, 2, 80)), shadows=3, jobs=2)
        print("verdict", result.advantage)
    except KeyboardInterrupt:
        print("interrupted")
"""


def is_running(process):
    with contextlib.suppress(OSError), open(f"/proc/{process}/stat") as state:
        return state.read().split()[2] not in "ZX"
    return False


@contextlib.contextmanager
def at_work(folder):
    """An audit of another process, once its two workers train: they would for ten minutes."""
    with subprocess.Popen(
        [warm.executable(), "-c", SCRIPT, folder], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        audit = int(process.stdout.readline())
        try:
            while len(os.listdir(folder)) < 2:
                assert process.poll() is None
                time.sleep(0.05)
            yield audit, process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(audit, signal.SIGKILL)


@pytest.mark.skipif(not os.path.exists("/proc"), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("SIGINT", "interrupted\n"),
        pytest.param("SIGTERM", "", marks=pytest.mark.slow),
        pytest.param("SIGKILL", "", marks=pytest.mark.slow),
    ],
)
def test_an_audit_that_is_ended_takes_its_workers_along(tmp_path, name, said):
    """Only the audit's own process gets the signal; models that train for minutes aren't waited for."""
    with at_work(tmp_path) as (audit, process):
        os.kill(audit, getattr(signal, name))
        # The pipe is closed when the workers are gone too, which hold its other end.
        assert process.communicate(timeout=30)[0] == said
        waited = time.monotonic() + 10
        while any(map(is_running, os.listdir(tmp_path))):
            assert time.monotonic() < waited
            time.sleep(0.05)


@pytest.mark.usefixtures("parallel")
def test_a_worker_that_is_killed_is_an_error(tmp_path):
    """As when memory runs out and the system ends a process."""

    class Killed(GaussianNB):
        def fit(self, X, y):
            if os.getpid() != HERE:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().fit(X, y)

    with pytest.raises(ModelTrainingError, match=r"a worker process was ended .* memory ran out; .*--mia-jobs=1"):
        audit(Killed, jobs=2, cache_dir=tmp_path)
    assert audit(Killed, cache_dir=tmp_path).cache.hits == 1, "the one that this process had trained"


def test_no_memory_for_one_model_is_an_error_and_the_others_are_kept(tmp_path):
    class Greedy(GaussianNB):
        def fit(self, X, y):
            if len([*tmp_path.glob("*.entry")]) == 2:
                raise MemoryError("no 8 GiB left")
            return super().fit(X, y)

    told = r"^model 2 \(seed \d+\) could not be trained because memory ran out "
    told += r"\(.*--mia-jobs=1\): MemoryError: no 8 GiB"
    with pytest.raises(ModelTrainingError, match=told):
        audit(Greedy, cache_dir=tmp_path)
    assert len([*tmp_path.glob("*.entry")]) == 2


@pytest.fixture
def full(monkeypatch):
    """A disk that is full."""

    def fails(*_args, **_keywords):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store.tempfile, "mkstemp", fails)


@pytest.mark.usefixtures("full")
def test_a_full_disk_costs_the_cache_and_nothing_else(tmp_path):
    without = audit()
    result = audit(cache_dir=tmp_path)
    assert result.advantage == without.advantage
    assert any("could not be cached" in note and "No space left" in note for note in result.notes)
    assert not [*tmp_path.glob("*.entry"), *tmp_path.glob("*.part")]


LIMITED = """
import resource, sys
import numpy as np
from sklearn.naive_bayes import GaussianNB
import pytest_mia
from pytest_mia.training.backends import loky

loky.WORTH_A_PROCESS = 0.0
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
rng = np.random.default_rng(0)
X, y = rng.normal(size=(120, 2000)), rng.integers(0, 2, 120)
result = pytest_mia.audit(GaussianNB, (X, y), shadows=3, attacks=["loss"], jobs=2, cache_dir=sys.argv[1])
print(result.advantage.estimate, *result.notes)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of resources")
def test_records_that_find_no_room_on_the_disk_are_trained_on_here(tmp_path):
    """Workers get large arrays by a file; where it can't be written, this process trains, and says so."""
    script = [warm.executable(), "-W", "always", "-c", LIMITED, tmp_path / "cache"]
    environment = os.environ | {"JOBLIB_TEMP_FOLDER": str(tmp_path)}
    done = subprocess.run(script, capture_output=True, text=True, check=True, env=environment)
    rng = np.random.default_rng(0)
    records = rng.normal(size=(120, 2000)), rng.integers(0, 2, 120)
    assert float(done.stdout.split()[0]) == audit(dataset=records).advantage.estimate
    assert "MIAWarning: models are trained in this process, one at a time" in done.stderr
    assert "File too large" in done.stderr


class Unsendable(str):
    """A text that no other process can have."""

    def __reduce__(self):
        raise TypeError("it stays here")


class Unreadable(str):
    """A text that no other process can read."""

    def __reduce__(self):
        return _only_here, (str(self), os.getpid())


def _only_here(text, process):
    if os.getpid() != process:
        raise TypeError("it can't be read there")
    return Unreadable(text)


def texts():
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import LogisticRegression

    return make_pipeline(HashingVectorizer(n_features=8), LogisticRegression())


@pytest.mark.usefixtures("parallel")
@pytest.mark.parametrize("kind", [Unsendable, Unreadable])
def test_records_that_cannot_be_sent_are_trained_on_here(kind):
    plain = [f"text {value:.0f}" for value in 3 * X[:, 0]]
    with pytest.warns(MIAWarning, match="one at a time: the records can't be sent to other processes"):
        result = audit(texts, ([kind(text) for text in plain], Y), jobs=2)
    assert result.advantage == audit(texts, (plain, Y)).advantage
    with warnings.catch_warnings(action="error"):
        assert audit(texts, ([kind(text) for text in plain], Y), jobs=2).advantage == result.advantage


def test_a_cache_that_can_only_be_read_is_read(tmp_path, monkeypatch):
    # What this test puts into other modules is no patch of a user's.
    monkeypatch.setattr(patches, "find_patches", dict)
    whole = audit(cache_dir=tmp_path)

    def refused(*_args, **_keywords):
        raise PermissionError(errno.EROFS, "Read-only file system")

    for module, name in ((store.tempfile, "mkstemp"), (os, "utime"), (os, "unlink")):
        monkeypatch.setattr(module, name, refused)
    again, more = audit(cache_dir=tmp_path), audit(cache_dir=tmp_path, shadows=4)
    assert (again.cache.hits, again.cache.misses, again.advantage) == (4, 0, whole.advantage)
    assert (more.cache.hits, more.cache.misses) == (4, 1)
    assert any("Read-only file system" in note for note in more.notes)


class TestAClockThatWasSetBack:
    @pytest.fixture
    def kept(self, tmp_path, monkeypatch):
        """A store whose only entry is from tomorrow."""
        kept, now = Store(tmp_path), time.time()
        with monkeypatch.context() as patch:
            patch.setattr(store.time, "time", lambda: now + 86400)
            kept.save("a" * 64, store.Entry({}))
        os.utime(tmp_path / f"mia-{'a' * 64}.entry", (now + 86400, now + 86400))
        return kept

    def test_entries_from_the_future_are_found(self, kept):
        assert kept.load("a" * 64) is not None

    def test_they_are_no_work_of_this_run(self, kept):
        """Who asks for all to be trained anew gets that."""
        assert Store(kept.folder, since=time.time()).load("a" * 64) is None

    def test_they_grow_old_like_others(self, kept):
        kept.prune()
        (path,) = kept.folder.iterdir()
        assert path.stat().st_mtime <= time.time()

    def test_an_audit_ends_all_the_same(self, tmp_path, monkeypatch):
        clock, moment = time.time, iter(range(10**6))
        monkeypatch.setattr(store, "time", types.SimpleNamespace(time=lambda: clock() - 3600 * next(moment)))
        first, again = audit(cache_dir=tmp_path), audit(cache_dir=tmp_path)
        assert again.advantage == first.advantage
        assert again.cache.hits == 4


@pytest.mark.usefixtures("parallel")
def test_workers_are_no_forks_of_this_process(monkeypatch):
    """A fork of a process that has used CUDA can't use it, and may hang on locks of its threads.

    Workers begin anew instead, with nothing of what this process holds in memory: here a mark that stands for a CUDA
    that was started, and a thread that holds a lock.
    """
    torch = pytest.importorskip("torch")
    # Functions of the user's that are put there would keep the models in this process.
    monkeypatch.setattr(torch.cuda, "is_initialized", functools.partial(bool, 1))
    monkeypatch.setattr(builtins, "mark_of_this_process", True, raising=False)

    class Told(GaussianNB):
        def predict_proba(self, X):
            import torch

            started = torch.cuda.is_initialized() or hasattr(builtins, "mark_of_this_process")
            return np.tile([0.2, 0.8] if started else [0.6, 0.4], (len(X), 1))

    held = threading.Lock()
    with held:
        trained = pytest_mia.training.train.train_all(
            [pytest_mia.training.train.Job(number, number, Told, RNG.random(120) < 0.5) for number in range(3)],
            pytest_mia.training.train.Data(X, Y, np.arange(2), Y),
            pytest_mia.training.train.Method(None, None, None, "cpu", 1),
            backend=loky.Loky(2),
        )
    assert [round(float(one.signals.shown[0, 0]), 1) for one in trained] == [0.8, 0.6, 0.6]
    assert joblib.parallel.get_active_backend()[0].__class__.__name__ == "LokyBackend"


def test_models_on_a_gpu_are_trained_in_this_process(monkeypatch):
    """Without another GPU; and no worker ever meets a CUDA that this process has started, since it is no fork."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(loky, "devices_named", lambda name: [torch.device("cuda:0")])
    first = pytest_mia.training.train.Trained(0, None, 1, "cuda:0", "", seconds=100.0)
    method = pytest_mia.training.train.Method(None, None, None, "auto", 1)
    assert not loky.Loky(8).suits([[(None, None)]] * 100, method, first)
