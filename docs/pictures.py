"""Draw the pictures of the README and of the docs, from what really comes out.

Run `python docs/pictures.py` where the package is installed with its extra `html`, and `chromium` can be called. The
first test of the README is run as it stands there. Its terminal becomes an SVG, which holds the same lines as text so
that a test can compare them with another run. Its page becomes a PNG. The house is drawn from the table of the
architecture page.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

DOCS = Path(__file__).parent
FOLDER = DOCS / "pictures"
COLUMNS = 136
"""As wide as the table at the end of the run."""
WIDTH, HEIGHT = 8.4, 19
"""Of a character, in the pixels of the SVG."""
COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff", "36": "#79c0ff"}
COLOUR = re.compile(r"\x1b\[[\d;]*m")
FONT = "DejaVu Sans Mono, Menlo, Consolas, monospace"


def first_test(folder: Path) -> str:
    """Run the README's first test in a folder; returns what it wrote, with colours, and leaves its page there."""
    section = (DOCS.parent / "README.md").read_text(encoding="utf-8").partition("\n## A first test\n")[2]
    for name, text in re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)[:2]:
        (folder / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "--color=yes", "--mia-html=page.html", "-p", "no:cacheprovider"]
    environment = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert "MembershipLeakError" in done.stdout, done.stdout + done.stderr
    return done.stdout


def shown(output: str) -> list[str]:
    """The lines of a run that the picture shows: from the message on, no wider than a terminal."""
    lines = output.splitlines()
    start = next(place for place, line in enumerate(lines) if "def test_release" in COLOUR.sub("", line))
    return ["$ pytest", "...", *(part for line in lines[start:] for part in _wrapped(line))]


def _wrapped(line: str) -> list[str]:
    """A line with its colours, cut as a terminal would."""
    parts, room, colour = [""], COLUMNS, ""
    for piece in re.split(r"(\x1b\[[\d;]*m)", line):
        if piece.startswith("\x1b"):
            parts[-1] += piece
            colour = "" if piece in ("\x1b[0m", "\x1b[m") else colour + piece
            continue
        while len(piece) > room:
            parts[-1] += piece[:room]
            piece, room = piece[room:], COLUMNS
            parts.append(colour)
        parts[-1] += piece
        room -= len(piece)
    return parts


def terminal(lines: list[str]) -> str:
    """An SVG of lines with colours."""
    width, height = round(COLUMNS * WIDTH + 40), round(len(lines) * HEIGHT + 40)
    plain = "\n".join(COLOUR.sub("", line).rstrip() for line in lines)
    rows = [_row(line, 30 + HEIGHT * place) for place, line in enumerate(lines)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            "<title>The first test of the README, as it ends in a terminal</title>",
            f"<desc>{escape(plain, quote=False)}</desc>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>',
            f'<g font-family="{FONT}" font-size="14" fill="#e6edf3" xml:space="preserve">',
            *(row for row in rows if row),
            "</g>",
            "</svg>\n",
        ]
    )


def _row(line: str, y: int) -> str:
    """One line: a piece of text for each run of one colour, at its column."""
    found, column, colour, bold = [], 0, "", False
    for piece in re.split(r"(\x1b\[[\d;]*m)", line.rstrip()):
        if piece.startswith("\x1b"):
            for code in piece[2:-1].split(";"):
                colour = "" if code in ("", "0", "39", "39;49;00") else COLOURS.get(code, colour)
                bold = code == "1" or (bold and code not in ("", "0"))
        elif piece.strip():
            look = (f' fill="{colour}"' if colour else "") + (' font-weight="bold"' if bold else "")
            at = column + len(piece) - len(piece.lstrip())
            text = escape(piece.strip()).replace(" ", "&#160;")
            length = f' textLength="{len(piece.strip()) * WIDTH:.1f}"'
            found.append(f'<text x="{20 + at * WIDTH:.1f}" y="{y}"{length}{look}>{text}</text>')
        column += 0 if piece.startswith("\x1b") else len(piece)
    return "".join(found)


def page(source: Path, target: Path) -> None:
    """A picture of the verdict and the figures of a page, without the table of all audits, by Chromium."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        sys.exit("chromium is needed for the picture of the page; install it with your system's package manager")
    text = source.read_text(encoding="utf-8")
    source.write_text(re.sub(r"(?<=</h1>).*?(?=<section class=\"audit\")", "", text, flags=re.DOTALL), encoding="utf-8")
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    flags = ["--headless", *root, "--hide-scrollbars", "--window-size=960,1330", f"--screenshot={target}"]
    subprocess.run([browser, *flags, source.as_uri()], check=True, capture_output=True)


def house(text: str) -> str:
    """The rooms of the architecture page, one above the other."""
    rooms = re.findall(r"^\| `(\w+)/` \| ([^|]*?) \|", text, re.MULTILINE)
    tall, top = 40, 66
    parts = []
    for place, (name, what) in enumerate(rooms):
        y = top + tall * place
        shade = 96 - 2 * place
        parts += [
            f'<rect x="60" y="{y}" width="780" height="{tall}" fill="hsl(212 45% {shade}%)" stroke="#57606a"/>',
            f'<text x="76" y="{y + 25}" font-weight="bold">{name}</text>',
            f'<text x="190" y="{y + 25}" font-size="13">{escape(what)}</text>',
        ]
    height = top + tall * len(rooms) + 40
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 {height}" role="img">',
            "<title>The fourteen rooms: each imports only rooms further down</title>",
            f'<rect width="900" height="{height}" fill="#ffffff"/>',
            '<g font-family="Helvetica, Arial, sans-serif" font-size="16" fill="#1f2328">',
            f'<path d="M40 {top} L450 12 L860 {top} Z" fill="#d0d7de" stroke="#57606a"/>',
            f'<text x="450" y="{top - 14}" text-anchor="middle">pytest_mia</text>',
            *parts,
            f'<path d="M30 {top + 10} V{height - 52}" stroke="#57606a" stroke-width="2"/>',
            f'<path d="M24 {height - 60} L30 {height - 46} L36 {height - 60} Z" fill="#57606a"/>',
            f'<text x="450" y="{height - 14}" text-anchor="middle" font-size="13">'
            "the arrow: a room imports only rooms further down</text>",
            "</g>",
            "</svg>\n",
        ]
    )


def main() -> None:
    """Draw all pictures."""
    FOLDER.mkdir(exist_ok=True)
    architecture = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8")
    (FOLDER / "house.svg").write_text(house(architecture), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        output = first_test(Path(folder))
        (FOLDER / "terminal.svg").write_text(terminal(shown(output)), encoding="utf-8")
        page(Path(folder) / "page.html", FOLDER / "report.png")


if __name__ == "__main__":
    main()
