"""Reads a language tag (BCP 47), of which only the language counts."""

from __future__ import annotations

from functools import cache
from typing import Final

_LENGTHS: Final = range(2, 4)
# Several languages, none, one that is not coded, one that is not known; and those for private use.
_NO_LANGUAGE: Final = frozenset({"mul", "zxx", "mis", "und"})
_PRIVATE: Final = ("qaa", "qtz")


@cache
def _standard(code: str) -> str | None:
    """The standard form of a code of three letters at most; None if it is no language."""
    # lint: allow import-in-function - its tables take 3 MB, and most processes see no such tag
    from langcodes import standardize_tag, tag_is_valid  # noqa: PLC0415 - see above

    return standardize_tag(code, macro=True).partition("-")[0] if tag_is_valid(code) else None


def language_code(tag: str) -> str | None:
    """The shortest ISO 639 code of the language, such as `de` for `deu`, `ger` and `DE-AT`; None if there is none.

    A language within a group that is written alike has the code of the group: `zh` for `cmn`.
    """
    code = tag.strip().lower().replace("_", "-").partition("-")[0]
    if len(code) not in _LENGTHS or not (code.isascii() and code.isalpha()):
        return None
    if code in _NO_LANGUAGE or _PRIVATE[0] <= code <= _PRIVATE[1]:
        return None
    return _standard(code)
