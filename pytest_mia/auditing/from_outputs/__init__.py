"""The audit of models that were trained elsewhere, from their answers."""
