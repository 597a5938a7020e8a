"""Tables, sessions and queries of one project."""

from __future__ import annotations

from partywall.core.db.base import Base, TableKind
from partywall.core.db.driver_errors import violations
from partywall.core.db.json_rows import json_row, json_rows
from partywall.core.db.keyset import After, Keyset
from partywall.core.db.scoped_access import ScopedReader, ScopedWriter
from partywall.core.db.scoped_query import PROJECT_ID, OpenedScope, ScopedQuery, WriteResult
from partywall.core.db.session import AsyncReadSession, AsyncSession, after_commit

__all__ = [
    "PROJECT_ID",
    "After",
    "AsyncReadSession",
    "AsyncSession",
    "Base",
    "Keyset",
    "OpenedScope",
    "ScopedQuery",
    "ScopedReader",
    "ScopedWriter",
    "TableKind",
    "WriteResult",
    "after_commit",
    "json_row",
    "json_rows",
    "violations",
]
