"""How a stored answer is built again for a repeated request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from partywall.core.db.session import AsyncReadSession

type Show = Callable[[AsyncReadSession, Sequence[UUID]], Awaitable[bytes]]
"""The body of an answer that shows these ids, in the project that the session has opened."""
