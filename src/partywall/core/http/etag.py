"""Entity tags of the form `"<revision>-<state>"`: the revision counts edits, the state any visible change."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Header
from starlette.responses import Response

from partywall.core.errors import PreconditionFailedError

IfMatch = Annotated[str | None, Header(description="Write only if the content's revision is still this one.")]
IfNoneMatch = Annotated[str | None, Header(description="Answer 304 if nothing visible has changed since.")]

NOT_MODIFIED: Final = 304


def entity_tag(revision: int, state: object = 0) -> str:
    return f'"{revision}-{state}"'


def _tags(header: str) -> list[str]:
    return [part.strip() for part in header.split(",")]


def unchanged(if_none_match: str | None, tag: str) -> bool:
    """Weak comparison, as RFC 9110 asks for `If-None-Match`."""
    if if_none_match is None:
        return False
    return any(given == "*" or given.removeprefix("W/") == tag for given in _tags(if_none_match))


def require_match(if_match: str | None, revision: int) -> None:
    """Raises PreconditionFailedError unless a given tag has this revision. Weak tags never match."""
    if if_match is None:
        return
    prefix = f'"{revision}-'
    if not any(given == "*" or (given.startswith(prefix) and given.endswith('"')) for given in _tags(if_match)):
        raise PreconditionFailedError


def not_modified(tag: str) -> Response:
    return Response(status_code=NOT_MODIFIED, headers={"ETag": tag})
