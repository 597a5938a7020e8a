"""The search as other slices and extensions call it; the search slice provides it."""

from __future__ import annotations

from typing import NamedTuple, Protocol
from uuid import UUID

from partywall.core.tenancy import Principal


class FoundDocument(NamedTuple):
    """A document that was found, and the passage of its text that fits best, with its page and heading if any.

    `score` is within 0..1, and comparable across questions.
    """

    document_id: UUID
    title: str
    text: str
    page: int | None = None
    section: str | None = None
    external_id: str | None = None
    revision: int = 1
    score: float = 0.0


class DocumentSearch(Protocol):
    """Searches a project's documents with the rights of a principal, best first. Call it outside a transaction."""

    async def __call__(
        self, principal: Principal, project_id: UUID, question: str, limit: int
    ) -> list[FoundDocument]: ...
