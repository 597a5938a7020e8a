"""The title of a Markdown file: from its front matter, or else its first heading.

Skips code, comments and scripts. Reads only the beginning of the file, and each line once.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Final

from partywall.formats.front_matter import split_front_matter

SEARCHED: Final = 64 * 1024
"""In characters; a file without a heading up to here is named after its file name."""
_LONGEST_HEADING: Final = 1000

# Possessive quantifiers (`++`, `*+`) do not backtrack, so every pattern runs in linear time.
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_HASHES: Final = re.compile(r" {0,3}+#{1,6}+[ \t]++(?=[^\s#])")
_UNDERLINE: Final = re.compile(r" {0,3}+(?:=++|-++)[ \t]*+")
# May also begin a list item.
_FENCE: Final = re.compile(r"[ \t]*+(?:(?:[-*+]|\d{1,9}+[.)])[ \t]++)?+(?P<mark>`{3,}+(?=[^`]*+$)|~{3,}+)")
_RAW: Final = re.compile(r" {0,3}+<(?:(?P<comment>!--)|(?P<tag>script|style|pre|textarea)(?=[\s>]|$))", re.IGNORECASE)
_TAGGED: Final = re.compile(
    r"[ \t]*+(?:<(?:a|center|div|header|p|section|span)(?=[\s>])[^<>]*+>[ \t]*+)*+<(?P<tag>h[1-6])(?=[\s>])",
    re.IGNORECASE,
)
# Code, a picture (left out), strong text, a link.
_MARKUP: Final = re.compile(
    r"`([^`]++)`|!\[[^\[\]]*+\]\([^()]*+\)|\*\*(?!\s)([^*]++)(?<!\s)\*\*|\[([^\[\]]*+)\]\([^()]*+\)"
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_WITHOUT_WIDTH: Final = re.compile("[\u200b\u2060\ufeff]")
_TAG: Final = re.compile(r"<!--.*?-->|<[/A-Za-z][^<>]*+>")
# Not a paragraph, so an underline below makes no heading: a quotation, a list, a table, indented code.
_OTHER: Final = re.compile(r" {4}| {0,3}+(?:\t|>|\||[-*+][ \t]|\d{1,9}+[.)][ \t]|<|#{1,6}+[ \t]*+$)")


def markdown_title(text: str) -> str:
    """The title in one line; empty if there is none."""
    titled, lines = split_front_matter(_LINE_END.split(text[:SEARCHED].removeprefix("\ufeff")))
    if title := one_line(titled[:_LONGEST_HEADING]):
        return title
    return next((title for each in _headings(iter(lines)) if (title := one_line(each))), "")


def one_line(text: str) -> str:
    """The text without control characters; empty if nothing of it is visible."""
    line = " ".join(_WITHOUT_WIDTH.sub("", _CONTROL.sub(" ", text)).split())
    return line if any(each.isprintable() for each in line.replace(" ", "")) else ""


def _headings(lines: Iterator[str]) -> Iterator[str]:
    """Headings of any level; a paragraph followed by a line of `=` or `-` is one."""
    paragraph, is_other = "", False
    for line in lines:
        before, paragraph = paragraph, ""
        if _skips(line, lines) or not line.strip():
            is_other = False
        elif heading := _HASHES.match(line):
            yield _without_markup(_without_closing(line[heading.end() :][:_LONGEST_HEADING]))
        elif tagged := _TAGGED.match(line):
            yield _tagged(line[tagged.start() :], lines, f"</{tagged['tag']}".lower())
        elif _UNDERLINE.fullmatch(line):
            yield _without_markup(before)
        elif is_other or (not before and _OTHER.match(line)):
            is_other = True
        else:
            paragraph = f"{before} {line}"[:_LONGEST_HEADING]


def _skips(line: str, lines: Iterator[str]) -> bool:
    """Whether code, a comment or a script begins here; consumes its lines up to its end, if any."""
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
    """Consumes lines up to the closing fence: the same character, at least as many times."""
    for line in lines:
        closing = line.strip(" \t")
        if len(closing) >= len(mark) and not closing.strip(mark[0]):
            return


def _tagged(line: str, lines: Iterator[str], end: str) -> str:
    """The text of an HTML heading, which may span several lines."""
    text = line
    while end not in text.lower() and len(text) < _LONGEST_HEADING and (more := next(lines, None)):
        text = f"{text} {more}"
    inside = text[: 2 * _LONGEST_HEADING]
    ends = inside.lower().find(end)
    return html.unescape(_TAG.sub("", inside[:ends] if ends >= 0 else inside))


def _without_markup(heading: str) -> str:
    for _ in range(2):  # one may contain another
        heading = _MARKUP.sub(lambda found: next(filter(None, found.groups()), ""), heading)
    return heading


def _without_closing(heading: str) -> str:
    """The heading without closing hashes after a blank, a `{#name}` and comments."""
    text = _TAG.sub("", heading).rstrip() if "<!--" in heading else heading.rstrip()
    name = text.rfind("{#")
    if name > 0 and text.endswith("}"):
        text = text[:name].rstrip()
    bare = text.rstrip("#")
    return bare.rstrip() if bare[-1:].isspace() else text
