"""What users name goes through every report as it is: it breaks no line, no table, no page and no terminal."""

import dataclasses
import json
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from audits import LEAK, NONE, audited, counted

from pytest_mia import gates
from pytest_mia.reports import github, html, junit, plots, table
from pytest_mia.reports import json as json_report
from pytest_mia.results.run_outcome import Place, RunOutcome
from pytest_mia.results.values import Change
from pytest_mia.verdicts import message

PLACE = Place("test_a.py", 1, True)
HOSTILE = {
    "html": "<script>alert('x')</script>&\"<!--",
    "ansi": "\x1b[31mred\x1b[0m\x07\x00",
    "lines": "one\ntwo\r\nthree\u2028four\x0b",
    "long": "x" * 10_000,
    "github": "::error::50%|`c`*[d](e)",
    "surrogate": "a\ud800b",
    "empty": "",
}


def judged(evil):
    """A leak in which everything that users name is named `evil`, what they name a test apart: pytest escapes it."""
    slices = {
        (evil, f"{evil}{place}"): counts for place, counts in enumerate((LEAK, NONE, counted(0.5, 0.5, records=9)))
    }
    result = audited(LEAK, slices=slices, notes=(evil or "a note",), attacker=evil, device=evil)
    result = dataclasses.replace(
        result,
        classes=tuple(dataclasses.replace(part, by="class") for part in result.slices),
        change=Change("main", None, None, evil),
        test="test_a.py::test_b",
    )
    found = gates.membership_advantage(result, 0.1, by=evil)
    return dataclasses.replace(
        found, attackers=(found,), message=message.write(dataclasses.replace(found, attackers=(found,)))
    )


@pytest.fixture(params=HOSTILE, scope="module")
def hostile(request):
    evil = HOSTILE[request.param]
    return evil, judged(evil).to_dict()


def test_the_message(hostile):
    lines = hostile[1]["message"].split("\n")
    assert all(line.isprintable() for line in lines)
    assert all(line.startswith("  ") for line in lines[1:])


def test_the_table(hostile):
    cells = [cell for row in table.rows(hostile[1]) for cell in row]
    assert all(cell.isprintable() for cell in cells)
    assert max(map(len, cells)) < 100


def test_the_json_report(hostile, tmp_path):
    json_report.write(tmp_path / "mia.json", RunOutcome([(hostile[1], PLACE)]))
    text = (tmp_path / "mia.json").read_text(encoding="utf-8")
    assert "\x1b" not in text
    assert json.loads(text)["audits"][0]["slices"][0]["by"] == hostile[0]


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.add(tag)

    def handle_comment(self, data):
        self.found.add("comment")


def test_the_page(hostile, tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "draw", lambda paint, *, label, **_: "<svg></svg>")
    html.write(tmp_path / "mia.html", RunOutcome([(hostile[1], PLACE)]))
    text = (tmp_path / "mia.html").read_text(encoding="utf-8")
    assert not {"script", "comment", "img", "iframe"} & Tags(text).found
    tables = text.partition("<caption>Slices</caption>")[2].partition("</table>")[0]
    assert tables.count("<tr>") == 4
    assert len(tables) < 3000


def test_junit(hostile):
    properties = junit.properties(hostile[1])
    case = ElementTree.Element("testcase")
    for name, value in properties:
        ElementTree.SubElement(case, "property", name=name, value=str(value))
    assert len(ElementTree.fromstring(ElementTree.tostring(case))) == len(properties) > 5


def test_github(hostile, tmp_path):
    (command,) = github.commands([(hostile[1], PLACE)], tmp_path, tmp_path)
    assert command.isprintable()
    summary = github.summary([hostile[1]], [])
    rows = [line for line in summary.split("\n") if line.startswith("| ")]
    assert {line.count("|") for line in rows} == {len(table.HEADINGS) + 1}
    assert len(rows) == 2 + len(table.rows(hostile[1]))
    assert "<script" not in summary
