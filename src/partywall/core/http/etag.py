"""Entity tags of the form `"<revision>-<state>"`: the revision counts edits, the state any visible change.

`If-Range` is about bytes and accepts only the strong form; for `If-Match` see `core.preconditions`.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Header
from starlette.responses import Response

from partywall.core.preconditions import tags_in

IfMatch = Annotated[str | None, Header(description="Write only if the content's revision is still this one.")]
IfNoneMatch = Annotated[str | None, Header(description="Answer 304 if nothing visible has changed since.")]

NOT_MODIFIED: Final = 304


def entity_tag(revision: int, state: object = 0) -> str:
    return f'"{revision}-{state}"'


def unchanged(if_none_match: str | None, tag: str) -> bool:
    if if_none_match is None:
        return False
    return any(given in ("*", tag) for given in tags_in(if_none_match))


def not_modified(tag: str) -> Response:
    return Response(status_code=NOT_MODIFIED, headers={"ETag": tag})
