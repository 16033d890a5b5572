"""The page of a run, read as a browser reads it."""

import dataclasses
import re
from html import escape
from html.parser import HTMLParser

import matplotlib
import pytest
from audits import LEAK, NONE, audited, counted

from pytest_mia import gates
from pytest_mia.reports import html, plots
from pytest_mia.results.run_outcome import Place, RunOutcome
from pytest_mia.results.values import Accuracy, Curve, Histogram

EVIL = "<script>alert('x')</script>&\"$x$"
VOID = {"meta", "br", "link", "img"}


class Page(HTMLParser):
    """Elements, IDs and the text of a page; every end tag must fit its start tag."""

    def __init__(self, text):
        super().__init__()
        self.opened, self.elements, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert self.opened == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), tuple(self.opened)))
        if tag not in VOID:
            self.opened.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), tuple(self.opened)))

    def handle_endtag(self, tag):
        assert self.opened.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes, _ in self.elements if name == tag]

    @property
    def words(self):
        return " ".join(" ".join(self.texts).split())


def drawn(result=None, **changes):
    """A result with all that a page can show."""
    given = {
        "slices": {("sex", "f"): counted(0.6, 0.4), ("sex", "m"): counted(0.5, 0.5)},
        "curves": (
            Curve("loss", (0.001, 0.01, 1.0), (0.0, 0.2, 1.0), (0.0, 0.1, 0.9), (0.1, 0.3, 1.0)),
            Curve("gap", (0.001, 1.0), (0.001, 1.0), (0.0, 0.9), (0.1, 1.0)),
        ),
        "histogram": Histogram("loss", -1.0, 1.0, (1, 2, 3, 4), (4, 3, 2, 1)),
        "test": "test_privacy.py::test_release",
        "replay": "pytest test_privacy.py::test_release --mia-shadows=3",
        "notes": ("a note",),
    }
    made = audited(LEAK, NONE, **given | changes)
    return dataclasses.replace(made, classes=(dataclasses.replace(made.slices[0], by="class", value="benign"),))


def page(*results, lost=()):
    text = html.page([result.to_dict() for result in results], lost=lost)
    return Page(text), text


LEAKING = gates.membership_advantage(drawn(), 0.1, by="sex")


@pytest.fixture
def undrawn(monkeypatch):
    """Drawing takes its time: where it isn't looked at, a drawing is its label alone."""
    monkeypatch.setattr(plots, "draw", lambda paint, *, label, **_: f"<svg>{escape(label)}</svg>")


@pytest.fixture(scope="module")
def leaking():
    return page(LEAKING)


def test_it_says_how_bad_for_whom_and_what_to_do(leaking):
    words = leaking[0].words

    assert "✗ leak test_privacy.py::test_release" in words
    assert LEAKING.message.splitlines()[0] in words
    for said in (*LEAKING.reasons, *LEAKING.next_steps, "sex = f", "a note", "records 17, 4, 8", "12.3", "0.95"):
        assert said in words
    assert "pytest test_privacy.py::test_release --mia-shadows=3" in leaking[1]
    assert {"numpy", "scikit-learn", "python", "seed"} <= set(words.split())


def test_a_figure_has_a_caption_and_says_what_it_shows(leaking):
    found = leaking[0]

    assert len(found.all("figure")) == len(found.all("figcaption")) == len(found.all("svg")) == 6
    labels = [each["aria-label"] for each in found.all("svg")]
    assert all(each["role"] == "img" for each in found.all("svg"))
    assert any("loss finds 20.0% of members" in label for label in labels)
    assert any("accuracy 0.800, advantage 0.200" in label for label in labels)
    assert any("0.200" in label and "limit 0.1: leak" in label for label in labels)


def test_tables_have_headers_with_a_scope(leaking):
    found = leaking[0]

    assert all(each["scope"] in ("col", "colgroup", "row") for each in found.all("th"))
    assert len(found.all("table")) == len(found.all("caption")) == 5
    assert found.all("html") == [{"lang": "en"}]


def test_ids_are_unique_and_every_reference_leads_somewhere(leaking):
    found, text = leaking
    ids = [attributes["id"] for _, attributes, _ in found.elements if "id" in attributes]

    assert len(ids) == len(set(ids))
    assert {*re.findall(r'href="#([^"]+)"', text), *re.findall(r"url\(#([^)]+)\)", text)} <= set(ids)


