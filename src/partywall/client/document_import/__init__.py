from __future__ import annotations

from partywall.client.document_import.existing import ExistingDocument, known_documents, not_indexed, source_root
from partywall.client.document_import.files import (
    LocalDocument,
    UnreadableFile,
    count,
    documents_in,
    holds_documents,
    name_in,
)
from partywall.client.document_import.progress import IndexCounts, index_progress
from partywall.client.document_import.scan import FileFilter, ScanResult, SkippedFile, scan
from partywall.client.document_import.send import Import, ImportCounts, Outcome

__all__ = [
    "ExistingDocument",
    "FileFilter",
    "Import",
    "ImportCounts",
    "IndexCounts",
    "LocalDocument",
    "Outcome",
    "ScanResult",
    "SkippedFile",
    "UnreadableFile",
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
