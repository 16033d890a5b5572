"""A result and a limit in, a verdict with its words out. Imports `validity` and below."""
