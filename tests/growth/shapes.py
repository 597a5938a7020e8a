"""Texts that have made patterns and parsers slow, each of about `n` characters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

type Shape = Callable[[int], str]


def repeated(part: str, end: str = "", start: str = "") -> Shape:
    return lambda n: start + part * (n // len(part)) + end


HOSTILE: Final[dict[str, Shape]] = {
    "blanks": repeated(" "),
    "a heading, blanks, a letter": repeated(" ", "b", "# a"),
    "brackets": repeated("["),
    "nested quotes": repeated("\"'("),
    "addresses": repeated("a@"),
    "digits": repeated("1"),
    "paragraphs": repeated("<p>"),
    "backticks": repeated("`"),
    "ampersands": repeated("&amp"),
    "combining characters": repeated("\u0301\u0323", start="a"),
    "CRLF": repeated("\r\n"),
    "CJK": repeated("\u6f22"),
    "zero width": repeated("\u200b"),
    "one word": repeated("a"),
    "line feeds": repeated("\n"),
    "stops": repeated("a."),
    "commas": repeated("1,"),
    "line ends, blanks": repeated("\n "),
}


HEADINGS: Final[dict[str, Shape]] = {
    "hashes": repeated("#"),
    "hashes, blanks": repeated("# "),
    "a heading, hashes, a letter": repeated(" #", "b", "# a"),
    "blanks, no heading": repeated(" ", start="#"),
    "tabs": repeated("\t", "b", "#"),
}
