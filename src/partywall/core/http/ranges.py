"""Range requests (RFC 9110). One range is served; several or invalid ones get the whole content."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Header
from starlette.responses import Response, StreamingResponse

from partywall.core.errors import PartywallError
from partywall.core.http.responses import IfNoneMatch, not_modified, unchanged

_RANGE: Final = re.compile(r"\s*+bytes\s*+=\s*+(\d{0,18}+)\s*+-\s*+(\d{0,18}+)\s*+", re.ASCII | re.IGNORECASE)


class RangeNotSatisfiableError(PartywallError):
    status = 416
    code = "range_not_satisfiable"
    title = "The range lies outside the content"

    def __init__(self, size: int) -> None:
        super().__init__(f"The content has {size} bytes.", headers={"Content-Range": f"bytes */{size}"})


@dataclass(frozen=True, slots=True)
class ByteRange:
    """From `start` up to, not including, `end`."""

    start: int
    end: int


def requested(header: str | None, size: int) -> ByteRange | None:
    """The requested range, or None for the whole; raises RangeNotSatisfiableError."""
    match = _RANGE.fullmatch(header) if header is not None else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return None
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= end:
        raise RangeNotSatisfiableError(size)
    return ByteRange(start, end)


@dataclass(frozen=True, slots=True)
class RangeRequest:
    """The parts of the content that the caller wants, and its conditions."""

    range: str | None
    if_range: str | None
    if_none_match: str | None

    async def answer(
        self, size: int, tag: str, headers: Mapping[str, str], stream: Callable[[int, int], AsyncIterator[bytes]]
    ) -> Response:
        """Answers 200, 206 or 304; `stream(start, end)` yields the bytes. Its first piece may still raise an error."""
        if unchanged(self.if_none_match, tag):
            return not_modified(tag)
        wanted = requested(self.range, size) if self.if_range in (None, tag) else None
        start, end = (wanted.start, wanted.end) if wanted else (0, size)
        own = {"ETag": tag, "Accept-Ranges": "bytes", "Content-Length": str(end - start)}
        status = 200
        if wanted is not None:
            status = 206
            own["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        pieces = stream(start, end)
        first = await anext(pieces, b"")
        if len(first) == end - start:
            return Response(first, status, headers={**headers, **own})
        return StreamingResponse(_chain(first, pieces), status, headers={**headers, **own})


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def get_range_request(
    range_: Annotated[str | None, Header(alias="Range", description="One range of bytes, as `bytes=0-99`.")] = None,
    if_range: Annotated[str | None, Header(description="Ignore `Range` unless this is still the tag.")] = None,
    if_none_match: IfNoneMatch = None,
) -> RangeRequest:
    return RangeRequest(range_, if_range, if_none_match)


RangeRequestDep = Annotated[RangeRequest, Depends(get_range_request)]
