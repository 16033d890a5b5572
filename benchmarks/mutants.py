"""Mutation testing of the modules that decide a verdict: which changes of their code does no unit test notice?

`python benchmarks/mutants.py [GLOB...]` writes mutants with mutmut (what it mutates, and which tests run, says the
section [mutmut] of setup.cfg), runs for each the tests that reach the mutated function, those of its own module first,
and prints the counts and the difference of each survivor. GLOB picks functions, as "pytest_mia.statistics.*".

mutmut can run them itself (`mutmut run`), but starts pytest once for each mutant, which takes many times as long as the
tests do. Here the tests are collected once, and each mutant is a fork of that process.
"""

from __future__ import annotations

import collections
import difflib
import fnmatch
import importlib
import inspect
import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest

JOBS = int(os.environ.get("MUTANT_JOBS", "2"))
LEAST_SECONDS = 5.0
"""Processor time that a mutant may take in any case, beside three times that of the tests without a mutation."""

OUTCOMES = {0: "survived", 1: "killed"}


def generate() -> None:
    """Write the mutated copies of package and tests to mutants/, and make that the folder that is imported from."""
    from mutmut import __main__ as mutmut

    os.makedirs("mutants", exist_ok=True)
    mutmut.copy_src_dir()
    mutmut.copy_also_copy_files()
    mutmut.setup_source_paths()
    mutmut.create_mutants(JOBS)


class Mutants:
    """Runs the collected tests on each mutant, in the place of the usual loop."""

    def __init__(self, globs: list[str]) -> None:
        self.globs = globs or ["*"]
        self.seconds: dict[str, float] = {}
        self.reached: dict[str, list[pytest.Item]] = collections.defaultdict(list)
        self.differences: dict[str, str] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.run_unmutated(session)
        if session.testsfailed:
            return True
        outcomes = dict(self.run_all(session))
        for module in sorted({name.rpartition(".")[0] for name in outcomes}):
            counts = collections.Counter(outcome for name, outcome in outcomes.items() if name.startswith(module + "."))
            print(f"{module}: {counts.total()} mutants, {dict(sorted(counts.items()))}")
        return True

    def run_unmutated(self, session: pytest.Session) -> None:
        """Time each test, and note which functions it reaches."""
        from mutmut.mutation.trampoline import set_mutant_under_test
        from mutmut.state import state

        set_mutant_under_test("stats")
        for item, following in zip(session.items, [*session.items[1:], None], strict=True):
            state()._stats.clear()
            before = time.process_time()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            self.seconds[item.nodeid] = time.process_time() - before
            for function in state()._stats:
                self.reached[function].append(item)
        for function, items in self.reached.items():
            own = f"test_{'_'.join(function.split('.')[1:-1])}.py"
            items.sort(key=lambda item: (item.path.name != own, self.seconds[item.nodeid]))

    def run_all(self, session: pytest.Session) -> Iterator[tuple[str, str]]:
        """Name and outcome of each mutant."""
        running: dict[int, str] = {}
        for name, difference in self.mutants():
            items = self.reached.get(name.rpartition("__mutmut_")[0], [])
            if not items:
                yield name, "no test"
                print(f"{name} no test", flush=True)
                continue
            if len(running) == JOBS:
                yield self.finished(running)
            self.differences[name] = difference
            running[self.start(session, name, items)] = name
        while running:
            yield self.finished(running)

    def finished(self, running: dict[int, str]) -> tuple[str, str]:
        pid, status = os.wait()
        name = running.pop(pid)
        outcome = "timeout" if os.WIFSIGNALED(status) else OUTCOMES.get(os.waitstatus_to_exitcode(status), "killed")
        difference = f"\n{self.differences[name]}" if outcome == "survived" else ""
        print(f"{name} {outcome}{difference}", flush=True)
        return name, outcome

    def start(self, session: pytest.Session, name: str, items: list[pytest.Item]) -> int:
        """Run tests in a fork until one fails; its process id."""
        from mutmut.mutation.trampoline import set_mutant_under_test

        pid = os.fork()
        if pid:
            return pid
        signal.setitimer(signal.ITIMER_PROF, LEAST_SECONDS + 3 * sum(self.seconds[item.nodeid] for item in items))
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        set_mutant_under_test(name)
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                os._exit(1)
        os._exit(0)

    def mutants(self) -> Iterator[tuple[str, str]]:
        """Name of each mutant, and how it differs from the original."""
        from mutmut.configuration import config

        for path in config().only_mutate:
            module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
            for key, variants in list(vars(module).items()):
                if not key.startswith("mutants_x"):
                    continue
                original = inspect.getsource(variants["_mutmut_orig"]).splitlines()[1:]
                for variant, function in variants.items():
                    name = f"{module.__name__}.{variant}"
                    if variant == "_mutmut_orig" or not any(fnmatch.fnmatch(name, glob) for glob in self.globs):
                        continue
                    lines = difflib.unified_diff(
                        original, inspect.getsource(function).splitlines()[1:], n=0, lineterm=""
                    )
                    yield name, "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def main() -> int:
    from mutmut.configuration import config

    generate()
    settings = config()
    os.chdir("mutants")
    chosen = [*settings.pytest_add_cli_args_test_selection, *settings.pytest_add_cli_args]
    return int(pytest.main(["-q", "-s", "--rootdir=.", *chosen], plugins=[Mutants(sys.argv[1:])]))


if __name__ == "__main__":
    sys.exit(main())
