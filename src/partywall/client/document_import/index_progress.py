"""Waits until the server has read and indexed the documents of an import."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import BaseModel, ConfigDict

from partywall.client.api import Api
from partywall.client.document_import.existing import list_documents

POLL_SECONDS: Final = 0.5
STALLED_SECONDS: Final = 120.0
"""Waiting ends if nothing is read or indexed for so long."""
# While more documents than this wait in the project, they are counted and not listed.
LISTED: Final = 1000


class _IndexCounts(BaseModel):
    model_config = ConfigDict(extra="ignore")

    pending: int


class _Stats(BaseModel):
    model_config = ConfigDict(extra="ignore")

    by_index_status: _IndexCounts


@dataclass(frozen=True, slots=True)
class UnreadDocument:
    """A document that could not be read or indexed. `code` is empty if the server gave none."""

    place: str
    id: str
    reason: str
    code: str = ""


@dataclass(slots=True)
class IndexProgress:
    """`places` are the documents to wait for: by id, where the user finds them."""

    api: Api
    project_id: str
    places: Mapping[str, str]
    stalled_seconds: float = STALLED_SECONDS
    pending: set[str] = field(default_factory=set)
    _others: int = 0

    def __post_init__(self) -> None:
        self.pending = set(self.places)

    @property
    def done(self) -> int:
        return max(0, len(self.places) - max(len(self.pending), self._others))

    def look(self) -> None:
        """Asks the server which documents are still pending."""
        if not self.pending:
            return
        answer = self.api.get(f"/projects/{self.project_id}/documents/stats")
        count = _Stats.model_validate_json(answer).by_index_status.pending
        self._others = 0
        if count > LISTED:
            self._others = min(count, len(self.pending))
            return
        waiting = list_documents(self.api, self.project_id, "pending") if count else ()
        self.pending &= {each.id for each in waiting if each.awaits_reading}

    def wait(self, pause: Callable[[float], object]) -> Iterator[int]:
        """Yields how many are done, until all are or nothing happens for `stalled_seconds`."""
        before, idle = -1, 0.0
        while True:
            self.look()
            yield self.done
            if not self.pending or idle >= self.stalled_seconds:
                return
            idle = idle + POLL_SECONDS if self.done == before else 0.0
            before = self.done
            pause(POLL_SECONDS)

    def unread(self) -> Iterator[UnreadDocument]:
        for each in list_documents(self.api, self.project_id, "failed"):
            place = self.places.get(each.id)
            if place is not None:
                code, colon, reason = (each.index_error or "").partition(": ")
                if not colon or not code.replace("_", "").isalpha() or not code.islower():
                    code, reason = "", each.index_error or "no reason given"
                yield UnreadDocument(place, each.id, reason, code)
