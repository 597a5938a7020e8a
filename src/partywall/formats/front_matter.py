"""Front matter of Markdown files, between two lines of `---` (YAML) or `+++` (TOML)."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Final

_ENDS: Final = {"---": ("---", "..."), "+++": ("+++",)}
_KEY: Final = re.compile(r"""["']?[\w.-]++["']?[ \t]*+[:=](?:[ \t]|$)""")
_TITLE: Final = re.compile(r"""["']?title["']?[ \t]*+[:=](?:[ \t]++|$)""", re.IGNORECASE)
_QUOTED: Final = re.compile(r"""'(?P<single>(?:[^']|'')*+)'|"(?P<double>(?:[^"\\]|\\.)*+)\"""")
_ESCAPED: Final = re.compile(r"""\\(["\\/])""")
_FOLDED: Final = re.compile(r"[>|][-+0-9]{0,2}[ \t]*+(?:#.*+)?+")


def split_front_matter(lines: list[str]) -> tuple[str, list[str]]:
    """The title in the front matter (empty if there is none), and the lines after it."""
    ends = _ENDS.get(lines[0].rstrip()) if lines else None
    if ends is None:
        return "", lines
    within = list(takewhile(lambda line: line.rstrip() not in ends, lines[1:]))
    said = [line for line in within if line.strip() and not line.lstrip().startswith("#")]
    is_closed = len(within) + 1 < len(lines)
    if not is_closed or (said and not _KEY.match(said[0]) and not said[0].startswith("[")):
        return "", lines
    return _title(within), lines[len(within) + 2 :]


def _title(lines: list[str]) -> str:
    for at, line in enumerate(lines):
        if line.startswith("["):  # a TOML table: keys below it belong to the table
            return ""
        if key := _TITLE.match(line):
            return _value(line[key.end() :].strip(), lines[at + 1 :])
    return ""


def _value(said: str, below: list[str]) -> str:
    if not said or _FOLDED.fullmatch(said):
        return " ".join(takewhile(lambda line: line[:1] in " \t", filter(str.strip, below)))
    if quoted := _QUOTED.match(said):
        return (
            quoted["single"].replace("''", "'") if quoted["double"] is None else _ESCAPED.sub(r"\1", quoted["double"])
        )
    if said.startswith("#"):
        return ""
    return said.partition(" #")[0]
