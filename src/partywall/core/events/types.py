from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of event, such as `document.created`, and the kind of its subject, such as `document`."""

    name: str
    subject: str

    def __str__(self) -> str:
        return self.name
