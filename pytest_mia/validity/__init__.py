"""Can this audit answer the question at all? Pure checks, one a file. Imports `attacks` and below."""
