"""Removes credentials and e-mail addresses from log values, in linear time."""

from __future__ import annotations

import re
from typing import Final

MOST_CHARACTERS: Final = 8 * 1024
"""The longest logged value; of a longer one the beginning and the end are kept."""

# Most providers' keys begin like this.
_KEY_BEGINS: Final = "sk-"
_SHORTEST_KEY: Final = 10
_CUT: Final = " [...] "
_MOST_SAID: Final = 300
_PART: Final = (MOST_CHARACTERS - len(_CUT)) // 2
_FIRST_BLANK: Final = re.compile(r"\s")

# Possessive quantifiers (`++`) prevent backtracking, so each character is read once.
_WORD: Final = re.compile(r"\S++")
_ADDRESS: Final = re.compile(r"[^\s@'\"<>=,;()]++(?P<domain>@[^\s@'\"<>=,;()]++)?+")
_USER: Final = re.compile(r"(?<=://)[^/:]*+:(?=.)")
_TOKEN: Final = re.compile(r"(?i:\bbearer\s++\S++)|\beyJ[\w-]++(?:\.[\w-]*+)*+|\bpw[a-z]?_[\w-]{16,}+")
# Values quoted in errors: PostgreSQL quotes the row, its driver a parameter, Pydantic the input.
_QUOTED: Final = re.compile(
    r"(DETAIL|invalid input for query argument \$\d++|invalid input syntax for type [a-z ]++|input_value)[:=][^\n]*+"
)


def harmless(text: str) -> bool:
    """Whether the text contains nothing that could need masking."""
    return not (
        "@" in text
        or "earer" in text
        or "BEARER" in text
        or "eyJ" in text
        or "pw" in text
        or "DETAIL:" in text
        or "invalid input " in text
        or "input_value=" in text
    )


def mask(text: str) -> str:
    """The text without credentials and addresses, shortened."""
    text = shortened(text)
    if harmless(text):
        return text
    if "@" in text:
        text = _WORD.sub(_masked_word, text)
    return _QUOTED.sub(r"\1: ***", _TOKEN.sub("***", text))


def shortened(text: str) -> str:
    """The beginning and the end. The end starts at a word: half a credential would not be recognised."""
    if len(text) <= MOST_CHARACTERS:
        return text
    blank = _FIRST_BLANK.search(text, len(text) - _PART)
    return text[:_PART] + _CUT + (text[blank.end() :] if blank else "")


def _masked_word(found: re.Match[str]) -> str:
    word = found.group()
    if "@" not in word:
        return word
    *before, last = word.split("@")
    return _ADDRESS.sub(_masked_address, "@".join([*map(_without_password, before), last]))


def _masked_address(found: re.Match[str]) -> str:
    return "***" if found["domain"] else found.group()


def _without_password(text: str) -> str:
    """Masks the password of `postgresql://user:password`, the text before an `@`."""
    user = _USER.search(text)
    return text if user is None else f"{text[: user.start()]}***"


def _without_key(word: str) -> str:
    before, found, after = word.partition(_KEY_BEGINS)
    # True for "risk-averse"; an escape such as `\n` is not part of a word.
    inside = before[-1:].isalnum() and before[-2:-1] != "\\"
    return f"{before}***" if found and not inside and len(after) >= _SHORTEST_KEY else word


def one_clean_line(said: str, most: int) -> str:
    """A server's message on one line, without control characters and keys, at most `most` characters long."""
    printable = "".join(each if each.isprintable() else " " for each in said[: 4 * most])
    text = " ".join(map(_without_key, mask(printable).split()))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def error_fields(error: BaseException | None) -> dict[str, str]:
    """Log fields: the error's type, and one line of what the system, the driver or the server said.

    Of a database error only the driver's message is used: SQLAlchemy adds the statement and its parameters.
    """
    said = str(getattr(error, "orig", None) or error).partition("\n")[0]
    return {"error": type(getattr(error, "orig", None) or error).__name__, "reason": one_clean_line(said, _MOST_SAID)}
