"""Entity tags of the form `"<revision>-<state>"`: the revision counts edits, the state any visible change.

A proxy that compresses an answer makes its tag weak (nginx: `W/"3-0"`) or appends the coding (Apache, Caddy:
`"3-0-gzip"`). The client sees only that form, so both count as the original tag, also in `If-Match`: the proxy has only
encoded the same revision. `If-Range` is about bytes and accepts only the strong form.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import Header
from starlette.responses import Response

from partywall.core.errors import PreconditionFailedError

IfMatch = Annotated[str | None, Header(description="Write only if the content's revision is still this one.")]
IfNoneMatch = Annotated[str | None, Header(description="Answer 304 if nothing visible has changed since.")]

NOT_MODIFIED: Final = 304
# An ETag in our format, anywhere in the header.
_OURS: Final = re.compile(r'"\d{1,19}-')
_UNKNOWN: Final = "If-Match contains no ETag of this server: send the resource's own ETag, with its quotes."
_CODINGS: Final = ("gzip", "br", "zstd", "deflate")


def entity_tag(revision: int, state: object = 0) -> str:
    return f'"{revision}-{state}"'


def _tags(header: str) -> list[str]:
    return [_as_given_out(part.strip()) for part in header.split(",")]


def _as_given_out(tag: str) -> str:
    """Removes what a proxy added."""
    tag = tag.removeprefix("W/")
    for coding in _CODINGS:
        if tag.endswith(f'-{coding}"'):
            return f'{tag.removesuffix(f'-{coding}"')}"'
    return tag


def unchanged(if_none_match: str | None, tag: str) -> bool:
    if if_none_match is None:
        return False
    return any(given in ("*", tag) for given in _tags(if_none_match))


def require_match(if_match: str | None, revision: int) -> None:
    """Raises PreconditionFailedError unless a given tag has this revision."""
    if if_match is None:
        return
    prefix = f'"{revision}-'
    if not any(given == "*" or (given.startswith(prefix) and given.endswith('"')) for given in _tags(if_match)):
        raise PreconditionFailedError(_UNKNOWN if not _OURS.search(if_match) else "")


def not_modified(tag: str) -> Response:
    return Response(status_code=NOT_MODIFIED, headers={"ETag": tag})
