from __future__ import annotations

from partywall.client.document_export.document_files import ForeignFolder
from partywall.client.document_export.export import Export, ExportCounts
from partywall.client.document_export.manifest import MANIFEST, is_export, read_entries
from partywall.client.document_export.restore import Restore

__all__ = ["MANIFEST", "Export", "ExportCounts", "ForeignFolder", "Restore", "is_export", "read_entries"]
