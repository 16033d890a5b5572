"""Changes of files that training reads, however it does, and of folders and links."""

import gzip
import os
import pickle
import sqlite3

import numpy as np

from change_table.repository import WRITTEN, change, made, trained

DEPTH = {"depth.txt": "<2|5>"}
ABSENT = {"depth.txt": "<|5>"}
FOLDER = {"depths/one": "1", "depths/two": "2", "depths/five": "<|5>"}


def read(depth, conftest="", files=DEPTH, **rest):
    """A change of the file, which training reads by this expression."""
    return trained(depth, conftest, files=files, **rest)


def saved(path, text):
    """Write an array."""
    with path.open("wb") as file:
        np.save(file, np.full(3, int(text)))


def database(path, text):
    """Write a database."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("create table depths (depth)")
        connection.execute("insert into depths values (?)", text)
    connection.close()


def large(path, text):
    """Write a file of two megabytes that differs in the middle."""
    path.write_text(" " * 2**20 + text + " " * 2**20)


def linked(path, text):
    """Write a link, and files to which it may lead."""
    for each in "25":
        path.with_name(each).write_text(each)
    path.symlink_to(text)


def as_old(repository):
    """Let a file be as old as it was."""
    os.utime(repository / "depth.txt", (WRITTEN, WRITTEN))


CHANGES = {
    "a file of the same size and age": read("open('depth.txt').read()", meanwhile=as_old),
    "a file that is opened to be changed": read("open('depth.txt', 'r+').read()"),
    "a file by os.open": read("os.read(os.open('depth.txt', os.O_RDONLY), 9)"),
    "a file by pathlib": read("pathlib.Path('depth.txt').read_text()"),
    "code in a file": change(
        """
        def train(model, X, y):
            space = {}
            exec(open("depth.txt").read(), space)
            return model.set_params(max_depth=space["depth"]).fit(X, y)
        """,
        files={"depth.txt": "depth = <2|5>"},
        thing=r"\bexec\b",
    ),
    "a file that a kept answer is made of": made(
        "depth()", "@functools.lru_cache\ndef depth():\n    return open('depth.txt').read()\n\ndepth()", files=DEPTH
    ),
    "a file that an answer kept in training is made of": read(
        "depth()", "@functools.lru_cache\ndef depth():\n    return open('depth.txt').read()"
    ),
    "a file that was opened before": trained(
        "(FILE.seek(0), FILE.read())[1]", "FILE = open('depth.txt')", files=DEPTH, thing="FILE"
    ),
    "a file of YAML": read(
        "yaml.safe_load(open('depth.yaml'))['depth']", "import yaml", files={"depth.yaml": "depth: <2|5>"}
    ),
    "a data frame": read(
        "pandas.read_csv('depth.csv').depth[0]", "import pandas", files={"depth.csv": "depth\n<2|5>\n"}
    ),
    "a memory map": read("np.memmap('depth.txt', np.uint8, 'r')[0] - ord('0')"),
    "a database": read(
        "sqlite3.connect('depth.db').execute('select depth from depths').fetchone()[0]",
        "import sqlite3",
        files={"depth.db": (database, "<2|5>")},
    ),
    "a database by its address": read(
        "sqlite3.connect('file:depth.db?mode=ro', uri=True).execute('select depth from depths').fetchone()[0]",
        "import sqlite3",
        files={"depth.db": (database, "<2|5>")},
    ),
    "a file that appears": read(
        "depth()",
        """
        def depth():
            try:
                return open("depth.txt").read()
            except FileNotFoundError:
                return 2
        """,
        files=ABSENT,
    ),
    "a file that vanishes": read(
        "depth()",
        """
        def depth():
            try:
                return open("depth.txt").read()
            except FileNotFoundError:
                return 5
        """,
        files={"depth.txt": "<2|>"},
    ),
    "a path that appears": read(
        "path.read_text() if path.is_file() else 2", "path = pathlib.Path('depth.txt')", files=ABSENT
    ),
    "the size of a file": read("os.path.getsize('depth.txt')", files={"depth.txt": "<12|12345>"}),
    "a folder that is listed": read("len(os.listdir('depths'))", files=FOLDER),
    "a name that counts from another working folder": read(
        "open('depth.txt').read()",
        files={"two/depth.txt": "2", "five/depth.txt": "5"},
        folder="<two|five>",
        options="../test_privacy.py",
    ),
}
VARIANTS = {
    "a file that the factory reads": made("open('depth.txt').read()", files=DEPTH),
    "a file that a thread reads": read(
        "ThreadPoolExecutor().submit(lambda: open('depth.txt').read()).result()",
        "from concurrent.futures import ThreadPoolExecutor",
    ),
    "a file that conftest.py reads": made("DEPTH", "DEPTH = open('depth.txt').read()", files=DEPTH),
    "a file of JSON": read("json.load(open('depth.json'))['depth']", files={"depth.json": '{"depth": <2|5>}'}),
    "an array": read("np.load('depth.npy')[0]", files={"depth.npy": (saved, "<2|5>")}),
    "a file": read("open('depth.txt').read()"),
    "a file that is opened to be appended to": read(
        "append('depth.txt')",
        "def append(name):\n    file = open(name, 'a+')\n    file.seek(0)\n    return file.read()",
    ),
    "a file by io.open": read("io.open('depth.txt').read()", "import io"),
    "a file by FileIO": read("io.FileIO('depth.txt').read()", "import io"),
    "a file by codecs.open": read("codecs.open('depth.txt').read()", "import codecs"),
    "a file by os.open to be changed": read("os.read(os.open('depth.txt', os.O_RDWR), 9)"),
    "a file by its folder's descriptor": read(
        "os.read(os.open('depth.txt', os.O_RDONLY, dir_fd=os.open('.', os.O_RDONLY)), 9)"
    ),
    "a file under a name of bytes": read("open(b'depth.txt').read()"),
    "a file in memory": read(
        "mapped()[:1]",
        "import mmap\n\ndef mapped():\n    return mmap.mmap(os.open('depth.txt', 0), 0, access=mmap.ACCESS_READ)",
    ),
    "a file by linecache": read("linecache.getline('depth.txt', 1)", "import linecache"),
    "a file by fileinput": read(
        "depth()",
        "import fileinput\n\ndef depth():\n    with fileinput.input('depth.txt') as lines:\n        return next(lines)",
    ),
    "a file beside the module": read("pathlib.Path(__file__).with_name('depth.txt').read_text()"),
    "a file after a change of folders": read(
        "moved()",
        "def moved():\n    os.chdir('parts')\n    text = open('depth.txt').read()\n    os.chdir('..')\n    return text",
        files={"parts/depth.txt": "<2|5>"},
    ),
    "a file of a package": read(
        "importlib.resources.files('pack').joinpath('depth.txt').read_text()",
        "import importlib.resources",
        files={"pack/__init__.py": "1\n", "pack/depth.txt": "<2|5>"},
    ),
    "data of a package": read(
        "pkgutil.get_data('pack', 'depth.txt')",
        "import pkgutil",
        files={"pack/__init__.py": "1\n", "pack/depth.txt": "<2|5>"},
    ),
    "a file that a helper reads": read(
        "settings.depth()",
        "import settings",
        files=DEPTH,
        settings="def depth():\n    return open('depth.txt').read()\n",
    ),
    "a file that the first training reads": read(
        "depth()",
        """
        KEPT = []

        def depth():
            if not KEPT:
                KEPT.append(open("depth.txt").read())
            return KEPT[0]
        """,
        thing="KEPT",
    ),
    "a file of TOML": read(
        "tomllib.load(open('depth.toml', 'rb'))['depth']", "import tomllib", files={"depth.toml": "depth = <2|5>"}
    ),
    "a file of settings": read(
        "depth()",
        """
        import configparser

        def depth():
            parser = configparser.ConfigParser()
            parser.read("depth.ini")
            return parser["tree"]["depth"]
        """,
        files={"depth.ini": "[tree]\ndepth = <2|5>\n"},
    ),
    "a file of rows": read(
        "next(csv.reader(open('depth.csv')))[1]", "import csv", files={"depth.csv": "depth,<2|5>\n"}
    ),
    "an array that stays in its file": read(
        "np.load('depth.npy', mmap_mode='r')[0]", files={"depth.npy": (saved, "<2|5>")}
    ),
    "a memory map that was opened before": made(
        "MAP[0] - ord('0')", "MAP = np.memmap('depth.txt', np.uint8, 'r')", files=DEPTH
    ),
    "numbers in a text": read("np.loadtxt('depth.txt')"),
    "numbers in a file": read("np.fromfile('depth.txt', np.uint8)[0] - ord('0')"),
    "a pickled value": read(
        "pickle.load(open('depth.pickle', 'rb'))",
        "import pickle",
        files={"depth.pickle": (lambda path, text: path.write_bytes(pickle.dumps(int(text))), "<2|5>")},
    ),
    "a compressed file": read(
        "gzip.open('depth.gz').read()",
        "import gzip",
        files={"depth.gz": (lambda path, text: path.write_bytes(gzip.compress(text.encode())), "<2|5>")},
    ),
    "a large file": read("open('depth.txt').read()", files={"depth.txt": (large, "<2|5>")}),
    "a file that appears where training asks whether it exists": read(
        "open('depth.txt').read() if os.path.exists('depth.txt') else 2", files=ABSENT
    ),
    "a file that vanishes where training asks whether it exists": read(
        "5 if not os.path.isfile('depth.txt') else 2", files={"depth.txt": "<2|>"}
    ),
    "a folder that is looked through": read("len([*os.scandir('depths')])", files=FOLDER),
    "a folder by pathlib": read("len([*pathlib.Path('depths').iterdir()])", files=FOLDER),
    "a pattern of files": read("len(glob.glob('depths/*'))", "import glob", files=FOLDER),
    "a pattern of files in all folders": read("len([*pathlib.Path('depths').rglob('*')])", files=FOLDER),
    "a folder that is walked": read("len(next(os.walk('depths'))[2])", files=FOLDER),
    "a folder further down": read(
        "sum(len(each[2]) for each in os.walk('depths'))",
        files={"depths/a/one": "1", "depths/a/two": "2", "depths/b/five": "<|5>"},
    ),
    "where a link leads": read("open('depth.txt').read()", files={"depth.txt": (linked, "<2|5>")}),
    "where a link leads, by its name": read("os.readlink('depth.txt')", files={"depth.txt": (linked, "<2|5>")}),
    "the working folder": read(
        "{'two': 2, 'five': 5}[os.path.basename(os.getcwd())]",
        files={"two/depth.txt": "2", "five/depth.txt": "5"},
        folder="<two|five>",
        options="../test_privacy.py",
    ),
}
