from __future__ import annotations

from partywall.client.document_import.existing import (
    ExistingDocument,
    count_documents,
    known_documents,
    source_root,
)
from partywall.client.document_import.files import (
    LocalDocument,
    SourceFile,
    UnreadableFile,
    count,
    documents_in,
    holds_documents,
    name_in,
)
from partywall.client.document_import.gone import FolderContent, by_hash, gone_files, gone_lines
from partywall.client.document_import.index_progress import IndexProgress, UnreadDocument
from partywall.client.document_import.results import ImportCounts, ImportedDocument, Outcome
from partywall.client.document_import.scan import FileFilter, ScanResult, SkippedFile, scan
from partywall.client.document_import.send import Import
from partywall.client.document_import.watch import FolderWatch, Look

__all__ = [
    "ExistingDocument",
    "FileFilter",
    "FolderContent",
    "FolderWatch",
    "Import",
    "ImportCounts",
    "ImportedDocument",
    "IndexProgress",
    "LocalDocument",
    "Look",
    "Outcome",
    "ScanResult",
    "SkippedFile",
    "SourceFile",
    "UnreadDocument",
    "UnreadableFile",
    "by_hash",
    "count",
    "count_documents",
    "documents_in",
    "gone_files",
    "gone_lines",
    "holds_documents",
    "known_documents",
    "name_in",
    "scan",
    "source_root",
]
