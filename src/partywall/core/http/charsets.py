"""Bodies are UTF-8: read as that, a text of another charset would mean something else, or what nobody has looked at."""

from __future__ import annotations

import codecs
import re
from collections.abc import Buffer
from typing import Final

from starlette.types import Scope

from partywall.core.errors import BadRequestError, UnsupportedMediaTypeError

_FORM: Final = b"multipart/form-data"
_FORM_CODEC: Final = "partywall_form"
# What a parameter says that is called `charset`, or by a form of that name (`charset*`, `charset*0`) that nobody needs.
_CHARSET: Final = re.compile(rb"[;,]\s*+charset(?=[\s=*;,]|$)([^;,]*+)", re.IGNORECASE)
_BEYOND_ASCII: Final = re.compile(rb"[\x80-\xff]")
_PLAIN: Final = rb"(?:utf-?8|us-ascii|ascii)"
_UTF8: Final = re.compile(rb'\s*+(?:=\s*+(?:"%b?"|%b?)\s*+)?' % (_PLAIN, _PLAIN), re.IGNORECASE)


class InvalidJsonError(BadRequestError):
    code = "invalid_json"
    title = "The body is not valid JSON"


def other_charset(content_type: bytes) -> str | None:
    """The first that is not plainly UTF-8 of those that it names."""
    said: list[bytes] = _CHARSET.findall(content_type)
    return next((each.decode("latin-1").strip("= \t") for each in said if _UTF8.fullmatch(each) is None), None)


def refuse_other_charsets(content_type: bytes) -> None:
    """Of JSON, where the parameter means nothing, and of forms, where it would have them decoded by it."""
    if other_charset(content_type) is not None:
        raise UnsupportedMediaTypeError("A body is read as UTF-8: its Content-Type names no other charset.")


def refuse_wide_json(body: bytes) -> None:
    """JSON in UTF-16 or UTF-32, which the framework's parser would take: they alone have bytes that are 0."""
    if b"\x00" in body:
        raise InvalidJsonError("The body is not UTF-8, or has a character U+0000.")


def escaped(form: bytes) -> bytes:
    """A form in UTF-8, as it should have been sent: the framework takes bytes that are not escaped for Latin-1."""
    return _BEYOND_ASCII.sub(lambda found: b"%%%02X" % found[0][0], form)


def read_form_strictly(scope: Scope) -> None:
    """The framework takes what is not UTF-8 for Latin-1; by our codec it has lone surrogates, which are refused.

    The last `charset` counts. The one that the client has given is UTF-8. The scope is not copied: the log reads
    what the router adds to it.
    """
    scope["headers"] = [
        (name, value + b"; charset=" + _FORM_CODEC.encode() if _is_form(name, value) else value)
        for name, value in scope["headers"]
    ]


def _is_form(name: bytes, value: bytes) -> bool:
    return name == b"content-type" and value.lower().startswith(_FORM)


def _decoded(data: Buffer, _: str = "strict") -> tuple[str, int]:
    return codecs.utf_8_decode(data, "surrogateescape", True)


def _form_codec(name: str) -> codecs.CodecInfo | None:
    return codecs.CodecInfo(codecs.utf_8_encode, _decoded, name=_FORM_CODEC) if name == _FORM_CODEC else None


codecs.register(_form_codec)
