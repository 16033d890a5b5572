"""A drawing of matplotlib's as SVG inside a page: it takes its colours from there, and looks the same in every run."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 3.7
"""Inches. Drawings are as wide as a phone, where their text is then as large as the page's."""
COLOURS = {
    "ink": "#1b1b1b",
    "faint": "#6e6e6e",
    "first": "#0b5cad",
    "second": "#b3470b",
    "third": "#6b4c9b",
}
"""In light, for whoever shows a drawing by itself; a page overrides them as ``--mia-ink`` and so on."""
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "pytest-mia",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "text.parse_math": False,
    "text.color": COLOURS["ink"],
    "axes.edgecolor": COLOURS["faint"],
    "axes.labelcolor": COLOURS["ink"],
    "xtick.color": COLOURS["faint"],
    "ytick.color": COLOURS["faint"],
    "xtick.labelcolor": COLOURS["ink"],
    "ytick.labelcolor": COLOURS["ink"],
}
SVG, LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"


def draw(paint: Callable[[Axes], None], *, name: str, label: str, height: float) -> str:
    """Draw, without a trace in matplotlib's settings.

    Parameters
    ----------
    paint
        Paints on empty axes.
    name
        Sets the drawing's IDs apart from those of others on the page.
    label
        What it shows, in words, for those who can't see it.
    height
        In inches.

    Returns
    -------
    str
        The element ``svg``.
    """
    with matplotlib.rc_context(), warnings.catch_warnings():
        # Such as letters that the font lacks: the browser has them.
        warnings.simplefilter("ignore")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        paint(figure.subplots())
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return _inlined(ElementTree.fromstring(file.getvalue()), name, label)


def _inlined(root: ElementTree.Element, name: str, label: str) -> str:
    """The drawing without what would change the page around it, or clash with another drawing."""
    for unwanted in (f"{SVG}metadata", f"{SVG}defs/{SVG}style/.."):
        for element in root.findall(unwanted):
            root.remove(element)
    for element in root.iter():
        element.tag = element.tag.removeprefix(SVG)
        element.attrib = {key: _own(key, value, name) for key, value in element.attrib.items()}
        if LINK in element.attrib:
            element.set("href", element.attrib.pop(LINK))
    kept = {"xmlns": SVG.strip("{}"), "viewBox": root.attrib["viewBox"]}
    root.attrib = kept | {
        "role": "img",
        "aria-label": label,
        "style": "stroke-linejoin: round; stroke-linecap: butt; width: 100%; height: auto",
    }
    return ElementTree.tostring(root, encoding="unicode")


def _own(key: str, value: str, name: str) -> str:
    """An attribute whose IDs are the drawing's own, and whose colours are the page's."""
    if key == "id":
        return f"{name}-{value}"
    value = value.replace("url(#", f"url(#{name}-")
    if key == LINK:
        return value.replace("#", f"#{name}-", 1)
    for colour, light in COLOURS.items():
        value = value.replace(light, f"var(--mia-{colour}, {light})")
    return value
