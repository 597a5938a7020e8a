"""`If-Match`: a write applies only while the revision of the resource is one that the caller names.

A proxy that compresses an answer makes its tag weak (nginx: `W/"3-0"`) or appends the coding (Apache, Caddy:
`"3-0-gzip"`). The client sees only that form, so both count as the original tag, also in `If-Match`: the proxy has only
encoded the same revision.
"""

from __future__ import annotations

import re
from typing import Final

from partywall.core.errors import PreconditionFailedError

# An ETag in our format, anywhere in the header.
_OURS: Final = re.compile(r'"\d{1,19}-')
_UNKNOWN: Final = "If-Match contains no ETag of this server: send the resource's own ETag, with its quotes."
_CODINGS: Final = ("gzip", "br", "zstd", "deflate")


def require_match(if_match: str | None, revision: int) -> None:
    """Raises PreconditionFailedError unless a given tag has this revision."""
    if if_match is None:
        return
    prefix = f'"{revision}-'
    if not any(given == "*" or (given.startswith(prefix) and given.endswith('"')) for given in tags_in(if_match)):
        raise PreconditionFailedError(_UNKNOWN if not _OURS.search(if_match) else "")


def tags_in(header: str) -> list[str]:
    return [_as_given_out(part.strip()) for part in header.split(",")]


def _as_given_out(tag: str) -> str:
    """Removes what a proxy added."""
    tag = tag.removeprefix("W/")
    for coding in _CODINGS:
        if tag.endswith(f'-{coding}"'):
            return f'{tag.removesuffix(f'-{coding}"')}"'
    return tag
