"""Vectors of any dimension, and their HNSW indexes, which the owner of the tables creates on demand."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from partywall.features.search.hnsw_indexes import create_missing
from partywall.supervisor.migrations import at_head
from partywall.supervisor.options import ServeOptions
from partywall.testing.engines import DatabaseUrls
from tests.features.search.search_workspace import SearchWorkspace, titles
from tests.features.search.test_index_rebuild import Marked, change, stocked

__all__ = ["stocked"]

DEFINITION = "SELECT pg_get_indexdef(to_regclass($1)::oid)"


@pytest.fixture
async def odd(stocked: SearchWorkspace) -> AsyncIterator[SearchWorkspace]:
    yield stocked
    await stocked.users.execute("DROP INDEX IF EXISTS embedding_hnsw_77")


async def test_a_dimension_gets_an_index_on_demand(odd: SearchWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[float | None]()

    def uses_index(_: int, indexed_rows: float | None, _candidates: int) -> bool:
        asked.append(indexed_rows)
        return indexed_rows is not None

    monkeypatch.setattr("partywall.features.search.vector_plan.uses_index", uses_index)
    resources = await change(odd, Marked("marked@77", 77), odd.resources.embedders.current)
    for table in ("embedding", "search_index"):
        await odd.users.execute(f"UPDATE {table} SET approximate = true WHERE project_id = $1", odd.project)  # noqa: S608 - two constants
    exact = await titles(odd, resources, "#3", "vector")
    owner, tables = DatabaseUrls.dsn(odd.database.owner), ServeOptions().version_tables
    assert not await at_head(owner, tables)
    assert await create_missing(odd.database.owner, None) == ["created the HNSW index of vectors with 77 dimensions"]
    assert await create_missing(odd.database.owner, 77) == []
    assert await at_head(owner, tables)
    assert await titles(odd, resources, "#3", "vector") == exact
    assert exact[1][0] == "Number 3"
    assert [rows is None for rows in asked] == [True, False]
    bundled = str(await odd.value(DEFINITION, "embedding_hnsw_256"))
    assert await odd.value(DEFINITION, "embedding_hnsw_77") == bundled.replace("256", "77")


async def test_a_broken_index_is_not_used_and_built_again(odd: SearchWorkspace) -> None:
    """As a command that was killed leaves it."""
    await create_missing(odd.database.owner, 77)
    broken = "UPDATE pg_index SET indisvalid = $1 WHERE indexrelid = to_regclass('embedding_hnsw_77')"
    await odd.users.execute(broken, False)
    assert len(await create_missing(odd.database.owner, 77)) == 1
    assert await create_missing(odd.database.owner, 77) == []
