"""Attacks run in one thread, as an audit runs them."""

from threads import one_thread  # noqa: F401
