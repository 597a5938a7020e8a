"""A page's title: what it calls itself, without what all pages of its site have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from selectolax.lexbor import LexborHTMLParser

from partywall.features.documents.html.regions import Block
from partywall.features.documents.html.text import clean, squeezed

_SEARCHED: Final = 50  # blocks at the beginning of the text
_LONGEST: Final = 1_000
_SEPARATOR: Final = re.compile(r"\s[-\u2013\u2014|\u00b7\u2022\u00bb\u00ab:]{1,3}\s|:\s|\||\u2014|\s\(")
_BY_PROGRAM: Final = re.compile(
    r"(?:untitled|document|title|new page|home ?page)\W*\d*$|microsoft word - |[^\s]*\.[sx]?html?$", re.IGNORECASE
)
_OF_SPHINX: Final = re.compile(r" \u2014 [^\u2014]{1,200} [Dd]ocumentation$")  # also of pages without a heading
_WORD: Final = re.compile(r"\w+")
_SITES: Final = 'meta[property="og:site_name"], meta[name="application-name"]'
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")


def title_of_page(tree: LexborHTMLParser, in_body: str, blocks: Sequence[Block], around: Sequence[Block]) -> str:
    """The text in the page that its `<title>` contains, or else the `<title>`, or else the first heading.

    `in_body` is a `<title>` outside of the head; `around` are all blocks, also those that are not the page's text.
    """
    beginning = list(islice(blocks, _SEARCHED))
    node = tree.css_first("head > title")
    declared = _OF_SPHINX.sub("", (_line(node.text()) if node is not None else "") or _line(in_body))
    shared = _content(tree, 'meta[property="og:title"]')
    title = shared if _BY_PROGRAM.match(declared) else declared or shared
    if not title or _words(title) == _words(_content(tree, _SITES)):
        return next((block.plain for block in beginning if block.level), "") or title or declared
    if found := _shown(title, beginning):
        return found
    return shared if _contains(_words(title), _words(shared)) else _without_site(title, around)


def language_of(tree: LexborHTMLParser) -> str:
    root = tree.css_first("html")
    attributes = root.attributes if root is not None else {}
    for said in (
        attributes.get("lang"),
        attributes.get("xml:lang"),
        _content(tree, 'meta[http-equiv="content-language" i]'),
    ):
        if found := _LANGUAGE.fullmatch((said or "").strip()):
            return found[0].replace("_", "-")
    return ""


def _line(text: str) -> str:
    return squeezed(clean(text[:_LONGEST])).strip()


def _content(tree: LexborHTMLParser, selector: str) -> str:
    node = tree.css_first(selector)
    return _line(node.attributes.get("content") or "") if node is not None else ""


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _shown(title: str, beginning: Iterable[Block]) -> str:
    """What the page shows of its title: the text that has most words in common with it."""
    page, site = _parts(title)
    words = _words(title)
    best, most = "", 0
    for block in beginning:
        if len(block.plain) > _LONGEST:
            continue
        own = _words(block.plain)
        common = _common(words, page, site, own) if block.level or own in (page, site) else 0
        if common > most:
            best, most = block.plain, common
    return _line(best)


def _parts(title: str) -> tuple[list[str], list[str]]:
    """The words for the page and, if there are any, those for its site: `Page - Site` or `Site: Page`."""
    marks = list(_SEPARATOR.finditer(title))
    if not marks:
        return _words(title), []
    if len(marks) == 1 and marks[0][0].strip() == ":":
        return _words(title[marks[0].end() :]), _words(title[: marks[0].start()])
    return _words(title[: marks[0].start()]), _words(title[marks[-1].end() :])


def _without_site(title: str, around: Sequence[Block]) -> str:
    """Without the name of the site at its end, if that is a heading of the page."""
    marks = list(_SEPARATOR.finditer(title))
    site = _words(title[marks[-1].end() :]) if marks else []
    shows = site and any(_words(block.plain) == site for block in around if block.level)
    return title[: marks[-1].start()].strip() if shows else title


def _common(words: Sequence[str], page: Sequence[str], site: Sequence[str], own: Sequence[str]) -> int:
    """How much a text has in common with a title."""
    if own == site:  # or the page's name after that of its site, which it repeats
        return len(own) if _contains(own, page) else 0
    if _contains(words, own):
        return 2 * len(own)
    if _contains(own, page):
        return 2 * len(page)
    shared = sum(word in page for word in own)
    return shared if len(own) > 1 and shared * 3 >= len(own) * 2 else 0


def _contains(words: Sequence[str], part: Sequence[str]) -> bool:
    return bool(part) and any(words[at : at + len(part)] == part for at in range(len(words) - len(part) + 1))
