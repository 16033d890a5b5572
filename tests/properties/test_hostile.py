"""Whatever comes in, documented errors come out: no raw one of numpy, zip or json, and no pass from NaN."""

import dataclasses
import json
import warnings

import numpy as np
import pytest
from audits import LEAK, audited
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.naive_bayes import GaussianNB

import pytest_mia
from pytest_mia import Dataset, Losses, MIAError, MIAUsageError, Residuals, TokenLogProbabilities, strategies
from pytest_mia.auditing.from_outputs.read import FIELDS
from pytest_mia.cache import user_modules
from pytest_mia.cache.store import Entry, Store
from pytest_mia.core.settings import Settings, parse
from pytest_mia.verdicts import baseline, baseline_file

NUMBERS = (0.0, -0.0, 1.0, 0.5, 5e-324, 1e-310, 1 - 1e-16, 1e-16, 1e308, -1e308, np.inf, -np.inf, np.nan, 2.0, -1e-7)
KINDS = (np.float64, np.float32, np.float16, np.int8, np.uint64, np.bool_, np.complex128, np.str_, np.bytes_, object)
BOARDS = ("gap", "loss", "entropy", "modified_entropy_per_class", "attack_p", "lira_online", "rmia_offline", "nig_t")
OTHER_KINDS = {"residuals": Residuals, "losses": Losses, "token_log_probabilities": TokenLogProbabilities}
few = settings(max_examples=25, deadline=None)
some = settings(max_examples=60, deadline=None)
many = settings(max_examples=150, deadline=None)
special = st.sampled_from(NUMBERS)
texts = st.text(max_size=6)
anything = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=4)),
    st.lists(texts, max_size=3),
    st.lists(st.integers(), max_size=2).map(tuple),
    st.dictionaries(texts, st.integers(), max_size=2),
    st.sampled_from(
        [10**400, -(10**5000), np.int64(4), np.float32(0.9), np.arange(2), np.array("x"), object(), 1j, int]
    ),
    st.sampled_from([("gap",), ("gap", 3), "loss,gap", ["loss"], "tcp://a:1", "cuda:1", "default", float("inf")]),
)


def refused(call, *args, **keywords):
    """What a call is refused with, in words; nothing where it isn't. All other errors are errors of the test."""
    try:
        call(*args, **keywords)
    except MIAError as error:
        return str(error)
    return None


@st.composite
def spoilt(draw, values):
    """An array with some of its numbers, its type or its shape changed."""
    values = np.array(values)
    for place in draw(st.lists(st.integers(0, values.size - 1), max_size=3)):
        values = values.astype(np.float64)
        values.flat[place] = draw(special)
    kind = draw(st.sampled_from((None, None, None, *KINDS)))
    with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
        values = values if kind is None else values.astype(kind)
    cut = draw(st.sampled_from((None, None, None, None, -1, 0)))
    return values if cut is None else values[:cut]


@st.composite
def hostile_outputs(draw):
    sizes = {"models": st.integers(4, 5), "records": st.integers(8, 24), "classes": st.integers(2, 4)}
    given_outputs = draw(strategies.outputs_with_leak(st.floats(0, 1), **sizes))
    outputs = given_outputs.outputs
    how = draw(st.sampled_from(("as they are", "logits", "special", "huge", "labels", "spoilt", "spoilt")))
    if how == "logits":
        outputs = np.log(outputs)
    elif how == "special":
        outputs = np.random.default_rng(draw(st.integers(0, 9))).choice(NUMBERS, outputs.shape)
    elif how == "huge":
        outputs = np.log(outputs) * 10.0 ** draw(st.integers(-320, 307))
    elif how == "labels":
        outputs = outputs.argmax(axis=2)
    if how != "spoilt":
        return outputs, given_outputs.members, given_outputs.labels
    part = draw(st.integers(0, 2))
    parts = [outputs, given_outputs.members, given_outputs.labels]
    parts[part] = draw(spoilt(parts[part]))
    return tuple(parts)


@given(hostile_outputs(), st.floats(0.01, 1))
@some
def test_outputs(given_outputs, limit):
    try:
        result = pytest_mia.audit_outputs(*given_outputs, attacks=BOARDS)
        result.assert_membership_advantage_below(limit)
    except MIAError:
        return
    outputs = given_outputs[0].astype(np.float64, casting="unsafe") if given_outputs[0].dtype.kind in "fiub" else 0.0
    assert not np.isnan(outputs).any()
    assert -1 <= result.advantage.low <= result.advantage.estimate <= result.advantage.high <= limit


