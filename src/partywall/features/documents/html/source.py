"""Repairs a page's source where an HTML parser would lose text: byte order marks, and the syntax of XHTML."""

from __future__ import annotations

import html
import re
from typing import Final

_MARK: Final = "\ufeff"  # the parser would take it for text of the body, and ignore the head
_HEAD: Final = 2_048
_XHTML: Final = re.compile(r"<\?xml[\s?]|//DTD XHTML|http://www\.w3\.org/1999/xhtml", re.IGNORECASE)
_VOID: Final = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
# An element that ends in its start tag. HTML does not know that, and looks for the end of a script or title.
_EMPTY: Final = re.compile(r"<([A-Za-z][A-Za-z0-9:.-]*+)((?:[^<>/]++|/(?!>))*+)/>")
_EMPTY_RAW: Final = re.compile(r"<(title|script|style|textarea|iframe)((?:\s(?:[^<>/]++|/(?!>))*+)?+)/>", re.IGNORECASE)
_CDATA: Final = "<![CDATA["


def repaired(source: str) -> str:
    source = source.lstrip(_MARK)
    if _XHTML.search(source[:_HEAD]):
        return _without_cdata(_EMPTY.sub(_with_end, source))
    return _EMPTY_RAW.sub(_with_end, source)


def _with_end(found: re.Match[str]) -> str:
    name = found[1]
    return found[0] if name.lower() in _VOID else f"<{name}{found[2]}></{name}>"


def _without_cdata(source: str) -> str:
    first, *parts = source.split(_CDATA)
    if not parts:
        return source
    pieces = [first]
    for part in parts:
        text, end, rest = part.partition("]]>")
        pieces += (html.escape(text, quote=False), rest) if end else (part,)
    return "".join(pieces)
