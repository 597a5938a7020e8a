"""Bodies are UTF-8: read as that, a text of another charset would mean something else, or what nobody has looked at."""

from __future__ import annotations

import re
from typing import Final

from partywall.core.errors import BadRequestError, UnsupportedMediaTypeError

_UTF8: Final = frozenset({b"", b"utf-8", b"utf8", b"us-ascii", b"ascii"})
_CHARSET: Final = re.compile(rb";\s*+charset\s*+=\s*+\"?+([^\s;\"]*+)", re.IGNORECASE)


class InvalidJsonError(BadRequestError):
    code = "invalid_json"
    title = "The body is not valid JSON"


def refuse_other_charsets(content_type: bytes) -> None:
    """Of JSON, where the parameter means nothing, and of forms, where it would have them decoded by it."""
    if any(name.lower() not in _UTF8 for name in _CHARSET.findall(content_type)):
        raise UnsupportedMediaTypeError("A body is read as UTF-8: its Content-Type names no other charset.")


def refuse_wide_json(body: bytes) -> None:
    """JSON in UTF-16 or UTF-32, which the framework's parser would take: they alone have bytes that are 0."""
    if b"\x00" in body:
        raise InvalidJsonError("The body is not UTF-8, or has a character U+0000.")
