"""The page in a real browser, where there is one: nothing sticks out at the width of a desktop or of a phone."""

import json
import re
import shutil
import subprocess

import pytest
from test_golden import fixed

from pytest_mia.reports import html

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")
MEASURE = """<script>
const wide = document.documentElement.clientWidth;
const out = [...document.querySelectorAll("body *")].filter(each => each.getBoundingClientRect().right > wide + 1
  && !each.closest(".scroll") && !each.closest("svg")).map(each => each.tagName);
document.body.dataset.found = JSON.stringify({wide, scroll: document.documentElement.scrollWidth, out,
  figures: [...document.querySelectorAll("figure svg")].map(each => each.getBoundingClientRect().width)});
</script>"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium isn't installed"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "mia.html"
    text = html.page([fixed().to_dict()])
    path.write_text(text.replace("</body>", f"{MEASURE}</body>"), encoding="utf-8")
    return path


def browse(page, *args):
    command = [CHROMIUM, *QUIET, f"--user-data-dir={page.parent / 'profile'}", *args, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_sticks_out(page, width):
    text = browse(page, f"--window-size={width},1000", "--dump-dom")
    found = json.loads(re.search(r"data-found='([^']*)'|data-found=\"([^\"]*)\"", text)[2].replace("&quot;", '"'))
    assert found["scroll"] <= found["wide"]
    assert found["out"] == []
    assert len(found["figures"]) == 7
    assert min(found["figures"]) > 200


@pytest.mark.parametrize("width", [1280, 390])
def test_a_screenshot_shows_something(page, width):
    picture = page.with_name(f"{width}.png")
    browse(page, f"--window-size={width},2000", f"--screenshot={picture}")
    content = picture.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert int.from_bytes(content[16:20]) == width
    # An empty page of this size takes about ten thousand bytes.
    assert len(content) > 50_000
