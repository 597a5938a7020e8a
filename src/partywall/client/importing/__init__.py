from __future__ import annotations

from partywall.client.importing.files import Local, Unreadable, count, documents_in, holds_documents, name_in
from partywall.client.importing.known import Known, known_documents, not_indexed, source_root
from partywall.client.importing.progress import IndexCounts, index_progress
from partywall.client.importing.scan import Choice, Scan, Skipped, scan
from partywall.client.importing.send import Import, Outcome, Tally

__all__ = [
    "Choice",
    "Import",
    "IndexCounts",
    "Known",
    "Local",
    "Outcome",
    "Scan",
    "Skipped",
    "Tally",
    "Unreadable",
    "count",
    "documents_in",
    "holds_documents",
    "index_progress",
    "known_documents",
    "name_in",
    "not_indexed",
    "scan",
    "source_root",
]
