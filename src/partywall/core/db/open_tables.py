from __future__ import annotations

from typing import Final

from sqlalchemy import text

from partywall.core.db.statements import statement

OPEN_TABLES: Final = text(statement("core/db/sql/statements/open_tables.sql"))
