"""Writes events and reads their numbers."""

from __future__ import annotations

from uuid import UUID

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scopes import open_scope, open_shared_scope
from partywall.core.db.session import AsyncSession
from partywall.core.events.batches import read_batch
from partywall.core.events.log import EventDraft, publish
from partywall.core.resources import Resources
from partywall.testing.users import Person, Users


def event_drafts(*names: str) -> list[EventDraft]:
    return [EventDraft("document.updated", "document", name) for name in names]


async def append(session: AsyncSession, person: Person, project: UUID, *names: str) -> None:
    scope = await open_shared_scope(session, person.principal, project)
    publish(session, scope, *event_drafts(*names))


async def numbers(resources: Resources, person: Person, project: UUID) -> list[int]:
    async with resources.sessions.read() as session:
        scope = await open_scope(session, person.principal, project)
    await resources.sequencer.catch_up(scope)
    batch = await read_batch(ScopedReader(resources.reads, person.principal), project, after=0, limit=10_000)
    return [event.id for event in batch.events]


async def order(users: Users, project: UUID) -> list[str]:
    """The subjects of the project's events after its creation, in order."""
    rows = await users.fetch("SELECT subject_id FROM event WHERE project_id = $1 AND id > 1 ORDER BY id", project)
    return [row["subject_id"] for row in rows]


async def pending(users: Users, project: UUID) -> int:
    [row] = await users.fetch("SELECT count(*) AS rows FROM pending_event WHERE project_id = $1", project)
    return int(row["rows"])
