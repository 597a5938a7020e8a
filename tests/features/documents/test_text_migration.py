"""Texts stored in versions are moved to their own table and back without loss."""

from __future__ import annotations

from uuid import UUID, uuid4

import asyncpg
from alembic.config import Config
from alembic.script import ScriptDirectory

from partywall.core.db.migrate import migrate
from partywall.testing.engines import DatabaseUrls, Urls, new_database
from tests.architecture.layout import ROOT

MOVED = "0021"


def steps_back() -> str:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    newest_first = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    return f"-{newest_first.index(MOVED) + 1}"


async def put(connection: asyncpg.Connection, project: UUID, texts: list[str]) -> UUID:
    """A document with a version for each text, as stored before the migration."""
    made = uuid4()
    await connection.execute(
        "INSERT INTO document (project_id, id, title, content, size, content_sha256, version, created_by)"
        " VALUES ($1, $2, 't', $3, octet_length($3), md5($3), $4, 'user:x')",
        project, made, texts[-1], len(texts),
    )  # fmt: skip
    for number, text in enumerate(texts, 1):
        await connection.execute(
            "INSERT INTO document_version (project_id, document_id, number, title, content, size, content_sha256,"
            " created_by) VALUES ($1, $2, $3, 't', $4, octet_length($4), md5($4), 'user:x')",
            project, made, number, text,
        )  # fmt: skip
    return made


async def test_texts_are_moved_there_and_back(engines: Urls) -> None:
    database = await new_database(engines, "texts")
    await migrate(database.owner, database.runtime, steps_back())
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.superuser))
    try:
        project = await connection.fetchval("INSERT INTO project (name) VALUES ('p') RETURNING id")
        await connection.execute("INSERT INTO event_counter (project_id) VALUES ($1)", project)
        made = await put(connection, project, ["a", "bb", "a", "bb", "ccc", "bb"])
        await put(connection, project, ["dddd"])
        await migrate(database.owner, database.runtime)
        texts = await connection.fetch("SELECT content FROM document_text ORDER BY content")
        assert [row["content"] for row in texts] == ["a", "ccc"]
        [row] = await connection.fetch("SELECT sum(documents) AS documents, sum(bytes) AS bytes FROM project_usage")
        assert (row["documents"], row["bytes"]) == (2, 2 + 1 + 3 + 4 + 2 * len("{}"))
        await migrate(database.owner, database.runtime, steps_back())
        back = await connection.fetch(
            "SELECT content FROM document_version WHERE document_id = $1 ORDER BY number", made
        )
        assert [row["content"] for row in back] == ["a", "bb", "a", "bb", "ccc", "bb"]
    finally:
        await connection.close()
