"""Documents as answers and events show them after a change, in its transaction."""

from __future__ import annotations

from uuid import UUID

from pydantic import JsonValue

from partywall.core.db.session import AsyncReadSession
from partywall.core.events.log import EventDraft
from partywall.core.large_answers import LARGE_ANSWER_BYTES
from partywall.core.tenancy import ProjectScope
from partywall.features.documents.creation import with_content
from partywall.features.documents.exceptions import DocumentNotFoundError
from partywall.features.documents.reader import DocumentJson
from partywall.features.documents.repository import DocumentRepository


async def shown(session: AsyncReadSession, scope: ProjectScope, id_: UUID, content: str | None = None) -> DocumentJson:
    """The document's JSON. A large `content` is inserted here instead of being read back from the database."""
    large = content if content is not None and len(content) > LARGE_ANSWER_BYTES else None
    row = await DocumentRepository(session, scope).shown(id_, content=large is None)
    if row is None:
        raise DocumentNotFoundError
    return DocumentJson(row.body if large is None else with_content(row.body, large), row.revision, row.state)


def event(type_: str, id_: UUID, title: str, external_id: str | None, revision: int) -> EventDraft:
    external = {"external_id": external_id} if external_id is not None else {}
    data: dict[str, JsonValue] = {"title": title, "revision": revision, **external}
    return EventDraft(type_, "document", str(id_), data)
