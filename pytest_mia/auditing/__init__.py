"""The run from request to result: plan, train, attack, summarise. Imports `verdicts` and below."""
