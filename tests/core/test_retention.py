"""Retention of stored answers, sessions, failures and blobs without a reference."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from partywall.core import retention
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.resources import Resources
from partywall.features.accounts.retention import prune_login_counters, prune_sessions
from partywall.features.documents.blobs import sweep_blobs
from partywall.testing.users import Users

ANSWER = """
    INSERT INTO idempotency_key (principal, project_id, route, key, fingerprint, status, headers, body, created_at)
    SELECT $1, '00000000-0000-0000-0000-000000000000', 'r', n::text, '', 201, '{}', repeat('x', 1000)::bytea,
        now() - ($2 || ' hours')::interval FROM generate_series($3::integer, $4) AS n
"""


async def test_stored_answers_are_kept_for_a_day(
    users: Users, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In as many transactions as it takes, even with a small limit for each."""
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 3)
    whose = f"user:{uuid4()}"
    await users.execute(ANSWER, whose, "25", 1, 10)
    await users.execute(ANSWER, whose, "23", 11, 12)
    await retention.prune_answers(resources)
    rows = await users.fetch("SELECT key FROM idempotency_key WHERE principal = $1 ORDER BY key", whose)
    assert [row["key"] for row in rows] == ["11", "12"]


async def test_a_batch_of_stored_answers_is_bounded_by_rows_and_bytes(users: Users, resources: Resources) -> None:
    await retention.prune_answers(resources)
    await users.execute(ANSWER, f"user:{uuid4()}", "25", 1, 20)
    size = 400  # less than 1000: PostgreSQL compresses equal bytes
    async with resources.reads.acquire() as connection:
        query = "SELECT wall.prune_idempotency_keys(now() - interval '24 hours', $1, $2)"
        assert await connection.fetchval(query, 5, 1 << 30) == 5
        assert 1 <= await connection.fetchval(query, 100, size) <= 14
        assert await connection.fetchval("SELECT wall.prune_idempotency_keys(now() + interval '1 h', 0, 1)") == 0


async def test_expired_sessions_and_failures_are_deleted(users: Users, resources: Resources) -> None:
    person = await users.person()
    for days in (61, 59):
        await users.execute(
            "INSERT INTO session (account_id, user_agent, expires_at)"
            " VALUES ($1, $2, now() - ($2 || ' days')::interval)",
            person.id, str(days - 30),
        )  # fmt: skip
        await users.execute(
            "INSERT INTO login_failure (counter, address_hash, failures, failed_at)"
            " VALUES ($1, $1, 1, now() - ($2 || ' min')::interval)",
            f"{person.id} {days}".encode(), str(days - 30),
        )  # fmt: skip
    await prune_sessions(resources)
    await prune_login_counters(resources)
    rows = await users.fetch("SELECT user_agent FROM session WHERE account_id = $1", person.id)
    assert [row["user_agent"] for row in rows] == ["29"]
    query = "SELECT counter FROM login_failure WHERE position($1::bytea IN counter) = 1"
    failures = await users.fetch(query, str(person.id).encode())
    assert [row["counter"] for row in failures] == [f"{person.id} 59".encode()]


async def test_files_that_nobody_refers_to_are_swept_when_they_are_old(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project, gone = await owner.project(), uuid4()
    sent = {"file": ("a.txt", b"kept", "text/plain")}
    assert (await owner.client.post(f"/api/v1/projects/{project}/documents/upload", files=sent)).status_code == 201
    scope = await ScopedReader(resources.reads, owner.principal).scope(project)

    async def some_bytes() -> AsyncIterator[bytes]:
        yield b"x"

    old, young = [(await resources.blobs.put(scope, some_bytes, max_bytes=9)).key for _ in range(2)]
    root = resources.settings.blob_directory
    directory = root / str(project)
    (directory / "tmpold").write_bytes(b"x")
    (directory / "tmpyoung").write_bytes(b"x")
    (root / str(gone) / "ab").mkdir(parents=True)
    (root / str(gone) / "ab" / f"{'ab' * 32}-{'0' * 16}").write_bytes(b"x")
    before = time.time() - 25 * 3600
    for path in directory.rglob("*"):
        if path.is_file() and path.name not in {young, "tmpyoung"}:
            os.utime(path, (before, before))
    await sweep_blobs(resources)
    left = {path.name for path in directory.rglob("*") if path.is_file()}
    [used] = [row["original_key"] for row in await users.fetch(
        "SELECT original_key FROM document WHERE project_id = $1", project)]  # fmt: skip
    assert left == {used, young, "tmpyoung"}
    assert old not in left
    assert not (root / str(gone)).exists()
