"""What became of a document's passages, and what its owner is told of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from partywall.features.documents.indexing import Outcome, Status, Taken
from partywall.features.search.embedding import Embedded


@dataclass(slots=True)
class Findings:
    """Of all passages of one document, however many steps they take."""

    refused: int = 0
    said: str = ""
    shortened: int = 0
    away: str | None = None

    def add(self, embedded: Embedded, positions: Iterable[int]) -> None:
        """Some of its passages, by their positions among those that were embedded together."""
        for position in positions:
            self.note(embedded.refused.get(position), shortened=position in embedded.shortened)
            self.away = self.away or embedded.away

    def note(self, refused: str | None, *, shortened: bool) -> None:
        """One more passage, and what the model said of it."""
        self.refused += refused is not None
        self.said = self.said or refused or ""
        self.shortened += shortened

    def outcome(self, document: Taken, chunks: int | None) -> Outcome:
        if self.away is not None:
            note = f"Found by its words alone until the embedding model answers: {self.away}"
            return Outcome.of(document, Status.PENDING, note, chunks)
        if self.refused:
            note = f"Found by its words alone: the embedding model refused {_passages(self.refused)}: {self.said}"
            return Outcome.of(document, Status.FAILED, note, chunks)
        note = f"Too long for the embedding model, which knows the beginning alone of {_passages(self.shortened)}"
        return Outcome.of(document, Status.INDEXED, note if self.shortened else None, chunks)


def findings_by_document(embedded: Embedded) -> dict[UUID, Findings]:
    found: dict[UUID, Findings] = {}
    for position, chunk in enumerate(embedded.chunks):
        found.setdefault(chunk.document_id, Findings()).add(embedded, (position,))
    return found


def _passages(count: int) -> str:
    return f"{count} passage" if count == 1 else f"{count} passages"
