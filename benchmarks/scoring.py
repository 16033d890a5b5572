"""How long all attacks take, and how much memory: by default on 50,000 records and 65 models, on one core.

    python benchmarks/scoring.py [--models 65] [--records 50000] [--classes 10] [--combined] [--whole]

The signals are generated: log-odds of a model that leaks a little. Prints a table of processor seconds per attack, then
those of the whole audit after training, and the peak memory of the process. Without --combined all attacks but the
combined one are run; with --whole only the audit as a whole.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from pytest_mia.attacks import evaluation, registry
from pytest_mia.attacks.observations import Observations, recipe
from pytest_mia.auditing import summary
from pytest_mia.auditing.design import AuditDesign
from pytest_mia.core.seeding import generator_for, single_threaded
from pytest_mia.core.settings import Settings
from pytest_mia.data.memberships import draw_halves
from pytest_mia.models.answers import Logits
from pytest_mia.models.signals import signals_of, stack


def observed(models: int, records: int, classes: int) -> Observations:
    """Answers of models that remember a little of their members, reduced model by model as in an audit."""
    rng = generator_for(0, "benchmark")
    labels = rng.integers(classes, size=records)
    members = draw_halves(labels, models=models, seed=0)
    base = rng.normal(0, 1, (records, classes)).astype(np.float32)
    base[np.arange(records), labels] += 2
    reduced = []
    for model in range(models):
        logits = base + rng.normal(0, 1, base.shape)
        logits[np.arange(records), labels] += 0.5 * members[model]
        reduced.append(signals_of(Logits(logits), labels))
    return recipe(stack(reduced), members, labels)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=65)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--combined", action="store_true", help="run the combined attack too")
    parser.add_argument("--whole", action="store_true", help="leave out the table of single attacks")
    given = parser.parse_args()
    observations = observed(given.models, given.records, given.classes)
    import sklearn.ensemble  # noqa: F401  (its loading is no part of the attacks' time)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    settings = Settings(shadows=max(given.models - 1, 3))
    with single_threaded():
        fitting = registry.fitting(observations.signals, shadows=settings.shadows)
        fitting = [attack for attack in fitting if given.combined or attack.name != "combined"]
        splits = evaluation.split_targets(observations)
        for attack in [] if given.whole else fitting:
            start = time.process_time()
            evaluation.run_attack(attack, observations, splits)
            print(f"| {attack.name} | {time.process_time() - start:.2f} s |")
        audited = AuditDesign("recipe", given.records, settings.shadows, given.models)
        start = time.process_time()
        result = summary.summarise(fitting, observations, audited, settings)
    print(f"| all attacks, choice and result | {time.process_time() - start:.2f} s |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"| peak memory (with the signals alone: {before:.2f} GiB) | {peak:.2f} GiB |")
    print(f"{result.attack}: {result.advantage}")


if __name__ == "__main__":
    main()
