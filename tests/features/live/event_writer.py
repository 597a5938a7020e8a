from __future__ import annotations

from uuid import UUID

from pydantic import JsonValue

from partywall.core.db.scopes import open_shared_scope
from partywall.core.events.log import EventDraft, publish
from partywall.core.resources import Resources
from partywall.testing.users import Person


async def write(
    resources: Resources, person: Person, project: UUID, *names: str, type_: str = "document.updated", size: int = 0
) -> None:
    """Writes one event per name in one transaction, each with `size` filler characters, and numbers them."""
    more: dict[str, JsonValue] = {"filler": "x" * size} if size else {}
    async with resources.sessions.begin() as session:
        scope = await open_shared_scope(session, person.principal, project)
        publish(session, scope, *(EventDraft(type_, "document", name, {"name": name, **more}) for name in names))
    await resources.sequencer.catch_up(scope)
