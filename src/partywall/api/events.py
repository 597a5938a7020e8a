"""Events of a project, written in the transaction that causes them."""

from __future__ import annotations

from partywall.core.events.log import EventDraft, EventLog
from partywall.core.events.sequencer import EventSequencer

__all__ = [
    "EventDraft",
    "EventLog",
    "EventSequencer",
]
