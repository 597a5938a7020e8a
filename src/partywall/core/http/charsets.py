"""Rejects bodies that are not UTF-8: decoded as UTF-8, their text would change or bypass checks."""

from __future__ import annotations

import codecs
import re
from collections.abc import Buffer
from typing import Final

from starlette.types import Scope

from partywall.core.errors import BadRequestError, UnsupportedMediaTypeError

_FORM: Final = b"multipart/form-data"
_FORM_CODEC: Final = "partywall_form"
# The value of a parameter `charset`, or of the rarely used `charset*` and `charset*0`.
_CHARSET: Final = re.compile(rb"[;,]\s*+charset(?=[\s=*;,]|$)([^;,]*+)", re.IGNORECASE)
_BEYOND_ASCII: Final = re.compile(rb"[\x80-\xff]")
_PLAIN: Final = rb"(?:utf-?8|us-ascii|ascii)"
_UTF8: Final = re.compile(rb'\s*+(?:=\s*+(?:"%b?"|%b?)\s*+)?' % (_PLAIN, _PLAIN), re.IGNORECASE)


class InvalidJsonError(BadRequestError):
    code = "invalid_json"
    title = "The body is not valid JSON"


def other_charset(content_type: bytes) -> str | None:
    """The first charset named that is not UTF-8; None if there is none."""
    said: list[bytes] = _CHARSET.findall(content_type)
    return next((each.decode("latin-1").strip("= \t") for each in said if _UTF8.fullmatch(each) is None), None)


def refuse_other_charsets(content_type: bytes) -> None:
    """Raises for another charset: it means nothing for JSON, and a form would be decoded with it."""
    if other_charset(content_type) is not None:
        raise UnsupportedMediaTypeError("Bodies must be UTF-8; the Content-Type names another charset.")


def refuse_wide_json(body: bytes) -> None:
    """Rejects JSON in UTF-16 or UTF-32, which the framework would accept: only those contain zero bytes."""
    if b"\x00" in body:
        raise InvalidJsonError("The body is not UTF-8, or contains the character U+0000.")


def escaped(form: bytes) -> bytes:
    """Percent-encodes non-ASCII bytes of a form: the framework would read them as Latin-1."""
    return _BEYOND_ASCII.sub(lambda found: b"%%%02X" % found[0][0], form)


def read_form_strictly(scope: Scope) -> None:
    """Makes the framework decode a form with our codec, not Latin-1.

    Bytes that are not UTF-8 become lone surrogates, which are rejected. The last `charset` counts; the client's own is
    UTF-8. The scope is not copied: the log reads what the router adds to it.
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
