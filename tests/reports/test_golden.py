"""Every report of one fixed audit, letter by letter: what they said when somebody last looked at them.

After a change that is meant, ``python tests/reports/test_golden.py`` writes them anew; look at the difference.
"""

import dataclasses
import json
from html import escape
from pathlib import Path
from types import SimpleNamespace

import pytest
from audits import LEAK, NONE, audited, counted

from pytest_mia import gates
from pytest_mia.core.settings import Settings
from pytest_mia.reports import github, html, junit, plots, terminal
from pytest_mia.results.audit_data import RemedyResult
from pytest_mia.results.run_outcome import Place, RunOutcome
from pytest_mia.results.values import Change, Curve, Exposure, Histogram, Tally
from pytest_mia.statistics import error_budget
from pytest_mia.verdicts import baseline, baseline_file

PLACE = Place("test_privacy.py", 3, True)
GOLDEN = Path(__file__).with_name("golden")
BY = {("sex", "f"): LEAK, ("sex", "m"): NONE, ("sex", "x"): counted(0.5, 0.5, records=9)}


def remedy(name, counts, **changes):
    return RemedyResult(name, "an idea", audited(counts, slices=BY | dict.fromkeys(BY, counts)), **changes)


def fixed():
    """A leak with all that a report can show."""
    result = audited(
        LEAK,
        NONE,
        slices=BY | {("ward", "A"): NONE},
        test="test_privacy.py::test_release",
        replay="pytest test_privacy.py::test_release --mia-shadows=3",
        notes=("a note",),
        curves=(Curve("loss", (0.001, 1.0), (0.01, 1.0), (0.0, 0.9), (0.1, 1.0)),),
        histogram=Histogram("loss", -1.0, 1.0, (1, 2), (2, 1)),
        most_exposed=(Exposure(17, 0.9, Tally(2, 2), Tally(1, 2)),),
        change=Change(
            "main",
            error_budget.plain_interval(NONE, 0.95),
            error_budget.change_interval(NONE, LEAK, 0.95),
            "records 1, now 2",
        ),
        what_if=(remedy("RoundedAnswers(estimator, step=0.25)", LEAK), remedy("LabelAnswers(estimator)", NONE)),
        lines=("set_params(C=0.1) (now 1.0)",),
    )
    result = dataclasses.replace(result, classes=(dataclasses.replace(result.slices[3], by="class", value="ill"),))
    return gates.membership_advantage(result, 0.1, by="sex")


class Reporter:
    """As much of pytest's reporter as the table needs, without colours."""

    isatty = False
    config = SimpleNamespace(get_terminal_writer=lambda: SimpleNamespace(fullwidth=80))

    def __init__(self):
        self.text = ""

    def write(self, text, **_):
        self.text += text

    def line(self, text, **_):
        self.text += f"{text}\n"

    write_line = line

    def write_sep(self, sep, title):
        self.line(f"{sep} {title} {sep}")


def terminal_of(audit):
    reporter = Reporter()
    terminal.show(RunOutcome([(audit, PLACE)], lost=["the verdict of test_other"]), reporter)
    return reporter.text


def page_of(audit):
    """The page without what depends on the machine, or is drawn by another package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "draw", lambda paint, *, label, **_: f"<svg>{escape(label)}</svg>")
        patch.setattr(html, "environment", dict)
        patch.setattr(html, "__version__", "0")
        return html.page([audit])


def rounded(value):
    """Figures to nine digits: other versions of scipy differ in the last one."""
    match value:
        case float():
            return float(f"{value:.9g}")
        case dict():
            return {name: rounded(each) for name, each in value.items()}
        case list():
            return [rounded(each) for each in value]
    return value


def reports():
    result = fixed()
    audit = result.to_dict()
    saved = dataclasses.replace(baseline.summarise(result, Settings(shadows=3)), version="0").to_dict()
    return {
        "message.txt": f"{result.message}\n",
        "audit.json": json.dumps(rounded(audit), indent=1) + "\n",
        "terminal.txt": terminal_of(audit),
        "summary.md": github.summary([audit], ["the verdict of test_other"]),
        "commands.txt": "\n".join(github.commands([(audit, PLACE)], Path("/r"), Path("/r"))),
        "junit.txt": "".join(f"{name}={rounded(value)}\n" for name, value in junit.properties(audit)),
        "baseline.json": baseline_file.format_text({"test_privacy.py::test_release": saved}),
        "page.html": page_of(audit),
    }


@pytest.fixture(scope="module")
def written():
    return reports()


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.iterdir()))
def test_report(name, written):
    assert written[name] == (GOLDEN / name).read_text(encoding="utf-8")


def test_every_report_is_kept(written):
    assert set(written) == {path.name for path in GOLDEN.iterdir()}


def test_the_audit_shows_all_verdicts_of_slices():
    assert [part.verdict for part in fixed().slices] == ["leak", "inconclusive", "pass", None]


if __name__ == "__main__":
    for file, text in reports().items():
        (GOLDEN / file).write_text(text, encoding="utf-8")
