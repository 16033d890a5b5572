"""What adapters refuse."""


def find_problems(adapter, model, dataset):
    """Why this fresh model can't be trained, or asked, on these records."""
    return [*dict.fromkeys([*adapter.trainer.problems(model, dataset), *adapter.asker.problems(model, dataset)])]
