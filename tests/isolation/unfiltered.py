"""A planted fault that removes every project filter of the repositories from the SQL."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import pytest
from asyncpg.connection import Connection

from partywall.testing.engines import RUNTIME
from tests.isolation.app_copies import Copy

type Run = Callable[..., Awaitable[object]]

# `document.project_id = $2::UUID`, `project.id = $1`, but not a join's `chunk.project_id = vectors.project_id`.
_FILTER: Final = re.compile(r"\b(?:\w+\.project_id|project\.id) = (\$\d+)(?:::\w+)?", re.IGNORECASE)
_BARE: Final = re.compile(r"\bWHERE project_id = (\$\d+)(?:::\w+)?", re.IGNORECASE)
_METHODS: Final = ("prepare", "fetch", "fetchrow")


def unfiltered(sql: str) -> str:
    """The statement without project filters; the parameter remains, so that the others keep their numbers."""
    return _BARE.sub(r"WHERE \1::uuid IS NOT NULL", _FILTER.sub(r"\1::uuid IS NOT NULL", sql))


@asynccontextmanager
async def filters_taken_away(copy: Copy) -> AsyncIterator[set[str]]:
    """Removes the filter from statements to the copy's database; yields the statements changed so far."""
    seen: set[str] = set()
    with pytest.MonkeyPatch.context() as patch:
        for name in _METHODS:
            patch.setattr(Connection, name, _changed(getattr(Connection, name), copy.database_name, seen))
        await _renew_connections(copy)
        yield seen
    await _renew_connections(copy)


async def _renew_connections(copy: Copy) -> None:
    """Replaces connections, because they cache prepared statements."""
    await copy.resources.engine.dispose()
    copy.resources.reads.close_idle()


def _changed(method: Run, database: str, seen: set[str]) -> Run:
    async def run(connection: Connection, query: str, *args: object, **options: object) -> object:
        mine = (connection._params.database, connection._params.user) == (database, RUNTIME)
        changed = unfiltered(query) if mine else query
        if changed != query:
            seen.add(changed)
        return await method(connection, changed, *args, **options)

    return run
