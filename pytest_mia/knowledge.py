"""What an attacker may know of the training data: records for ``mia_shadow_dataset``, made from the user's own.

Each function returns a `pytest_mia.Dataset` in the type of the records that it was given: arrays, DataFrames, sparse
matrices, tensors, and lists of texts, whose features are their words. The same seed gives the same records.
"""

from pytest_mia.data.attacker_data.query_synthesis import hill_climbing
from pytest_mia.data.attacker_data.synthesis import marginals, noisy, part

__all__ = ["hill_climbing", "marginals", "noisy", "part"]
