"""Checks before any training: whether the settings and the records allow an audit, and what it can show."""

from __future__ import annotations

from pytest_mia.attacks import registry as attacks
from pytest_mia.core.request import AuditRequest
from pytest_mia.core.settings import Settings
from pytest_mia.core.text import counted
from pytest_mia.data.memberships import independent_share
from pytest_mia.data.records import Records
from pytest_mia.models.queries import augment, registry
from pytest_mia.statistics import least_records, least_records_to_pass, records_to_pass

ANY_LIMIT = 1e-6


def find_attack_problems(settings: Settings) -> list[str]:
    """Problems with the attacks that were named: unknown names, and names that can't be combined."""
    asked = settings.attacks or ()
    strange, asking = attacks.unknown(asked), registry.names_that_measure(attacks.reads(asked))
    found = []
    if strange:
        found.append(f"unknown attack {', '.join(map(repr, strange))}; the attacks are {', '.join(attacks.known())}")
    if attacks.DEFAULT in asked and asking:
        found.append(
            f"{', '.join(asking)} asks about changed records, so it can't be combined with {attacks.DEFAULT}; leave "
            f"{attacks.DEFAULT} out, and name all attacks to run (pytest --mia-list-attacks shows them)"
        )
    return found


def find_augment_problems(request: AuditRequest, settings: Settings, records: Records | None) -> list[str]:
    """Why models can't be asked about changed copies."""
    if request.augment is not None:
        return [] if records is None else augment.find_problems(request.augment, records.data.X)
    asked = [name for name in settings.attacks or () if any("augmented" in field for field in attacks.reads([name]))]
    if not asked:
        return []
    return [f"{', '.join(asked)} asks about changed copies of records; give mia_augment, a function augment(X, rng)"]


def find_size_problems(records: Records, settings: Settings, threshold: float | None) -> list[str]:
    """The problem that there are too few records for any verdict."""
    size, targets = _count_units(records, settings)
    least = least_records(threshold or ANY_LIMIT, targets=targets, alpha=1 - settings.confidence)
    if size >= least:
        return []
    needed = f"at least {least} are needed, half of them non-members"
    return [f"{_name_units(size, records)} {'is' if size == 1 else 'are'} too few for any verdict; {needed}"]


def describe_outlook(records: Records, settings: Settings, threshold: float | None) -> tuple[str, ...]:
    """What to expect of a model without any leak, where it isn't a pass."""
    if threshold is None:
        return ()
    size, targets = _count_units(records, settings)
    alpha = 1 - settings.confidence
    least = least_records_to_pass(threshold, targets=targets, alpha=alpha)
    if size < least:
        needed = f"however little it leaks; {least} are needed"
        return (f"no model can pass at {threshold:g} with {_name_units(size, records)}, {needed}",)
    likely = records_to_pass(threshold, targets=targets, alpha=alpha)
    if size < likely:
        return (
            f"even a model without any leak may fail to pass at {threshold:g} with {_name_units(size, records)}; "
            f"with {likely} it passes four times in five, if the attack takes half of them for members",
        )
    return ()


def _count_units(records: Records, settings: Settings) -> tuple[int, int]:
    """Records that count (twice the smaller side, as many as are independent of each other), and target models."""
    share = independent_share(None if records.groups is None else records.groups[: records.audited])
    if records.members is None:
        return int(records.audited * share), settings.shadows + 1
    smaller = int(2 * min(records.members.sum(), (~records.members).sum()) * share)
    return (smaller if settings.shadows else smaller // 2), 1


def _name_units(size: int, records: Records) -> str:
    if records.groups is None:
        return counted(size, "record")
    return f"{counted(size, 'independent record')} (a group, or a record with its copies, counts as about one)"
