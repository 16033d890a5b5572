"""The summary of a step and the annotations, read as GitHub reads them."""

import dataclasses
import html
import re

import pytest
from audits import LEAK, NONE, audited

from pytest_mia import gates
from pytest_mia.reports import github
from pytest_mia.results.run_outcome import Place

EVIL = "50%, a|b <script>*x*</script>\r\n::error::`c`: [d](e)"
JUDGED = {
    "leak": gates.membership_advantage(audited(LEAK), 0.1),
    "pass": gates.membership_advantage(audited(NONE), 0.1),
    "inconclusive": gates.membership_advantage(audited(LEAK), 0.2),
    "invalid": gates.membership_advantage(audited(NONE, findings=("all alike",)), 0.1),
    None: audited(NONE),
}


def audit(verdict, **changes):
    return dataclasses.replace(JUDGED[verdict], **({"test": "test_a.py::test_b"} | changes)).to_dict()


def cells(line):
    """The cells of a row of a Markdown table, with its references resolved."""
    assert line.startswith("| ")
    assert line.endswith(" |")
    return [html.unescape(cell.strip()) for cell in line[1:-1].split("|")]


class TestSummary:
    def lines(self, *audits, lost=()):
        return github.summary(audits, lost).splitlines()

    def test_one_row_per_audit(self):
        rows = [cells(line) for line in self.lines(audit("leak"), audit("pass")) if line.startswith("| ")]

        assert [row[0] for row in rows] == ["test", "---", "test_a.py::test_b", "test_a.py::test_b"]
        assert [row[1] for row in rows[2:]] == ["leak", "pass"]
        assert rows[2][2].startswith("advantage 0.200 (")

    def test_messages_of_all_that_is_no_pass(self):
        text = "\n".join(self.lines(*(audit(verdict) for verdict in JUDGED)))

        assert re.findall(r"<summary>(\w+): ", text) == ["leak", "inconclusive", "invalid"]
        assert html.escape(JUDGED["leak"].message) in text

    def test_what_users_name_is_shown_as_it_is(self):
        lines = self.lines(audit("leak", test=EVIL, message=EVIL), lost=[EVIL])
        row = next(line for line in lines[4:] if line.startswith("| "))

        assert cells(row)[0] == " ".join(EVIL.split())
        assert len(cells(row)) == len(cells(lines[2]))
        assert not re.search(r"<(?!/?(details|summary|pre)>)", "\n".join(lines))
        assert not set("*`<[") & set(row)

    def test_what_was_lost(self):
        assert "**lost the verdict of a&#95;b**" in self.lines(lost=["the verdict of a_b"])


class TestCommands:
    def one(self, verdict, *, failed, tmp_path, **changes):
        place = Place("sub/test_a.py", 7, failed)
        checkout = tmp_path / "repository"
        return github.commands([(audit(verdict, **changes), place)], checkout / "root", checkout)

    @pytest.mark.parametrize(
        ("verdict", "failed", "level"),
        [
            ("leak", True, "error"),
            ("leak", False, None),
            ("invalid", True, "error"),
            ("inconclusive", True, "error"),
            ("inconclusive", False, "warning"),
            ("pass", False, None),
            ("pass", True, None),
            (None, True, None),
        ],
    )
    def test_level(self, verdict, failed, level, tmp_path):
        assert [each.split()[0] for each in self.one(verdict, failed=failed, tmp_path=tmp_path)] == (
            [] if level is None else [f"::{level}"]
        )

    def test_a_file_is_named_from_the_checkout(self, tmp_path):
        (command,) = self.one("leak", failed=True, tmp_path=tmp_path)

        named = "file=root/sub/test_a.py,line=7,title=membership inference%3A leak"
        assert command.startswith(f"::error {named}::membership ")

    def test_a_file_outside_of_the_checkout_keeps_its_path(self, tmp_path):
        (command,) = github.commands([(audit("leak"), Place("../a,b.py", 1, True))], tmp_path / "x", tmp_path / "x")

        assert f"file={tmp_path.as_posix()}/a%2Cb.py,line=1," in command

    def test_a_message_stays_in_its_line(self, tmp_path):
        """As the documentation of workflow commands has it, % first, then the ends of lines."""
        (command,) = self.one("leak", failed=True, tmp_path=tmp_path, message=EVIL)
        _, _, data = command[2:].partition("::")

        assert "\n" not in command
        assert "\r" not in command
        assert data == "50%25, a|b <script>*x*</script>%0D%0A::error::`c`: [d](e)"


class TestPublish:
    def publish(self, tmp_path):
        written = []
        place = Place("test_a.py", 1, True)
        github.publish([(audit("leak"), place)], lost=(), root=tmp_path, write_line=written.append)
        return written

    @pytest.fixture(autouse=True)
    def away(self, monkeypatch):
        for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
            monkeypatch.delenv(name, raising=False)

    def test_nothing_away_from_github(self, tmp_path):
        assert self.publish(tmp_path) == []
        assert list(tmp_path.iterdir()) == []

    def test_a_summary_is_appended(self, tmp_path, monkeypatch):
        file = tmp_path / "summary.md"
        file.write_text("before\n")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))

        assert self.publish(tmp_path) == []
        assert file.read_text().startswith("before\n### Membership inference audits\n")

    def test_a_summary_that_cant_be_written_is_said(self, tmp_path, monkeypatch):
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        first, second = self.publish(tmp_path)

        assert first.startswith("mia: the summary of the step can't be written: ")
        assert second.startswith("::error file=test_a.py,")
