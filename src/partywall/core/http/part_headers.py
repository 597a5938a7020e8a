"""Checks the headers of each form part: the framework ignores them and reads every part as plain UTF-8."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from partywall.core.errors import UnsupportedMediaTypeError
from partywall.core.http.charsets import refuse_other_charsets

# Our forms have at most this many; the framework rejects more.
_MOST_PARTS: Final = 20
# RFC 7578, 4.7 and 4.8: parts are not encoded.
_PLAIN: Final[Mapping[bytes, frozenset[bytes]]] = {
    b"content-transfer-encoding": frozenset({b"", b"7bit", b"8bit", b"binary"}),
    b"content-encoding": frozenset({b"", b"identity"}),
}


class PartHeaders:
    """Reads a form's pieces as they pass. The framework rejects invalid forms."""

    def __init__(self, content_type: bytes) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary") if content_type else None
        self._name, self._value, self._parts = b"", b"", 0
        self._types: list[bytes] = []
        self._disposition = b""
        self._parser = None if boundary is None else self._reader(boundary)

    def note(self, piece: bytes) -> None:
        """Raises UnsupportedMediaTypeError for a part with an encoding, and for a field in another charset."""
        if self._parser is None:
            return
        try:
            self._parser.write(piece)
        except FormParserError:
            self._parser = None
        if self._parts > _MOST_PARTS:
            self._parser = None

    def _reader(self, boundary: bytes) -> MultipartParser | None:
        try:
            return MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._field,
                    "on_header_value": self._more,
                    "on_header_end": self._check,
                    "on_headers_finished": self._check_charset,
                },
            )
        except FormParserError:
            return None

    def _begin(self) -> None:
        self._parts += 1
        self._types, self._disposition = [], b""

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _more(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _check(self) -> None:
        name, value = self._name.lower(), self._value
        self._name = self._value = b""
        if name == b"content-type":
            self._types.append(value)
        elif name == b"content-disposition":
            self._disposition = value
        elif name in _PLAIN and value.strip().lower() not in _PLAIN[name]:
            raise UnsupportedMediaTypeError("Parts of a form must not be encoded.")

    def _check_charset(self) -> None:
        """The framework, too, takes the last disposition, and what has a file name as a file."""
        if b"filename" in parse_options_header(self._disposition)[1]:
            return
        for each in self._types:
            refuse_other_charsets(each)
