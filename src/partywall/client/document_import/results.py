"""What became of each local document."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from partywall.client.document_import.existing import ExistingDocument
from partywall.client.document_import.files import UnreadableFile


class Outcome(StrEnum):
    SENT = "sent"
    CHANGED = "changed"
    RENAMED = "renamed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class ImportedDocument:
    """`place` is where the user finds it; `document` is the server's answer, or what it had before."""

    place: str
    outcome: Outcome
    document: ExistingDocument


@dataclass(slots=True)
class ImportCounts:
    """`unavailable` of the failed ones failed because of the server, and not of what they are."""

    sent: int = 0
    changed: int = 0
    unchanged: int = 0
    renamed: int = 0
    unavailable: int = 0
    deleted: list[str] = field(default_factory=list)
    failed: list[UnreadableFile] = field(default_factory=list)
    blank: list[str] = field(default_factory=list)

    @property
    def done(self) -> int:
        return self.sent + self.changed + self.unchanged + self.renamed + len(self.failed)

    def add(self, outcome: Outcome) -> None:
        match outcome:
            case Outcome.SENT:
                self.sent += 1
            case Outcome.CHANGED:
                self.changed += 1
            case Outcome.RENAMED:
                self.renamed += 1
            case Outcome.UNCHANGED:
                self.unchanged += 1