def test_it_needs_no_script_and_no_network(leaking):
    found, text = leaking

    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _, _ in found.elements}
    assert not re.search(r"@import|url\((?!#)", text)
    assert {attributes["href"][0] for _, attributes, _ in found.elements if "href" in attributes} == {"#"}


def test_drawings_take_the_colours_of_the_page(leaking):
    for _, attributes, inside in leaking[0].elements:
        if "svg" in inside:
            assert not re.search(r"(?<!, )#[0-9a-f]{6}", attributes.get("style", ""))
    assert "prefers-color-scheme: dark" in leaking[1]
    assert "@media print" in leaking[1]


def luminance(colour):
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_text_has_enough_contrast_in_light_and_dark(leaking):
    """At least 4.5 to 1 on both grounds, as WCAG 2.2 asks of text (success criterion 1.4.3)."""
    blocks = re.findall(r":root \{(.*?)\}", leaking[1], re.DOTALL)
    light, dark = (dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in blocks)

    assert set(light) == set(dark)
    for colours in (light, dark):
        for name in set(colours) - {"paper", "panel", "rule"}:
            for ground in ("paper", "panel"):
                levels = sorted(luminance(colours[each]) + 0.05 for each in (name, ground))
                assert levels[1] / levels[0] >= 4.5, (name, ground)


def test_the_same_audits_give_the_same_page_whatever_the_settings_of_matplotlib(leaking):
    with matplotlib.rc_context({"font.size": 40, "text.usetex": True}):
        before = dict(matplotlib.rcParams)
        assert page(LEAKING)[1] == leaking[1]
        assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("evil", [EVIL, "a\x00b\x1b\n\ud800 漢字 $\\frac$", ""])
def test_texts_of_users_are_shown_as_they_are(evil):
    slices = {(evil, evil): counted(0.6, 0.4)}
    names = {"test": evil, "notes": (evil,), "replay": evil, "findings": (evil,), "device": evil, "attacker": evil}
    result = gates.membership_advantage(drawn(slices=slices, **names), 0.1)
    found, text = page(dataclasses.replace(result, attackers=(result,)), lost=[evil])

    assert not found.all("script")
    if evil == EVIL:
        assert found.words.count(evil) >= 7
        assert "$x$" in text
        text_in_drawings = [attributes["aria-label"] for attributes in found.all("svg")]
        assert any("<script>" in label for label in text_in_drawings)


def test_a_page_of_odd_text_can_be_written(tmp_path, undrawn):
    result = drawn(test="test[\ud800]").to_dict()
    html.write(tmp_path / "mia.html", RunOutcome([(result, Place("test_a.py", 1, True))]))

    assert "test[?]" in (tmp_path / "mia.html").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["mia.html"]


@pytest.mark.parametrize(
    ("result", "word"),
    [
        (gates.membership_advantage(drawn(), 0.5), "✓ pass"),
        (gates.membership_advantage(drawn(), 0.2), "? inconclusive"),
        (gates.membership_advantage(drawn(findings=("all alike",)), 0.1), "! invalid"),
        (gates.epsilon(drawn(), 8.0), "✓ pass"),
        (gates.tpr(drawn(), 0.1), "? inconclusive"),
        (drawn(), "- not judged"),
        (audited(), "- not judged"),
    ],
)
def test_a_verdict_is_a_word_with_a_symbol(result, word, undrawn):
    found, _ = page(result)

    assert found.words.count(word) >= 3


def test_models_without_classes_have_no_accuracy_to_show(undrawn):
    assert "Accuracy against" in page(drawn())[0].words
    assert "Accuracy against" not in page(drawn(accuracy=Accuracy(None, None)))[0].words


def test_several_attackers(undrawn):
    judged = [gates.membership_advantage(drawn(attacker=name), 0.1) for name in ("insider", "outsider")]
    found, _ = page(dataclasses.replace(judged[0], attackers=tuple(judged)))

    assert {"insider", "outsider"} <= set(found.words.split())
    assert "against insider" in found.words


def test_many_classes_are_cut_in_the_drawing_and_whole_in_the_table(undrawn):
    slices = {("code", str(place)): counted(0.5 + place / 1000, 0.5) for place in range(30)}
    found, _ = page(drawn(slices=slices))

    assert "the 20 highest of 30" in found.words
    assert all(f"code = {place}" in found.words for place in range(30))


def test_lost_verdicts_stand_at_the_top(undrawn):
    found, _ = page(LEAKING, lost=["the verdict of test_other"])

    assert found.words.index("the verdict of test_other") < found.words.index("All audits")


def test_a_run_without_audits():
    assert "No audit ran." in page()[0].words
