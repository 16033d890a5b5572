"""The hash of code that is sent to another process, which compares it with what it was given."""

from __future__ import annotations

from typing import Any

from pytest_mia.cache import pickling, user_modules
from pytest_mia.cache.content_key import QuickWalk, UnhashableValue, walked


def hash_sent_content(value: Any) -> str | None:
    """As `try_hash_content`, for comparison with another process, where classes may be made anew."""
    try:
        return walked(value, SentWalk()).hash.hexdigest()
    except UnhashableValue:
        return None


class SentWalk(QuickWalk):
    """The same walk without what is another in another process though it does the same.

    A class inside of a function forgets which one. A class that is sent as code is made anew there, where its bases may
    give it more than here, as those of scikit-learn do.
    """

    def _name(self, cls: type) -> str:
        return cls.__name__

    def _attributes(self, cls: type) -> dict[str, Any]:
        found = super()._attributes(cls)
        if not pickling.is_sent(cls):
            return found
        return {name: value for name, value in found.items() if user_modules.is_user_function(value)}
