"""torch where it is installed, and the marks of those who need it: where it is not, they skip and say so."""

import pytest

try:
    import torch
except ModuleNotFoundError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="torch is not installed")

Tensor = torch.Tensor if torch else ()
"""The second argument of isinstance."""


def generator_state():
    """The state of torch's generator, or nothing."""
    return torch.get_rng_state().tolist() if torch else None


def torch_case(make, *others):
    """A case of a test whose first value can only be made with torch."""
    return pytest.param(make() if torch else None, *others, marks=needs_torch)


def named_cases(table):
    """The names in a table of cases; values that are None are those that torch would make."""
    return [pytest.param(name, marks=needs_torch if value is None else ()) for name, value in table.items()]
