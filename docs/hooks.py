"""Pages of the site that stand outside of docs/, and links between the two.

Links are written so that they work in the repository; the site follows them where it has the page, and shows a name
where it hasn't.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
PROJECT = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "benchmarks/README.md": "project/benchmarks.md",
}
"""Pages of the repository that the site shows too."""
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!http)([^)#]+)(#[^)]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the project's pages."""
    for name, page in PROJECT.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links of the repository into links of the site."""
    written = {place: name for name, place in PROJECT.items()}
    here = written.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def turned(found: re.Match[str]) -> str:
        text, target, anchor = found[1], found[2], found[3] or ""
        target = os.path.normpath(os.path.join(os.path.dirname(here), target))
        place = PROJECT.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)
        if place is None:
            return text if text.startswith("`") else f"{text} (`{target}`)"
        return f"[{text}]({os.path.relpath(place, os.path.dirname(page.file.src_uri) or '.')}{anchor})"

    return LINK.sub(turned, markdown)
