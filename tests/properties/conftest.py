"""What holds for every attack is tried in one thread too."""

from threads import one_thread  # noqa: F401