@st.composite
def hostile_outputs_of_other_kinds(draw):
    members = draw(strategies.memberships(records=st.integers(8, 24))).astype(np.float64)
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    values, labels = rng.normal(size=(*members.shape, 3)), rng.integers(0, 2, (members.shape[1], 3))
    kind, spoil = draw(st.sampled_from(("numbers", "labels", *OTHER_KINDS))), draw(st.integers(0, 2))
    values = values if kind in ("labels", "token_log_probabilities") else values[:, :, 0]
    labels = labels if kind == "labels" else rng.normal(size=members.shape[1])
    values, labels, members = (
        draw(spoilt(each)) if place == spoil else each for place, each in enumerate((-np.abs(values), labels, members))
    )
    answers = OTHER_KINDS[kind](values) if kind in OTHER_KINDS else values
    return values, pytest_mia.ModelOutputs(answers, members, draw(st.sampled_from((labels, None))))


@given(hostile_outputs_of_other_kinds(), st.floats(0.01, 1))
@some
def test_outputs_of_other_kinds(given_outputs, limit):
    values, outputs = given_outputs
    try:
        result = pytest_mia.audit_outputs(outputs.outputs, outputs.members, outputs.labels, attacks=BOARDS)
        result.assert_membership_advantage_below(limit)
    except MIAError:
        return
    texts = isinstance(outputs.outputs, TokenLogProbabilities)
    assert texts or not np.isnan(values.astype(np.float64)).any()
    assert -1 <= result.advantage.low <= result.advantage.estimate <= result.advantage.high <= limit


@given(strategies.datasets(records=st.integers(6, 24), classes=2), st.data())
@few
def test_records(dataset, data):
    part = data.draw(st.sampled_from(("X", "y", "groups", "slices", "none")))
    if part in ("X", "y"):
        dataset = dataclasses.replace(dataset, **{part: data.draw(spoilt(getattr(dataset, part)))})
    elif part != "none":
        dataset = dataclasses.replace(dataset, **{part: data.draw(anything)})
    try:
        result = pytest_mia.audit(GaussianNB, dataset, shadows=3, attacks=("gap", "loss"), jobs=1)
    except MIAError:
        return
    assert np.isfinite(np.asarray(dataset.X, dtype=np.float64)).all()
    assert -1 <= result.advantage.low <= result.advantage.high <= 1


@given(anything, anything, anything)
@few
def test_anything_in_place_of_records(X, y, groups):
    for dataset in ((X, y), X, Dataset(X, y, groups)):
        with pytest.raises(MIAError):
            pytest_mia.audit(GaussianNB, dataset, shadows=3, attacks=("gap",), jobs=1)


@given(st.dictionaries(st.sampled_from([row.name for row in dataclasses.fields(Settings)]), anything, max_size=4))
@many
def test_options(options):
    told = refused(Settings, **options)
    if told is None:
        assert 0.5 < Settings(**options).confidence < 1
    else:
        assert len(told) < 10_000


@given(
    st.sampled_from([row.name for row in dataclasses.fields(Settings)]), texts | st.sampled_from(["9" * 5000, "nan"])
)
@many
def test_texts_of_options(name, text):
    told = refused(lambda: Settings(**{name: parse(name, text)}))
    assert len(told or "") < 1000


RESULT = audited(LEAK)


@given(anything, anything)
@many
def test_arguments_of_gates(limit, other):
    """The advantage is 0.2, and no claim of privacy is refuted with an infinite one."""
    for words in ({"confidence": other}, {"by": other}, {}):
        assert refused(RESULT.assert_membership_advantage_below, limit, **words) or limit > 0.2
    for words in ({"delta": other}, {"confidence": other}, {}):
        assert refused(RESULT.assert_epsilon_below, limit, **words) or 0 < limit < np.inf
    assert len(refused(RESULT.assert_tpr_below, limit, at_fpr=other) or "") < 10_000


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
SAVED = json.loads(baseline_file.format_text({"test_a": baseline.summarise(RESULT, Settings(shadows=3)).to_dict()}))
PLACES = [("format",), ("audits",), ("audits", "test_a")]
PLACES += [("audits", "test_a", name) for name in SAVED["audits"]["test_a"]]
PLACES += [("audits", "test_a", "counts", name) for name in SAVED["audits"]["test_a"]["counts"]]
PLACES += [("audits", "test_a", "advantage", name) for name in SAVED["audits"]["test_a"]["advantage"]]


