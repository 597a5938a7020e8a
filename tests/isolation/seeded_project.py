"""A project in which every text contains a unique word, so that any leaked text is recognised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid5

import asyncpg

from partywall.core.resources import Resources
from partywall.testing.engines import DatabaseUrls
from partywall.testing.isolation import rows
from partywall.testing.users import Person, Users
from tests.isolation.job_runner import index

# Besides the tables whose rows are addressed by `<table>_id`.
_NAMED_OTHERWISE = {"deletion_id": "document_deletion", "delivery_id": "webhook_delivery", "key_id": "api_key"}
_NUMBERS = {"number", "other"}
# Text that all projects have, so that a query with results in one would also match the others.
COMMON = "harbour"
# An index of $1 that is no longer searched, with the id $2 and one vector.
RETIRED = """
    WITH old AS (
        INSERT INTO search_index (project_id, id, model, dimension, status)
        VALUES ($1, $2, 'an old model', 256, 'retired') RETURNING project_id, id
    )
    INSERT INTO embedding (project_id, index_id, chunk, dimension, approximate, embedding)
    SELECT e.project_id, $2, e.chunk, 256, false, e.embedding FROM embedding AS e WHERE e.project_id = $1 LIMIT 1
"""

# The document $2 of the project $1, which is in the trash.
TRASHED = """
    INSERT INTO document (project_id, id, title, content, size, content_sha256, created_by, deleted_at, purge_at)
    SELECT project_id, $2, title, content, size, content_sha256, created_by, now(), now() + interval '1 day'
    FROM document WHERE project_id = $1 AND original_key IS NOT NULL LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class SeededProject:
    """`ids` are the path parameters; `blob` is the key of the uploaded file."""

    owner: Person
    project: UUID
    word: str
    ids: Mapping[str, str]
    blob: str

    @property
    def document(self) -> UUID:
        return UUID(self.ids["document_id"])

    @property
    def trashed(self) -> UUID:
        return UUID(self.ids["trashed_id"])

    @property
    def external_id(self) -> str:
        return f"{self.word}-external"

    @property
    def url(self) -> str:
        return f"/api/v1/projects/{self.project}"

    def secrets(self) -> list[str]:
        """Texts and ids that must never be visible from outside."""
        return [self.word, self.owner.email, str(self.owner.id), *(v for n, v in self.ids.items() if n not in _NUMBERS)]


async def seed(users: Users, resources: Resources, database: DatabaseUrls, word: str) -> SeededProject:
    """A new user's project with an indexed document of two versions, an upload, and a row in every table."""
    owner = await users.person()
    project = await owner.project(f"{word} project")
    document, uploaded = await _documents(owner, project, word)
    await index(users, resources, project, document, uploaded)
    trashed = uuid5(project, "trashed")
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.superuser))
    try:
        await rows.fill(connection, project)
        await connection.execute(TRASHED, project, trashed)
        ids = await _ids(connection, project)
        query = "SELECT original_key FROM document WHERE project_id = $1 AND original_key IS NOT NULL"
        blob = await connection.fetchval(query, project)
    finally:
        await connection.close()
    fixed = {
        "project_id": str(project),
        "document_id": str(document),
        "number": "1",
        "other": "1",
        "user_id": str(owner.id),
        "trashed_id": str(trashed),
    }
    return SeededProject(owner, project, word, {**ids, **fixed}, blob)


async def _documents(owner: Person, project: UUID, word: str) -> tuple[UUID, UUID]:
    url = f"/api/v1/projects/{project}/documents"
    body = {"title": f"{word} title", "content": f"{word} {COMMON} content", "external_id": f"{word}-external",
            "metadata": {"note": f"{word} note"}}  # fmt: skip
    made = await owner.client.post(url, json=body)
    assert made.status_code == 201, made.text
    document = UUID(made.json()["id"])
    changed = await owner.client.patch(f"{url}/{document}", json={"content": f"{word} {COMMON} changed"})
    assert changed.status_code == 200, changed.text
    sent = {"file": (f"{word}.txt", f"{word} {COMMON} upload".encode(), "text/plain")}
    uploaded = await owner.client.post(f"{url}/upload", files=sent)
    assert uploaded.status_code == 201, uploaded.text
    return document, UUID(uploaded.json()["id"])


async def _ids(connection: rows.Connection, project: UUID) -> dict[str, str]:
    found: dict[str, str] = {}
    tables = {table: f"{table}_id" for table in await rows.project_tables(connection)}
    tables |= {table: name for name, table in _NAMED_OTHERWISE.items()}
    for table, name in tables.items():
        query = f"SELECT to_jsonb(t) ->> 'id' FROM \"{table}\" AS t WHERE project_id = $1 LIMIT 1"  # noqa: S608 - a catalogue name
        value = await connection.fetchval(query, project)
        if value is not None and len(value) == 36:
            found[name] = value
    return found
