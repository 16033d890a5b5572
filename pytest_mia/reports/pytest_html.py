"""The figures of a test in the report of pytest-html."""

from __future__ import annotations

import html
import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

DRAWN_BY = "matplotlib"


def extras(audits: Sequence[Mapping[str, Any]], test: str) -> list[dict[str, str | None]]:
    """What ``report.extras`` takes: one figure each, as HTML; none where matplotlib isn't installed.

    Parameters
    ----------
    audits
        The audits of one test, as `AuditResult.to_dict` gives them.
    test
        Its node ID, which sets its figures apart from those of other tests.
    """
    if importlib.util.find_spec(DRAWN_BY) is None:
        return []
    from pytest_mia.reports import plots

    found = [
        each
        for place, audit in enumerate(audits, start=1)
        for each in plots.draw_audit(audit, f"mia-{test.encode().hex()}-{place}")
    ]
    return [_extra(each.svg, html.escape(each.caption)) for each in found]


def _extra(svg: str, caption: str) -> dict[str, str | None]:
    content = f'<figure style="max-width: 27rem">{svg}<figcaption>{caption}</figcaption></figure>'
    return {"name": None, "format_type": "html", "content": content, "mime_type": None, "extension": None}
