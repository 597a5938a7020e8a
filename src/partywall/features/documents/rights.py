from __future__ import annotations

from typing import Final

from partywall.core.rights import Right
from partywall.core.tenancy import Role

DOCUMENT_READ: Final = Right("document.read", "read and search documents and their versions", Role.VIEWER)
DOCUMENT_WRITE: Final = Right("document.write", "create, change, restore, reindex and delete documents", Role.EDITOR)
DOCUMENT_PURGE: Final = Right("document.purge", "delete documents for good, without the trash", Role.ADMIN)
