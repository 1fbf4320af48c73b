"""SVG built as a tree, so that no title in the data can break out of its attribute or its text."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable

from recdistill.evaluation.report.wording import Real

Element = ET.Element


def element(tag: str, *children: Element | str, **attributes: str | Real | None) -> Element:
    """An element; `class_` means `class`, underscores mean hyphens, numbers keep 1/100 pixel."""
    made = ET.Element(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(name.rstrip("_").replace("_", "-"), _text(value))
    for child in children:
        if isinstance(child, str):
            made.text = (made.text or "") + child
        else:
            made.append(child)
    return made


def _text(value: str | Real) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def text(content: str, x: Real, y: Real, style: str, anchor: str = "start") -> Element:
    """A line of text whose middle stands at `y`."""
    return element("text", content, x=x, y=y, dy="0.35em", class_=style, text_anchor=anchor)


def line(x1: Real, y1: Real, x2: Real, y2: Real, style: str) -> Element:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=style)


def group(children: Iterable[Element], style: str, hover: str = "") -> Element:
    """Elements that share a style and a hover text."""
    return element("g", *([element("title", hover)] if hover else []), *children, class_=style)


def drawing(width: Real, height: Real, label: str, children: Iterable[Element]) -> str:
    """A whole chart as text; `label` is what a screen reader says for it."""
    root = element(
        "svg", *children, viewBox=f"0 0 {_text(width)} {_text(height)}", width=width, height=height,
        role="img", aria_label=label, class_="chart",
    )  # fmt: skip
    return ET.tostring(root, encoding="unicode")
