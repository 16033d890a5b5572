import pytest

from pytest_mia.core.text import printable, quoted, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ward B", "ward B"),
        ("Köln 漢字", "Köln 漢字"),
        ("", ""),
        ("a\x1b[31m\nb\u2028\x00", "a?[31m?b??"),
        ("a\ud800", "a?"),
        ("x" * 40, "x" * 40),
        ("x" * 41, "x" * 37 + "..."),
        ("\n" * 10_000, "?" * 37 + "..."),
    ],
)
def test_a_name_fits_into_a_line(text, expected):
    assert shown(text) == expected


def test_it_may_be_cut_shorter():
    assert shown("abcdefgh", 6) == "abc..."


def test_a_whole_text_stays_whole():
    assert printable("one\ttwo" * 1000) == "one?two" * 1000


class Hidden:
    def __repr__(self):
        raise ValueError("no")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", "'x'"),
        ("x" * 300, "'" + "x" * 199 + "..."),
        (10**5000, "a int that can't be shown"),
        (Hidden(), "a Hidden that can't be shown"),
    ],
    ids=["short", "long", "huge", "hidden"],
)
def test_a_bad_value_is_quoted_in_a_message(value, expected):
    assert quoted(value) == expected
