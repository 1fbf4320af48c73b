"""Pages as tests read them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "path", "img"}


class Tags(HTMLParser):
    """Whether every tag that opens closes, and the text between."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.mistakes: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if tag not in VOID and (not self.stack or self.stack.pop() != tag):
            self.mistakes.append(tag)

    def handle_data(self, data):
        self.text += data


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\u202f", " ").replace("−", "-"))
