"""What a Markdown file calls itself: the title in its front matter, or else its first heading.

Code, comments and scripts are passed over. Looks no further than the file's beginning, and at each line once.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Final

from partywall.formats.front_matter import split_front_matter

SEARCHED: Final = 64 * 1024
"""In characters; what no heading has come in by then is called by its name."""
_LONGEST_HEADING: Final = 1000

# What a pattern has taken it gives back nowhere (`++`, `*+`): so none takes more than linear time, whatever the line.
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_HASHES: Final = re.compile(r" {0,3}+#{1,6}+[ \t]++(?=[^\s#])")
_UNDERLINE: Final = re.compile(r" {0,3}+(?:=++|-++)[ \t]*+")
# Also the first of a list's item.
_FENCE: Final = re.compile(r"[ \t]*+(?:(?:[-*+]|\d{1,9}+[.)])[ \t]++)?+(?P<mark>`{3,}+(?=[^`]*+$)|~{3,}+)")
_RAW: Final = re.compile(r" {0,3}+<(?:(?P<comment>!--)|(?P<tag>script|style|pre|textarea)(?=[\s>]|$))", re.IGNORECASE)
_TAGGED: Final = re.compile(r"[ \t]*+<(?P<tag>h[1-6])(?=[\s>])", re.IGNORECASE)
_TAG: Final = re.compile(r"<!--.*?-->|<[/A-Za-z][^<>]*+>")
# No paragraph, so that a line below is no part of a heading: a quotation, a list, a table, code that is indented.
_OTHER: Final = re.compile(r" {4}| {0,3}+(?:\t|>|\||[-*+][ \t]|\d{1,9}+[.)][ \t]|<|#{1,6}+[ \t]*+$)")


def markdown_title(text: str) -> str:
    """In one line; empty where there is none."""
    titled, lines = split_front_matter(_LINE_END.split(text[:SEARCHED].removeprefix("\ufeff")))
    if titled:
        return one_line(titled)
    return next((title for each in _headings(iter(lines)) if (title := one_line(each))), "")


def one_line(text: str) -> str:
    return " ".join(text.split())


def _headings(lines: Iterator[str]) -> Iterator[str]:
    """At any level; a paragraph becomes one where a line of `=` or `-` follows."""
    paragraph, is_other = "", False
    for line in lines:
        before, paragraph = paragraph, ""
        if _skips(line, lines) or not line.strip():
            is_other = False
        elif heading := _HASHES.match(line):
            yield _without_closing(line[heading.end() :][:_LONGEST_HEADING])
        elif tagged := _TAGGED.match(line):
            yield _tagged(line[tagged.start() :], lines, f"</{tagged['tag']}".lower())
        elif _UNDERLINE.fullmatch(line):
            yield before
        elif is_other or (not before and _OTHER.match(line)):
            is_other = True
        else:
            paragraph = f"{before} {line}"[:_LONGEST_HEADING]


def _skips(line: str, lines: Iterator[str]) -> bool:
    """Whether code, a comment or a script begins here; it is read to its end, as far as there is one."""
    if fence := _FENCE.match(line):
        _read_fence(fence["mark"], lines)
        return True
    raw = _RAW.match(line)
    if raw is None:
        return False
    end = "-->" if raw["comment"] else f"</{raw['tag'].lower()}"
    if end not in line[raw.end() :].lower():
        next((each for each in lines if end in each.lower()), None)
    return True


def _read_fence(mark: str, lines: Iterator[str]) -> None:
    """It closes on its own character, as often or more often."""
    for line in lines:
        closing = line.strip(" \t")
        if len(closing) >= len(mark) and not closing.strip(mark[0]):
            return


def _tagged(line: str, lines: Iterator[str], end: str) -> str:
    """A heading written in HTML, which may go over several lines."""
    text = line
    while end not in text.lower() and len(text) < _LONGEST_HEADING and (more := next(lines, None)):
        text = f"{text} {more}"
    inside = text[: 2 * _LONGEST_HEADING]
    ends = inside.lower().find(end)
    return html.unescape(_TAG.sub("", inside[:ends] if ends >= 0 else inside))


def _without_closing(heading: str) -> str:
    """Without the hashes that may close it behind a blank, the name that it may have, and comments."""
    text = _TAG.sub("", heading).rstrip() if "<!--" in heading else heading.rstrip()
    name = text.rfind("{#")
    if name > 0 and text.endswith("}"):
        text = text[:name].rstrip()
    bare = text.rstrip("#")
    return bare.rstrip() if bare[-1:].isspace() else text
