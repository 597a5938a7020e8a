"""Writes a project's events in the transaction that caused them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from pydantic import JsonValue
from pydantic_core import to_json
from sqlalchemy import text

from partywall.core.db.scopes import open_scope
from partywall.core.db.session import AsyncSession, before_commit, note_appended
from partywall.core.tenancy import LockedScope, Principal, ProjectNotFoundError

_PENDING: Final = "partywall.events"
# By project and actor.
type _Pending = dict[tuple[UUID, Principal], tuple[LockedScope, list[EventDraft]]]

# Events are numbered after the commit, see `core.events.sequencer`.
_APPEND: Final = text("SELECT wall.append_events(:project_id, :actor, CAST(:drafts AS jsonb))")


@dataclass(frozen=True, slots=True)
class EventDraft:
    """Something that happened to a subject, e.g. `EventDraft("document.created", "document", id, {...})`."""

    type: str
    subject_kind: str
    subject_id: str
    data: dict[str, JsonValue] = field(default_factory=dict)


def event_drafts_json(event_drafts: Sequence[EventDraft]) -> str:
    """The drafts as JSON for `wall.append_events`. Integers may have any length, as in the database."""
    rows = [
        {"type": item.type, "subject_kind": item.subject_kind, "subject_id": item.subject_id, "data": item.data}
        for item in event_drafts
    ]
    return to_json(rows, inf_nan_mode="null").decode()


def publish(session: AsyncSession, scope: LockedScope, *event_drafts: EventDraft) -> None:
    """Adds events to the session's transaction, which writes them at its end. They are numbered after the commit.

    Events are numbered in the order of writing; writing them last ensures that no effect precedes its cause.
    """
    pending: _Pending | None = session.info.get(_PENDING)
    if pending is None:
        pending = session.info[_PENDING] = {}
        before_commit(session, _write_all)
    pending.setdefault((scope.project_id, scope.principal), (scope, []))[1].extend(event_drafts)


def notify_readers(session: AsyncSession, scope: LockedScope) -> None:
    """Has the project's readers check their access after the commit, although there is no event."""
    note_appended(session, scope, 0)


async def _write_all(session: AsyncSession) -> None:
    pending: _Pending = session.info.pop(_PENDING)
    for scope, event_drafts in pending.values():
        appended = await _write(session, scope, event_drafts)
        if appended:
            note_appended(session, scope, appended)


async def _write(session: AsyncSession, scope: LockedScope, event_drafts: Sequence[EventDraft]) -> int | None:
    """The number of events written; None if the project no longer exists."""
    values: dict[str, object] = {
        "drafts": event_drafts_json(event_drafts),
        "project_id": scope.project_id,
        "actor": str(scope.principal),
    }
    appended: int | None = await session.scalar(_APPEND, values)
    if appended is None and await _enters_as_service(session, scope):
        appended = await session.scalar(_APPEND, values)
    return appended


async def _enters_as_service(session: AsyncSession, scope: LockedScope) -> bool:
    """Opens the scope as the project's worker, for when another project was bound since or the actor has just left."""
    try:
        await open_scope(session, Principal.service(scope.project_id), scope.project_id)
    except ProjectNotFoundError:
        return False
    return True
