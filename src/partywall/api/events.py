"""Events of a project, written in the transaction that causes them."""

from __future__ import annotations

from partywall.core.events.log import EventDraft, publish

__all__ = ["EventDraft", "publish"]
