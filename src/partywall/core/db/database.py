"""A process's connections to PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack

from sqlalchemy.ext.asyncio import AsyncEngine

from partywall.core.db import engine as engines
from partywall.core.db.character_type import warn_unless_utf8
from partywall.core.db.read_pool import ReadPool
from partywall.core.db.roles import refuse_privileged_role


async def open_database(
    stack: AsyncExitStack, url: str, options: Mapping[str, str], *, size: int, overflow: int, pooled: bool
) -> tuple[AsyncEngine, ReadPool]:
    """The engine for transactions and the pool for fast reads, both as a role that row-level security applies to.

    Raises PrivilegedRoleError for any other role.
    """
    engine = engines.create_engine(url, pool_size=size, overflow=overflow, settings=options, pooled=pooled)
    stack.push_async_callback(engine.dispose)
    await refuse_privileged_role(engine)
    await warn_unless_utf8(engine)
    # One account may use `size` of them, which leaves a third for others.
    reads = await engines.create_read_pool(url, size=size * 3 // 2, settings=options, pooled=pooled)
    stack.callback(reads.terminate)
    return engine, reads
