"""Tests mirror the rooms: who knows a module knows where its tests are, and the other way round."""

from pathlib import Path

import pytest_mia

ROOT = Path(pytest_mia.__file__).parent
TESTS = Path(__file__).parents[1]

BY_FEATURE = {"plugin"}
"""Rooms whose tests are named by what a user does with them; they run pytest as the user does."""
OTHERS = {f"reports/test_{name}.py" for name in ("golden", "hostile", "schema", "screenshot")} | {
    "auditing/test_attackers.py",
    "remedies/test_transforms.py",
}
"""Tests of what modules of a room do together: all writers, several attackers, all remedies."""
NOTHING_RUNS = {
    "_version",
    "attacks/protocol",
    "core/types",
    "models/protocol",
    "training/backends/protocol",
    "core/events",
    "validity/protocol",
}
"""Modules of names and types."""
COVERED_BY = {
    "api": "auditing/test_run.py",
    "knowledge": "data/attacker_data/test_synthesis.py",
    "attacks/combined_features": "attacks/test_combined.py",
    "auditing/audit_run": "auditing/test_run.py",
    "auditing/design": "auditing/test_summary.py",
    "auditing/feasibility": "auditing/test_plan.py",
    "auditing/attack_stage": "auditing/test_run.py",
    "auditing/attacker_run": "auditing/test_run.py",
    "cache/hash_values": "cache/test_content_key.py",
    "cache/module_values": "cache/test_code_watch.py",
    "cache/sent_code": "training/backends/test_loky.py",
    "data/attacker_data/cell_mixing": "data/attacker_data/test_synthesis.py",
    "models/reading": "data/test_labels.py",
    "models/queries/perturb": "models/queries/test_queries_label_noise.py",
    "models/queries/protocol": "models/queries/test_queries_label_noise.py",
    "models/torch/batch_checks": "models/torch/test_batched.py",
    "models/torch/batch_schedule": "models/torch/test_batched.py",
    "models/torch/batch_stack": "models/torch/test_batched.py",
    "models/torch/cuda": "models/torch/test_batched.py",
    "models/torch/settings": "models/torch/test_module_problems.py",
    "remedies/asker": "remedies/test_transforms.py",
    "remedies/estimators": "remedies/test_transforms.py",
    "remedies/labels": "remedies/test_transforms.py",
    "remedies/modules": "remedies/test_transforms.py",
    "remedies/protocol": "remedies/test_transforms.py",
    "remedies/rounding": "remedies/test_transforms.py",
    "remedies/temperature": "remedies/test_transforms.py",
    "remedies/top_k": "remedies/test_transforms.py",
    "remedies/wrappers": "remedies/test_transforms.py",
    "reports/json": "reports/test_schema.py",
    "reports/junit": "reports/test_golden.py",
    "reports/plots": "reports/test_html.py",
    "reports/pytest_html": "plugin/test_html.py",
    "reports/svg": "reports/test_html.py",
    "reports/table": "reports/test_golden.py",
    "reports/terminal": "reports/test_golden.py",
    "results/controls": "auditing/controls/test_canaries.py",
    "results/run_outcome": "reports/test_golden.py",
    "results/values": "auditing/test_summary.py",
    "statistics/counts": "statistics/test_intervals.py",
    "training/fit": "training/test_train.py",
    "training/jobs": "training/test_train.py",
    "training/backends/dask_worker": "training/backends/test_dask.py",
    "validity/release_mismatch": "auditing/test_run_releases.py",
    "verdicts/audit_result": "verdicts/test_judgement.py",
    "verdicts/gates": "verdicts/test_judging.py",
    "verdicts/next_steps": "verdicts/test_message.py",
}
"""Modules whose tests are those of another, and which."""


def modules_of(folder):
    """Names of the modules of a folder of the package."""
    return {path.stem for path in (ROOT / folder).glob("*.py")} - {"__init__"}


def rooms():
    return [Path(), *(path.relative_to(ROOT) for path in sorted(ROOT.rglob("*")) if (path / "__init__.py").is_file())]


def names_a_module(test, modules):
    """Names of test files are unique: the room's own stands first where two rooms have a module of one name."""
    names = {test.stem.removeprefix("test_"), test.stem.removeprefix(f"test_{test.parent.name}_")}
    return any(name == module or name.startswith(f"{module}_") for module in modules for name in names)


def test_names_of_files_are_unique():
    """Two of one name can't be loaded in one run, but for those of packages."""
    names = [test.name for test in TESTS.rglob("test_*.py") if not (test.parent / "__init__.py").is_file()]
    assert sorted(names) == sorted(set(names))


def test_every_file_in_a_room_is_named_after_a_module_of_it():
    astray = {
        test.relative_to(TESTS).as_posix()
        for room in rooms()
        if room.as_posix() not in BY_FEATURE
        for test in (TESTS / room).glob("test_*.py")
        if not names_a_module(test, modules_of(room))
    }
    assert astray - OTHERS == set()


def test_every_module_has_a_file_or_stands_with_the_one_that_covers_it():
    without = {
        (room / module).as_posix()
        for room in rooms()
        if room.as_posix() not in BY_FEATURE
        for module in modules_of(room)
        if not any(names_a_module(test, {module}) for test in (TESTS / room).glob("test_*.py"))
    }
    assert without - NOTHING_RUNS - {*COVERED_BY} == set()


def test_files_that_cover_others_are_there():
    assert [test for test in {*COVERED_BY.values()} | OTHERS if not (TESTS / test).is_file()] == []


def test_lists_name_modules_that_are_there():
    assert [name for name in {*COVERED_BY} | NOTHING_RUNS if not (ROOT / f"{name}.py").is_file()] == []
