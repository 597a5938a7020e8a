"""Reads the event log. One statement checks access and returns events with the facts that readers need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scoped_query import ScopedQuery, Value
from partywall.core.db.statements import statement
from partywall.core.events.filters import TypeFilter
from partywall.core.events.frames import body_of
from partywall.core.tenancy import Principal, ProjectNotFoundError, ProjectScope

BATCH: Final = 200
# Limits of one read: bytes returned, not counting the event that exceeds them; and event numbers scanned.
BATCH_BYTES: Final = 64 * 1024
SPAN: Final = 10_000

_READ: Final = ScopedQuery.text(statement("core/events/sql/statements/read_batch.sql"))
# Many clients treat these as line ends, though the standard does not; JSON allows them as escapes.
_LINE_ENDS: Final = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


class Caller(NamedTuple):
    """A subscriber, and its session, which may be revoked."""

    principal: Principal
    session_id: UUID | None


class WireEvent(NamedTuple):
    """`frame` is the whole event as sent to every reader."""

    id: int
    type: str
    subject: str
    frame: bytes

    @property
    def body(self) -> str:
        """The event as JSON: the frame's data."""
        return body_of(self.frame).decode()


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events in the order of their numbers, and facts of the same snapshot.

    The batch covers all events up to `upto`; there are more if that is less than `last`, the newest number assigned.
    `oldest` is the oldest number kept. `roles` holds the role of each requested caller, None if it has lost access.
    """

    scope: ProjectScope
    events: list[WireEvent]
    upto: int
    oldest: int
    last: int
    roles: Mapping[Caller, str | None]

    @property
    def size(self) -> int:
        """The number of bytes of all frames."""
        return sum(len(event.frame) for event in self.events)


async def read_batch(
    reader: ScopedReader,
    project_id: UUID,
    *,
    after: int,
    limit: int = BATCH,
    types: TypeFilter | None = None,
    subject: str | None = None,
    callers: Iterable[Caller] = (),
) -> EventBatch:
    """At most `limit` events after `after`, filtered by `types` and by the id `subject`.

    Bytes and scanned numbers are limited too: `upto` says how far the read has come.

    Raises ProjectNotFoundError if the reader has no access.
    """
    names, groups = (None, None) if types is None else (list(types.names), list(types.groups))
    asked = list(callers)
    values: dict[str, Value] = {
        "after": after, "limit": limit, "names": names, "groups": groups, "subject": subject,
        "batch_bytes": BATCH_BYTES, "span": SPAN, "callers": [str(caller.principal) for caller in asked],
        "sessions": [caller.session_id for caller in asked],
    }  # fmt: skip
    scope, row = await reader.row(_READ, project_id, values, timeout=None)
    if row["last"] is None:
        raise ProjectNotFoundError
    columns = zip(row["ids"] or (), row["types"] or (), row["subjects"] or (), row["frames"] or (), strict=True)
    events = [WireEvent(number, type_, subject, _encoded(frame)) for number, type_, subject, frame in columns]
    return EventBatch(
        scope=scope,
        events=events,
        upto=_seen(row, events, after, limit),
        oldest=row["oldest"],
        last=row["last"],
        roles=dict(zip(asked, row["held"] or (), strict=True)),
    )


def _seen(row: asyncpg.Record, events: Sequence[WireEvent], after: int, limit: int) -> int:
    """The number up to which all events are covered: the last event's, or the last one scanned."""
    if not limit:
        return after
    if events and (row["found"] == limit or len(events) < row["found"]):
        return events[-1].id
    return min(int(row["last"]), max(after, int(row["oldest"]) - 1) + SPAN)


def _encoded(frame: str) -> bytes:
    return (frame if frame.isascii() else frame.translate(_LINE_ENDS)).encode()
