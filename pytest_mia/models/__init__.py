"""Adapters: how a model of a kind is trained and asked, and its answers as signals. Imports `cache` and below."""
