"""Reads a language tag (BCP 47), of which only the language counts."""

from __future__ import annotations

from typing import Final

from langcodes import standardize_tag, tag_is_valid

_LENGTHS: Final = range(2, 4)
# Several languages, none, one that is not coded, one that is not known; and those for private use.
_NO_LANGUAGE: Final = frozenset({"mul", "zxx", "mis", "und"})
_PRIVATE: Final = ("qaa", "qtz")


def language_code(tag: str) -> str | None:
    """The shortest ISO 639 code of the language, such as `de` for `deu`, `ger` and `DE-AT`; None if there is none.

    A language within a group that is written alike has the code of the group: `zh` for `cmn`.
    """
    code = tag.strip().lower().replace("_", "-").partition("-")[0]
    if len(code) not in _LENGTHS or not (code.isascii() and code.isalpha()) or not tag_is_valid(code):
        return None
    if code in _NO_LANGUAGE or _PRIVATE[0] <= code <= _PRIVATE[1]:
        return None
    return standardize_tag(code, macro=True).partition("-")[0]
