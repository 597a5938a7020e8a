"""Walks through a parsed page, and writes what a person reads."""

from __future__ import annotations

import re
from enum import Flag, IntEnum, auto
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from partywall.features.documents.html.elements import (
    BLOCKS,
    NEVER_READ,
    PREFORMATTED,
    Attributes,
    is_hidden,
    is_left_out,
    part_of,
)
from partywall.features.documents.html.text import clean
from partywall.features.documents.html.writer import Writer

_LISTS: Final = frozenset({"ul", "ol", "menu", "dir"})
_HEADING: Final = {f"h{level}": level for level in range(1, 7)}
_INSIDE: Final = frozenset({"main", "article", "section"})
# With headers and footers of their own.
_OWNERS: Final = _INSIDE | {"blockquote", "figure", "td", "details", "fieldset"}
_QUESTIONS: Final = frozenset({"summary", "dt"})
_LANGUAGE: Final = re.compile(r"(?:^|\s)(?:language|lang)-([A-Za-z0-9+#_-]{1,20})(?:$|\s)")
_MOST_ROWS: Final = 65_534
_MOST_COLUMNS: Final = 1_000


class Care(IntEnum):
    """What is left out. Each is for pages that have no text with the one before."""

    AROUND_AND_HIDDEN = 0
    HIDDEN = 1
    NOTHING = 2


class Begun(Flag):
    """What an element began, and ends."""

    NOTHING = 0
    REGION = auto()
    LINK = auto()
    INSIDE = auto()
    OWNER = auto()
    QUESTION = auto()
    BUTTON = auto()
    PREFORMATTED = auto()


def walk(tree: LexborHTMLParser, care: Care) -> Walker:
    """Iterative, because pages may be nested to any depth and have any number of siblings."""
    walker = Walker(care)
    entered: list[tuple[LexborNode, str, Begun]] = []
    node: LexborNode | None = tree.root
    while node is not None or entered:
        if node is None:
            node, tag, begun = entered.pop()
            walker.leave(tag, begun)
        elif (tag := node.tag or "-") == "-text":
            walker.text(node.text(deep=False))
        elif tag[0] not in "-!" and tag not in NEVER_READ:
            begins = walker.enter(node, tag)
            if begins is not None:
                entered.append((node, tag, begins))
                node = node.child
                continue
        node = node.next if entered else None
    return walker


class Walker:
    def __init__(self, care: Care) -> None:
        self.writer = Writer()
        self.title = ""
        self._care = care
        self._insides = 0
        self._owners = 0
        self._questions = 0
        self._buttons = 0

    def text(self, text: str) -> None:
        if not self._buttons or self.writer.level:  # a heading in a button is a heading
            self.writer.add(text)

    def enter(self, node: LexborNode, tag: str) -> Begun | None:
        """Begins an element. None if its text is left out."""
        attributes: Attributes = node.attributes
        is_block = tag in BLOCKS
        if attributes and self._is_left_out(tag, attributes, is_block=is_block):
            return None
        if is_block:
            return self._enter_block(tag, attributes)
        if tag == "a":
            return self._enter_link(node, attributes)
        if tag == "title":  # of a page whose head is not complete
            self.title = self.title or node.text()
            return None
        if tag == "br":
            self.writer.break_line()
        elif tag == "img":
            self.writer.note_image(attributes.get("alt") or "")
        elif tag == "button" and not (self._care or self.writer.level or self._questions):
            self._buttons += 1
            return Begun.BUTTON
        return Begun.NOTHING

    def _is_left_out(self, tag: str, attributes: Attributes, *, is_block: bool) -> bool:
        if self._care < Care.NOTHING and is_hidden(tag, attributes):
            return True
        if self._care > Care.AROUND_AND_HIDDEN:
            return False
        return is_left_out(attributes) or (not is_block and attributes.get("aria-hidden") == "true")

    def _enter_link(self, node: LexborNode, attributes: Attributes) -> Begun | None:
        href = attributes.get("href")
        if href is None:
            return Begun.NOTHING
        if href.startswith("#") and _is_symbol(node.child):
            return None
        self.writer.links += 1
        return Begun.LINK

    def _enter_block(self, tag: str, attributes: Attributes) -> Begun:
        if self.writer.pre:
            self.writer.begin_line()
            return Begun.NOTHING
        self.writer.end()
        begun = Begun.NOTHING
        if self._care is Care.AROUND_AND_HIDDEN and tag not in ("html", "body"):
            part = part_of(tag, attributes, is_inside=self._insides > 0, is_own=self._owners > 0)
            if part is not None:
                self.writer.begin_region(part)
                begun |= Begun.REGION
        if tag in _INSIDE or attributes.get("role") == "main":
            self._insides += 1
            begun |= Begun.INSIDE
        if tag in _OWNERS:
            self._owners += 1
            begun |= Begun.OWNER
        if tag in _QUESTIONS:
            self._questions += 1
            begun |= Begun.QUESTION
        if tag in PREFORMATTED:
            self.writer.begin_code(_language(attributes))
            begun |= Begun.PREFORMATTED
        self._begin(tag, attributes)
        return begun

    def _begin(self, tag: str, attributes: Attributes) -> None:
        writer = self.writer
        if tag in _HEADING or attributes.get("role") == "heading":
            writer.level = _HEADING.get(tag) or _number(attributes.get("aria-level"), 2, 6)
        elif tag in _LISTS:
            writer.begin_list(_number(attributes.get("start"), 1) if tag == "ol" else None)
        elif tag == "li":
            writer.begin_item(_number(attributes.get("value"), -1))
        elif tag == "table":
            writer.begin_table(is_layout=attributes.get("role") in ("presentation", "none"))
        elif tag == "tr":
            writer.row()
        elif tag in ("td", "th"):
            columns = _number(attributes.get("colspan"), 1, _MOST_COLUMNS)
            writer.cell(columns, _number(attributes.get("rowspan"), 1, _MOST_ROWS), is_head=tag == "th")

    def leave(self, tag: str, begun: Begun) -> None:
        writer = self.writer
        if tag in BLOCKS:
            if begun or not writer.pre:
                self._leave_block(tag, begun)
        elif begun is Begun.LINK:
            writer.links -= 1
        elif begun is Begun.BUTTON:
            self._buttons -= 1

    def _leave_block(self, tag: str, begun: Begun) -> None:
        writer = self.writer
        writer.end()
        if tag in _LISTS:
            writer.end_list()
        elif tag == "table":
            writer.end_table()
        writer.level = 0
        if not begun:
            return
        if Begun.PREFORMATTED in begun:
            writer.pre = False
        if Begun.REGION in begun:
            writer.end_region()
        self._insides -= Begun.INSIDE in begun
        self._owners -= Begun.OWNER in begun
        self._questions -= Begun.QUESTION in begun


def _is_symbol(child: LexborNode | None) -> bool:
    """Whether a link has no words, as one from a heading to itself."""
    if child is None or child.tag != "-text" or child.next is not None:
        return False
    return not any(each.isalnum() for each in clean(child.text(deep=False)))


def _language(attributes: Attributes) -> str:
    found = _LANGUAGE.search((attributes.get("class") or "").lower())
    return found[1] if found else ""


def _number(written: str | None, default: int, largest: int = 999_999_999) -> int:
    text = (written or "").strip()
    return min(int(text), largest) if text.isascii() and text.isdigit() and len(text) < 10 else default
