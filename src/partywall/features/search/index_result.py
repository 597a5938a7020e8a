"""Counts what happened to a document's passages, and derives the outcome that its owner sees."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from partywall.core.embedders import TextVectors
from partywall.features.documents.index_queue import ClaimedDocument, IndexOutcome, Status
from partywall.features.search.computed_vectors import Fault
from partywall.features.search.fault_repository import FaultCount
from partywall.features.search.passage_vectors import EmbeddedPassages

# Of several faults the message of the first is told.
_TOLD: Final = (Fault.REFUSED, Fault.FAILED, Fault.SHORTENED)


@dataclass(slots=True)
class PassageCounts:
    """Counts for all passages of one document, over all batches."""

    refused: int = 0
    said: str = ""
    shortened: int = 0
    waits: str | None = None
    failing: int = 0
    suspected: int = 0
    left: int = 0
    answered: int = 0
    retry_after: float = 0.0

    def add(self, embedded: EmbeddedPassages, positions: Iterable[int]) -> None:
        """Adds passages of the document, by their positions in `embedded`."""
        for position in positions:
            self.note(embedded.refused.get(position), shortened=position in embedded.shortened)
            self.waits = self.waits or embedded.waits

    def note(self, refused: str | None, *, shortened: bool) -> None:
        """Counts one passage; `refused` is the model's message."""
        self.refused += refused is not None
        self.said = self.said or refused or ""
        self.shortened += shortened

    @classmethod
    def stored(cls, faults: Iterable[FaultCount]) -> PassageCounts:
        """What is stored beside the vectors of a document that lacks none."""
        counts = cls()
        for each in sorted(faults, key=lambda found: _TOLD.index(found.fault)):
            match each.fault:
                case Fault.SHORTENED:
                    counts.shortened += each.chunks
                case Fault.REFUSED:
                    counts.refused += each.chunks
                case Fault.FAILED:
                    counts.failing += each.chunks
            counts.said = counts.said or each.message or ""
        return counts

    def note_answer(self, made: TextVectors, position: int) -> None:
        """Counts a passage whose vector was missing, if the model took or refused it."""
        self.answered += position not in made.failed and position not in made.left

    def note_failure(self, made: TextVectors, position: int) -> None:
        """Counts a passage at which the model failed alone, and that is to be tried again."""
        self.failing += 1
        self.said = self.said or made.failed[position]
        self.retry_after = max(self.retry_after, made.retry_after or 0.0)

    def note_left(self, suspicion: str | None) -> None:
        """Counts a passage that got no answer this time; `suspicion` is the error of its batch, if one failed."""
        self.left += 1
        if suspicion is not None:
            self.suspected += 1
            self.said = self.said or suspicion

    @property
    def failure(self) -> str:
        count = _passages(self.failing or self.suspected)
        return f"Text search only: the embedding model fails at {count}: {self.said}"

    def outcome(self, document: ClaimedDocument, chunks: int | None) -> IndexOutcome:
        if self.waits is not None:
            return IndexOutcome.of(document, Status.PENDING, self.waits, chunks)
        if self.refused:
            note = f"Text search only: the embedding model refused {_passages(self.refused)}: {self.said}"
            return IndexOutcome.of(document, Status.FAILED, note, chunks)
        if self.failing:
            return IndexOutcome.of(document, Status.FAILED, self.failure, chunks)
        note = f"Too long for the embedding model: it read only the beginning of {_passages(self.shortened)}"
        return IndexOutcome.of(document, Status.INDEXED, note if self.shortened else None, chunks)


def findings_by_document(embedded: EmbeddedPassages) -> dict[UUID, PassageCounts]:
    found: dict[UUID, PassageCounts] = {}
    for position, chunk in enumerate(embedded.chunks):
        found.setdefault(chunk.document_id, PassageCounts()).add(embedded, (position,))
    return found


def _passages(count: int) -> str:
    return f"{count} passage" if count == 1 else f"{count} passages"
