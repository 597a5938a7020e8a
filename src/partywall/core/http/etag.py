"""Entity tags of the form `"<revision>-<state>"`: the revision counts edits, the state any visible change.

A proxy that compresses an answer makes its tag weak (nginx: `W/"3-0"`) or adds the coding (Apache, Caddy:
`"3-0-gzip"`). The client knows no other form, so both are taken for the tag that we gave out, in `If-Match` too: they
name the same revision, which the proxy has only encoded. `If-Range` is about bytes and takes the strong form alone.
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
# An ETag as we give it out, wherever it stands.
_OURS: Final = re.compile(r'"\d{1,19}-')
_UNKNOWN: Final = "If-Match holds no ETag of this server: send the one that came with the resource, in its quotes."
_CODINGS: Final = ("gzip", "br", "zstd", "deflate")


def entity_tag(revision: int, state: object = 0) -> str:
    return f'"{revision}-{state}"'


def _tags(header: str) -> list[str]:
    return [_as_given_out(part.strip()) for part in header.split(",")]


def _as_given_out(tag: str) -> str:
    """Without what a proxy on the way has made of it."""
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
