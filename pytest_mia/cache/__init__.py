"""What was computed once and may be used again: keys, what training read, files. Imports `results` and below."""
