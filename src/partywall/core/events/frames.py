"""Frames of server-sent events. The database frames the project's own events."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import orjson
from pydantic import JsonValue

from partywall.core.clock import utc_now
from partywall.core.schemas import to_rfc3339

# Comments without an empty line after them: clients do not dispatch them as events.
OPENING: Final = b": follows the project's events\n"
KEEP_ALIVE: Final = b": keep-alive\n"


def reset(project_id: UUID, asked: int, oldest: int) -> bytes:
    """Some events after `asked` have been deleted; the stream continues with the oldest kept."""
    return _frame("reset", project_id, oldest - 1, {"asked": asked, "oldest": oldest})


def reconnect(project_id: UUID, position: int, reason: str) -> bytes:
    """The stream ends; the next one resumes after `position`."""
    return _frame("reconnect", project_id, position, {"reason": reason})


def body_of(frame: bytes) -> bytes:
    """The event as JSON: the frame's data."""
    return frame.partition(b"\ndata: ")[2].removesuffix(b"\n\n")


def _frame(type_: str, project_id: UUID, position: int, data: dict[str, JsonValue]) -> bytes:
    body = {
        "id": position,
        "type": type_,
        "project_id": project_id,
        "at": to_rfc3339(utc_now()),
        "actor": "system",
        "subject": {"kind": "project", "id": project_id},
        "data": data,
    }
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (position, type_.encode(), orjson.dumps(body))
