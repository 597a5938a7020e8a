"""Front matter of Markdown files, between two lines of `---` (YAML) or `+++` (TOML)."""

from __future__ import annotations

import re
import sys
from itertools import takewhile
from typing import Final

_ENDS: Final = {"---": ("---", "..."), "+++": ("+++",)}
_KEY: Final = re.compile(r"""["']?[\w.-]++["']?[ \t]*+[:=](?:[ \t]|$)""")
_TITLE: Final = re.compile(r"""["']?title["']?[ \t]*+[:=](?:[ \t]++|$)""", re.IGNORECASE)
_QUOTED: Final = re.compile(r"""'(?P<single>(?:[^']|'')*+)'|"(?P<double>(?:[^"\\]|\\.)*+)\"""")
_ESCAPED: Final = re.compile(r"""\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([ntr"\\/]))""")
_NULL: Final = {"~", "null", "Null", "NULL"}
_FOLDED: Final = re.compile(r"[>|][-+0-9]{0,2}[ \t]*+(?:#.*+)?+")


def split_front_matter(lines: list[str]) -> tuple[str, list[str]]:
    """The title in the front matter (empty if there is none), and the lines after it."""
    first = next((at for at, line in enumerate(lines) if line.strip()), 0)
    ends = _ENDS.get(lines[first].rstrip()) if lines else None
    if ends is None:
        return "", lines
    within = list(takewhile(lambda line: line.rstrip() not in ends, lines[first + 1 :]))
    said = [line for line in within if line.strip() and not line.lstrip().startswith("#")]
    after = first + len(within) + 2
    is_closed = after <= len(lines)
    if not is_closed or not (_is_key(said[0]) if said else all(map(str.strip, within))):
        return "", lines
    return _title(within), lines[after:]


def _is_key(line: str) -> bool:
    return line.startswith("[") or _KEY.match(line) is not None


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
    whole = " ".join([said, *takewhile(lambda line: line[:1] in (" ", "\t"), below)])
    if quoted := _QUOTED.match(whole):
        return quoted["single"].replace("''", "'") if quoted["double"] is None else _unescaped(quoted["double"])
    plain = "" if said.startswith("#") else whole.partition(" #")[0].strip()
    return "" if plain in _NULL else plain


def _unescaped(text: str) -> str:
    """JSON writes a character outside the BMP as two escapes, which are joined here."""
    joined = _ESCAPED.sub(_character, text)
    return joined.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _character(escaped: re.Match[str]) -> str:
    code = escaped[1] or escaped[2] or escaped[3]
    if code is None:
        return " " if escaped[4] in "ntr" else escaped[4]
    return chr(int(code, 16)) if int(code, 16) <= sys.maxunicode else "\ufffd"
