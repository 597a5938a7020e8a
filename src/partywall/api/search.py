"""What `resources.search_documents` finds."""

from __future__ import annotations

from partywall.core.document_search import FoundDocument

__all__ = [
    "FoundDocument",
]
