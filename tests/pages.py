"""Pages in Markdown, followed to the letter: files are written, commands and scripts are run, what is shown compared.

A page is walked from its first block to its last one in one folder, as a reader would who copies everything. A block is

- a file, when its first line is a comment with the file's name;
- a script, when it is Python without one: it must end without an error or a warning;
- commands after ``$``, each with the output that it shows: those of pytest are run, those of pip are checked;
- plain text: what the script before it prints.

Of an output only the lines that are shown have to be there, with measured figures (of three decimals) within 0.05.
"""

import configparser
import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import warm

import pytest_mia

ROOT = Path(__file__).parents[1]
FILE = re.compile(r"# (\S+\.(?:py|ini|toml|yml|txt))\n")
DECIMAL = re.compile(r"-?\d+\.\d+")
LANGUAGES = {"python", "ini", "toml", "yaml", "console", "text"}
"""Those of blocks that are run; a comment starts with # in all of them."""


@dataclass(frozen=True)
class Block:
    language: str
    text: str

    @property
    def file(self):
        """The file that the block holds, by its first line."""
        match = FILE.match(self.text)
        return None if match is None else match[1]

    @property
    def steps(self):
        """Commands, each with the lines that it shows."""
        first, *parts = re.split(r"^\$ ", self.text, flags=re.MULTILINE)
        assert not first, f"output without a command: {first}"
        return [(part.partition("\n")[0], shown(part.partition("\n")[2])) for part in parts]

    @property
    def commands(self):
        return [command for command, _ in self.steps]


def shown(text):
    return [line for line in text.splitlines() if line != "..."]


def blocks_of(text):
    """The blocks of a page or of a part of it; a fence that stands alone is an error."""
    found = [Block(*each) for each in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)]
    assert text.count("```") == 2 * len(found), "a fence without its other one, or one that isn't at a line's start"
    return found


def sections_of(text):
    """The parts of a page under its headings of the second level, by heading."""
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in text.split("\n## ")[1:]}


def rows_of(text):
    """The cells of all rows of a page's tables, headings left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    kept = [
        line
        for place, line in enumerate(lines)
        if not line.startswith("|---") and not "".join(lines[place + 1 : place + 2]).startswith("|---")
    ]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in kept]


def follow(blocks, folder):
    """Do what the blocks say in a folder; returns the output of each script and of each run of pytest."""
    outputs = []
    for block in blocks:
        if block.file is not None:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            (folder / "script.py").write_text(block.text, encoding="utf-8")
            done = run(folder, "-W", "error", "script.py")
            assert done.returncode == 0, done.stderr
            outputs.append(done.stdout)
        elif block.language == "console":
            outputs += [done for command, lines in block.steps for done in _obey(folder, command, lines)]
        else:
            assert block.language == "text", f"a block of kind {block.language!r} isn't run"
            check_output(shown(block.text), outputs[-1])
    return outputs


def _obey(folder, command, lines):
    program, *arguments = shlex.split(command)
    if program == "pip":
        check_installed(arguments)
        assert not lines, "what pip says isn't compared"
        return
    assert program == "pytest", f"{program} isn't run"
    done = run(folder, "-m", "pytest", *arguments)
    assert done.returncode == ("failed" in "".join(lines[-1:])), done.stdout + done.stderr
    check_output(lines, done.stdout)
    yield done.stdout


WHEEL = f"dist/pytest_mia-{pytest_mia.__version__}-py3-none-any.whl"
NEEDED_BY_PAGES = {"pandas"}
"""Other packages that a page may ask for."""


def check_installed(arguments):
    """What pip would install is this package, with extras that it has, or what a page lists in a file."""
    if arguments[0] == "wheel":
        assert arguments == ["wheel", "--no-deps", "--wheel-dir=dist", "."]
        return
    assert arguments[0] == "install", arguments
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    for argument in arguments[1:]:
        if argument in ("-r", "-e", WHEEL, *NEEDED_BY_PAGES) or argument.endswith(".txt"):
            continue
        place, extras = re.fullmatch(r"([\w./-]+)(?:\[([\w,]+)\])?", argument).groups()
        assert place == "." or place.endswith("pytest-mia"), argument
        assert {*(extras or "").split(",")} - {""} <= {*setup["options.extras_require"]}, argument


def run(folder, *command):
    """Python, with nothing of the run of pytest, or of the job, around it; one process is enough for small models."""
    outside = ("PYTEST", "GITHUB_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(outside)}
    environment["PYTEST_ADDOPTS"] = f"{os.environ.get('PYTEST_ADDOPTS', '')} --mia-jobs=1"
    return subprocess.run(
        [warm.executable(), *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def is_shown(line, output):
    """Whether a line stands in the output, measured figures (those of three decimals) within 0.05."""
    words, numbers = _parts(line)
    for words_there, numbers_there in map(_parts, output.splitlines()):
        pairs = zip(numbers, numbers_there, strict=False)
        if words in words_there and all(abs(float(a) - float(b)) < 0.05 for a, b in pairs if len(a) > len("0.00")):
            return True
    return False


def _parts(line):
    """A line with # for its decimal numbers, and those."""
    return DECIMAL.sub("#", " ".join(line.split())), DECIMAL.findall(line)


def check_output(expected, output):
    missing = [line for line in expected if not is_shown(line, output)]
    assert not missing, f"the page shows {missing}, the run gave\n{output}"
