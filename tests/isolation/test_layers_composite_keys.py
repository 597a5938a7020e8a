"""Without types and policies, a composite foreign key refuses a row that points into another project.

The keys come from the catalogue, so new tables are covered automatically.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.exc import IntegrityError

from partywall.core.db.scopes import open_shared_scope
from partywall.core.resources import Resources
from partywall.features.search.chunk_repository import ChunkWriter, NewChunk
from partywall.features.search.copies import Wording
from partywall.features.search.terms import counted_words
from partywall.testing.engines import DatabaseUrls
from partywall.testing.isolation import rows
from partywall.testing.isolation.rows import Connection, ForeignKey
from partywall.testing.users import Person, Users


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Two projects with a row in every table, and a superuser's transaction that never commits."""

    connection: Connection
    mine: UUID
    foreign: UUID


@pytest.fixture
async def neighbours(users: Users, database: DatabaseUrls) -> AsyncIterator[Neighbours]:
    person = await users.person()
    mine, foreign = await person.project(), await person.project()
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.superuser))
    transaction = connection.transaction()
    await transaction.start()
    try:
        for project in (mine, foreign):
            await rows.fill(connection, project)
        yield Neighbours(connection, mine, foreign)
    finally:
        await transaction.rollback()
        await connection.close()


async def crossing_keys(connection: Connection) -> list[ForeignKey]:
    return [key for key in await rows.foreign_keys(connection) if key.crossing]


async def point_across(at: Neighbours, key: ForeignKey) -> None:
    """Makes one row of `mine` refer to the parent in `foreign`, and changes nothing else."""
    columns = ", ".join(f'"{column}"' for column, _ in key.crossing)
    targets = ", ".join(f'"{target}"' for _, target in key.crossing)
    await at.connection.execute(
        f"""
        UPDATE "{key.child}" SET ({columns}) = (SELECT {targets} FROM "{key.parent}" WHERE project_id = $1 LIMIT 1)
        WHERE ctid = (SELECT ctid FROM "{key.child}" WHERE project_id = $2 LIMIT 1)
        """,  # noqa: S608 - names from the catalogue
        at.foreign,
        at.mine,
    )


async def move_across(at: Neighbours, key: ForeignKey) -> None:
    """Moves one row of `mine` to `foreign`, without its parent."""
    await at.connection.execute(
        f"""
        UPDATE "{key.child}" SET project_id = $1
        WHERE ctid = (SELECT ctid FROM "{key.child}" WHERE project_id = $2 LIMIT 1)
        """,  # noqa: S608 - names from the catalogue
        at.foreign,
        at.mine,
    )


async def test_no_row_points_into_another_project(neighbours: Neighbours) -> None:
    keys = await crossing_keys(neighbours.connection)
    assert len(keys) >= 15
    for key in keys:
        for across in (point_across, move_across):
            with pytest.raises(asyncpg.ForeignKeyViolationError):
                await _undone(neighbours, across(neighbours, key))


async def _undone(at: Neighbours, change: Awaitable[None]) -> None:
    async with at.connection.transaction():
        await change


async def test_every_table_that_names_a_row_of_a_project_does_so_by_such_a_key(neighbours: Neighbours) -> None:
    """The test above covers every project table that refers to more than the project itself.

    The other two have no foreign key to their project: an idempotency key belongs to its principal, and a job outlives
    its project because it may be the one that purges it.
    """
    keys = await rows.foreign_keys(neighbours.connection)
    crossing = {key.child for key in keys if key.crossing}
    rooted = {key.child for key in keys if not key.crossing}
    tables = set(await rows.project_tables(neighbours.connection))
    assert tables - crossing - rooted == {"idempotency_key", "job"}


async def test_a_key_without_the_project_would_be_found(neighbours: Neighbours) -> None:
    """The counter-test: a reference by id alone accepts a row that points across projects."""
    await neighbours.connection.execute(
        """
        ALTER TABLE document ADD CONSTRAINT document_bare_id UNIQUE (id);
        ALTER TABLE document_version DROP CONSTRAINT document_version_project_id_document_id_fkey,
            ADD CONSTRAINT bare FOREIGN KEY (document_id) REFERENCES document (id)
        """
    )
    [bare] = [key for key in await crossing_keys(neighbours.connection) if key.name == "bare"]
    await point_across(neighbours, bare)


async def test_the_program_itself_is_stopped_in_its_own_project(users: Users, resources: Resources) -> None:
    """With a valid scope and satisfied policies, the key refuses a chunk of a foreign document."""
    one, other = await users.person(), await users.person()
    mine, document = await one.project(), await _document(other)
    chunk = NewChunk(document, 0, 1, "english", "title", "text", Wording(1, 0))
    with pytest.raises(IntegrityError, match="chunk_project_id_document_id_fkey") as refused:
        await _add(resources, one, mine, chunk)
    assert str(document) not in str(refused.value), "with policies, PostgreSQL quotes no values"


async def _add(resources: Resources, person: Person, project: UUID, chunk: NewChunk) -> None:
    async with resources.sessions.begin() as session:
        await ChunkWriter(session, await open_shared_scope(session, person.principal, project)).add(
            [chunk], counted_words([chunk]), None, [], large=False
        )


async def _document(person: Person) -> UUID:
    project = await person.project()
    made = await person.client.post(f"/api/v1/projects/{project}/documents", json={"title": "T", "content": "C"})
    return UUID(made.json()["id"])
