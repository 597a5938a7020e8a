from __future__ import annotations

from uuid import UUID

from pydantic import JsonValue

from partywall.core.events.log import EventDraft, EventLog
from partywall.core.resources import Resources
from partywall.core.tenancy import open_scope
from partywall.testing.users import Person


async def write(
    resources: Resources, person: Person, project: UUID, *names: str, type_: str = "document.updated", size: int = 0
) -> None:
    """Writes one event per name in one transaction, each with `size` filler characters, and numbers them."""
    more: dict[str, JsonValue] = {"filler": "x" * size} if size else {}
    async with resources.sessions.begin() as session:
        scope = await open_scope(session, person.principal, project)
        log = EventLog(session, scope, resources.sequencer)
        log.append(*(EventDraft(type_, "document", name, {"name": name, **more}) for name in names))
    await resources.sequencer.catch_up(scope)
