"""Refuses a database role that could bypass the wall."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

_PRIVILEGED = text("""
    SELECT CASE
        WHEN rolsuper THEN 'is a superuser'
        WHEN rolbypassrls THEN 'bypasses row-level security'
        WHEN rolcreaterole THEN 'can create roles'
        WHEN EXISTS (SELECT FROM pg_class WHERE relowner = pg_roles.oid AND relkind IN ('r', 'p', 'v', 'm'))
            THEN 'owns tables'
        WHEN EXISTS (
            SELECT FROM pg_class AS owned JOIN pg_roles AS owner ON owner.oid = owned.relowner
            WHERE owned.relkind = 'r' AND owned.relnamespace = 'public'::regnamespace
                AND pg_has_role(pg_roles.oid, owner.oid, 'MEMBER'))
            THEN 'is a member of the owner of the tables'
    END
    FROM pg_roles WHERE rolname = current_user
""")


class PrivilegedRoleError(Exception):
    """The runtime role could bypass row-level security; the message says how, and which setting to change."""


async def refuse_privileged_role(engine: AsyncEngine) -> None:
    """Raises PrivilegedRoleError unless the role owns no table and is subject to every policy."""
    async with engine.connect() as connection:
        reason = await connection.scalar(_PRIVILEGED)
    if reason is not None:
        raise PrivilegedRoleError(
            f"the runtime role {reason}: set DATABASE__URL to a role that owns nothing (see docs/how-to/servers.md)"
        )
