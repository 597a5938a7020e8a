"""Warns of a database whose words are split wrongly outside of ASCII."""

from __future__ import annotations

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

log = structlog.get_logger(__name__)

_CHARACTER_TYPE = text("SELECT datctype FROM pg_database WHERE datname = current_database()")
_ASCII_ONLY = frozenset({"C", "POSIX"})


async def warn_unless_utf8(engine: AsyncEngine) -> None:
    """Logs a warning if the database's text search parser treats every non-ASCII character as a letter."""
    async with engine.connect() as connection:
        character_type = str(await connection.scalar(_CHARACTER_TYPE))
    if character_type in _ASCII_ONLY:
        log.warning(
            "character_type_is_not_utf8",
            character_type=character_type,
            effect="search by word misses words next to typographic characters",
            remedy="create the database with LC_CTYPE 'C.UTF-8' and move the data: docs/how-to/servers.md",
        )
