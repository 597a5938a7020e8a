"""Statements that check access and read or write: the same under every plan, and nothing for outsiders."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
import pytest

from partywall.core.db.scoped_query import ScopedQuery, Value
from partywall.core.tenancy import Role
from partywall.features.documents.creation import prepare
from partywall.features.documents.creation_repository import (
    CREATE,
    CREATE_BATCH,
    CREATE_LARGE,
    values_of,
    values_of_many,
)
from partywall.features.documents.filters.matches import Matching
from partywall.features.documents.filters.tree import Comparison, Field, Operator
from partywall.features.documents.list_repository import Listing, page_of, page_of_matching
from partywall.features.documents.reader_repository import (
    CONTENT,
    CONTENT_PIECE,
    ONE,
    STATS,
    TAKEN,
    TEXT_PAGE,
    VERSION,
    version_page,
)
from partywall.features.documents.schemas import DocumentCreate
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users
from tests.features.documents.conftest import Workspace

type Values = dict[str, Value]

TOGGLES = ("enable_nestloop", "enable_hashjoin", "enable_mergejoin", "enable_indexscan", "enable_seqscan",
           "enable_sort", "enable_material", "enable_memoize", "enable_bitmapscan")  # fmt: skip
PLANS = [
    *(pytest.param({toggle: "off"}, id=toggle) for toggle in TOGGLES),
    *(pytest.param(dict.fromkeys(pair, "off"), id="+".join(pair)) for pair in itertools.combinations(TOGGLES[:4], 2)),
    pytest.param({"plan_cache_mode": "force_generic_plan"}, id="generic"),
    pytest.param({"plan_cache_mode": "force_custom_plan"}, id="custom"),
    pytest.param({"debug_parallel_query": "on"}, id="parallel"),
    pytest.param({"from_collapse_limit": "1", "join_collapse_limit": "1"}, id="as-written"),
    pytest.param({"geqo_threshold": "2"}, id="geqo"),
]
SHA256 = hashlib.sha256(b"C1").hexdigest()
FILTERS = frozenset({"external_id", "status", "index_status", "q_title"})
TREE = Comparison(Field("metadata", ("a",)), Operator.EQ, (1,))
READS: dict[str, ScopedQuery] = {
    "one": ONE,
    "stats": STATS,
    "content": CONTENT,
    "piece": CONTENT_PIECE,
    "version": VERSION,
    "text-page": TEXT_PAGE,
    "taken": TAKEN,
    "versions": version_page(goes_on=False, counts=True),
    "versions-on": version_page(goes_on=True, counts=False),
    "list": page_of(Listing("-created_at", goes_on=False, counts=False, filters=frozenset())),
    "list-title": page_of(Listing("title", goes_on=False, counts=True, filters=frozenset())),
    "list-filtered": page_of(Listing("-updated_at", goes_on=False, counts=True, filters=FILTERS)),
    "list-matching": page_of_matching(Listing("title", goes_on=False, counts=True, filters=FILTERS), Matching(TREE)),
    "list-on": page_of(Listing("title", goes_on=True, counts=False, filters=frozenset())),
}


@dataclass(frozen=True, slots=True)
class Case:
    """A document and its project, queried on a connection of the runtime role."""

    connection: asyncpg.Connection
    project: UUID
    document: UUID

    async def ask(
        self, statement: ScopedQuery, principal: str, project: UUID | None = None, more: Values | None = None
    ) -> list[object]:
        bound: Values = {
            "principal": principal, "project_id": project or self.project, "document_id": self.document,
            "sha256": SHA256, "number": 1, "start": 0, "length": 10, "limit": 1, "one_more": 2, "offset": 0, "after": 9,
            "after_value": "", "after_id": UUID(int=0), "external_ids": ["e1"], "external_id": "e1",
            "status": "draft", "index_status": "pending", "q_title": "A", **(more or {}),
        }  # fmt: skip
        [row] = await self.connection.fetch(statement.sql, *statement.arguments(bound))
        return list(row.values())


@pytest.fixture
async def case(workspace: Workspace, database: DatabaseUrls) -> AsyncIterator[Case]:
    batch = [{"title": f"A {n}", "content": f"C{n}", "external_id": f"e{n}", "metadata": {"a": 1}} for n in range(3)]
    items = (await workspace.post("/batch", json={"documents": batch})).json()["items"]
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.runtime))
    yield Case(connection, workspace.project, UUID(items[1]["id"]))
    await connection.close()


async def plan(connection: asyncpg.Connection, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        await connection.execute("SELECT set_config($1, $2, false)", name, value)


@pytest.mark.parametrize("toggles", PLANS)
async def test_a_read_is_the_same_under_every_plan(
    case: Case, workspace: Workspace, users: Users, toggles: dict[str, str]
) -> None:
    owner = str(workspace.owner.principal)
    outsider = await users.person()
    elsewhere = await outsider.project()
    expected = {name: await case.ask(read, owner) for name, read in READS.items()}
    await plan(case.connection, toggles)
    for name, read in READS.items():
        assert expected[name][0] == "owner"
        assert any(value not in (None, b"[]", 0, False) for value in expected[name][1:]), name
        for _ in range(2):
            assert await case.ask(read, owner) == expected[name], name
            foreign = await case.ask(read, str(outsider.principal))
            assert (foreign[0], shows(foreign)) == (None, False), name
            assert await case.ask(read, f"service:{uuid4()}") == foreign, name
            empty = await case.ask(read, str(outsider.principal), elsewhere)
            assert (empty[0], shows(empty)) == ("owner", False), name


def shows(row: list[object]) -> bool:
    return any(b"C1" in value or b"A 1" in value for value in row if isinstance(value, bytes))


@pytest.mark.parametrize("toggles", PLANS)
@pytest.mark.parametrize("write", [CREATE, CREATE_LARGE, CREATE_BATCH], ids=["one", "large", "batch"])
async def test_a_write_is_the_same_under_every_plan(
    case: Case, workspace: Workspace, users: Users, write: ScopedQuery, toggles: dict[str, str]
) -> None:
    outsider = await users.person()
    await plan(case.connection, toggles)
    before = await counts(users, workspace.project)

    def values(role: Role) -> Values:
        new = [prepare(DocumentCreate(title=f"N{n}", content="")) for n in range(3)]
        return {**(values_of_many(new) if write is CREATE_BATCH else values_of(new[0])), "roles": [role]}

    for _ in range(2):
        refused = await case.ask(write, str(outsider.principal), more=values(Role.OWNER))
        assert (refused[0], refused[-1]) == (None, None)
        lacking = await case.ask(write, str(workspace.owner.principal), more=values(Role.EDITOR))
        assert (lacking[0], lacking[-1]) == ("owner", None)
    assert await counts(users, workspace.project) == before
    made = await case.ask(write, str(workspace.owner.principal), more=values(Role.OWNER))
    added = 3 if write is CREATE_BATCH else 1
    assert (made[0], made[-1]) == ("owner", added)
    assert await counts(users, workspace.project) == {name: count + added for name, count in before.items()}


async def counts(users: Users, project: UUID) -> dict[str, int]:
    [row] = await users.fetch(
        """
        SELECT (SELECT count(*) FROM document WHERE project_id = $1) AS document,
            (SELECT count(*) FROM document_version WHERE project_id = $1) AS version,
            (SELECT max(id) FROM event WHERE project_id = $1) AS event
        """,
        project,
    )
    return dict(row)


async def test_a_statement_leaves_no_scope_on_the_connection(case: Case, workspace: Workspace) -> None:
    await case.ask(ONE, str(workspace.owner.principal))
    assert await case.connection.fetchval("SELECT count(*) FROM document") == 0


async def test_the_list_uses_its_index_and_checks_access_once(case: Case, workspace: Workspace, users: Users) -> None:
    await users.execute(
        """
        INSERT INTO document (project_id, title, content, size, content_sha256, created_by, created_at)
        SELECT $1, 'T' || n, '', 0, '', 'user:', now() + n * interval '1 ms' FROM generate_series(1, 3000) AS n
        """,
        workspace.project,
    )
    await users.execute("ANALYZE document")
    listing = READS["list"]
    bound: Values = {
        "principal": str(workspace.owner.principal), "project_id": workspace.project, "limit": 50, "one_more": 51,
        "offset": 0,
    }  # fmt: skip
    for mode in ("force_custom_plan", "force_generic_plan"):
        await plan(case.connection, {"plan_cache_mode": mode})
        explain = "EXPLAIN (ANALYZE, BUFFERS OFF, TIMING OFF) " + listing.sql
        rows = await case.connection.fetch(explain, *listing.arguments(bound))
        text = "\n".join(row[0] for row in rows)
        assert "Index Scan Backward using document_created_at_idx" in text, text
        assert "Sort" not in text, text
        assert "rows=51" in text, text
        assert text.count("current_project()") <= 1, text
        assert "InitPlan" in text, text