def changed(words, place, value):
    if not place:
        return value
    return {name: changed(inner, place[1:], value) if name == place[0] else inner for name, inner in words.items()}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    made = tmp_path_factory.mktemp("root")
    (made / baseline_file.FOLDER).mkdir()
    return made


@given(place=st.sampled_from(PLACES), value=plain)
@many
def test_baselines(root, place, value):
    baseline_file.path_of(root, "main").write_text(json.dumps(changed(SAVED, place, value)))
    told = refused(baseline_file.load, root, "main")
    if told is not None:
        assert told.startswith(".mia/main.json can't be read as a baseline")
        return
    found = baseline_file.load(root, "main")
    for test in found.audits:
        moved = found.change(test, RESULT, Settings(shadows=3)).difference
        assert moved is None or -2 <= moved.low <= moved.high <= 2


@given(content=st.binary(max_size=60) | plain.map(lambda value: json.dumps(value).encode()))
@some
def test_files_in_place_of_baselines(root, content):
    baseline_file.path_of(root, "main").write_bytes(content)
    with pytest.raises(MIAUsageError, match=r"can.t be read as a baseline"):
        baseline_file.load(root, "main")


@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=3))
@some
def test_files_of_outputs(root, flips):
    path = root / "shadows.npz"
    if not (root / "whole.npz").exists():
        rng = np.random.default_rng(0)
        arrays = rng.dirichlet([1, 1], (4, 12)), rng.random((4, 12)) < 0.5, np.arange(12) % 2
        np.savez(root / "whole.npz", **dict(zip(FIELDS, arrays, strict=True)))
    content = bytearray((root / "whole.npz").read_bytes())
    for place, by in flips:
        content[int(place * len(content))] ^= by
    path.write_bytes(content)
    told = refused(pytest_mia.auditing.from_outputs.read.read_outputs, path)
    assert told is None or told.startswith("mia_outputs")


RECORDS = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """A cache, the words and arrays of its five entries, and what its audit found."""
    folder = tmp_path_factory.mktemp("cached")
    with pytest.MonkeyPatch.context() as patch:
        # To look through all loaded modules, again and again, would take most of the time.
        patch.setattr(user_modules, "find_other_modules", list)
        result = pytest_mia.audit(GaussianNB, RECORDS, shadows=3, attacks=("loss",), jobs=1, cache_dir=folder)
        keys = [path.stem.removeprefix("mia-") for path in sorted(folder.glob("*.entry"))]
        yield folder, {key: Store(folder).load(key) for key in keys}, result.advantage


def audit_again(cached):
    folder, entries, advantage = cached
    with warnings.catch_warnings(action="ignore"):
        again = pytest_mia.audit(GaussianNB, RECORDS, shadows=3, attacks=("loss",), jobs=1, cache_dir=folder)
    for key, entry in entries.items():
        Store(folder).save(key, Entry({**entry.words}, entry.arrays))
    return again, advantage


@given(
    flips=st.lists(
        st.tuples(st.integers(0, 4), st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=3
    )
)
@few
def test_damaged_entries_of_the_cache(cached, flips):
    folder, entries, _ = cached
    for number, place, by in flips:
        path = folder / f"mia-{[*entries][number]}.entry"
        content = bytearray(path.read_bytes())
        content[int(place * len(content))] ^= by
        path.write_bytes(content)
    again, advantage = audit_again(cached)
    assert again.advantage == advantage


@given(number=st.integers(0, 4), data=st.data())
@few
def test_foreign_entries_of_the_cache(cached, number, data):
    """Entries whose digest is right and whose words or arrays are others: no raw error all the same."""
    folder, entries, _ = cached
    key = [*entries][number]
    words, arrays = dict(entries[key].words), dict(entries[key].arrays)
    name = data.draw(st.sampled_from(sorted({*words, *arrays} - {"key", "written"})))
    drop = data.draw(st.booleans())
    if name in arrays:
        arrays[name] = data.draw(spoilt(arrays[name]).filter(lambda array: array.dtype.kind != "O"))
    elif drop:
        del words[name]
    else:
        words[name] = data.draw(plain)
    Store(folder).save(key, Entry(words, arrays))
    try:
        again, _ = audit_again(cached)
    except MIAError:
        return
    assert np.isfinite(again.advantage.estimate)
