from __future__ import annotations

from partywall.client.importing.files import Local, Unreadable, count, documents_in, holds_documents, list_files
from partywall.client.importing.known import known_documents
from partywall.client.importing.progress import IndexCounts, index_progress
from partywall.client.importing.send import Import, Tally

__all__ = [
    "Import",
    "IndexCounts",
    "Local",
    "Tally",
    "Unreadable",
    "count",
    "documents_in",
    "holds_documents",
    "index_progress",
    "known_documents",
    "list_files",
]
