"""Uploads with an Idempotency-Key: the slow work runs once and outside a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from httpx2 import Response
from redis.asyncio import Redis
from sqlalchemy.pool import QueuePool

from partywall.core.cache_keys import request_claim
from partywall.core.idempotency.claims import LEASE, claim
from partywall.core.resources import Resources
from partywall.core.text_process.processes import TextProcesses
from partywall.core.uploads import LARGE_EACH
from partywall.features.documents import upload
from partywall.features.documents.constants import LARGEST_INLINE_PAGE
from partywall.features.documents.upload import Source, UploadedFile
from partywall.settings import Settings
from partywall.testing.users import Users
from tests.features.documents.conftest import Workspace

LARGE = b"words " * LARGEST_INLINE_PAGE
CLAIM = request_claim(b"a request of the tests")


class Reading:
    """Replaces the reading of uploads: each waits for `go_on`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._open = upload.open_source
        self.begun = 0
        self.go_on = asyncio.Event()
        monkeypatch.setattr(upload, "open_source", self)

    async def __call__(
        self, file: UploadedFile, name: str | None, max_bytes: int, texts: TextProcesses, *, images: bool
    ) -> Source:
        self.begun += 1
        await self.go_on.wait()
        return await self._open(file, name, max_bytes, texts, images=images)


async def send(workspace: Workspace, key: str, content: bytes = LARGE, media_type: str = "text/plain") -> Response:
    return await workspace.post(
        "/upload", files={"file": ("a.txt", content, media_type)}, headers={"Idempotency-Key": key}
    )


@asynccontextmanager
async def hanging(
    workspace: Workspace, reading: Reading, *keys: str, content: bytes = LARGE
) -> AsyncIterator[list[asyncio.Task[Response]]]:
    async with asyncio.timeout(60):
        tasks = [asyncio.create_task(send(workspace, key, content)) for key in keys]
        try:
            while reading.begun < min(len(keys), LARGE_EACH):
                await asyncio.sleep(0.01)
            yield tasks
        finally:
            reading.go_on.set()
            await asyncio.gather(*tasks)


async def test_uploads_that_are_being_read_hold_no_connection(
    workspace: Workspace, users: Users, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = resources.engine.sync_engine.pool
    assert isinstance(pool, QueuePool)
    other = await users.person()
    async with hanging(workspace, Reading(monkeypatch), *(f"key-{number}" for number in range(30))) as tasks:
        assert pool.checkedout() == 0
        assert (await other.client.get("/api/v1/projects")).status_code == 200
        assert (await other.client.post("/api/v1/projects", json={"name": "Mine"})).status_code == 201
    assert {task.result().status_code for task in tasks} == {201}


async def test_the_same_key_meanwhile_is_in_progress(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hanging(workspace, Reading(monkeypatch), "key") as [first]:
        again = await send(workspace, "key")
        assert (again.status_code, again.json()["code"]) == (409, "request_in_progress")
    assert first.result().status_code == 201
    assert (await send(workspace, "key")).headers["idempotent-replayed"] == "true"


async def test_a_replay_is_not_read_again(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await send(workspace, "key")
    reading = Reading(monkeypatch)
    replayed = await send(workspace, "key")
    assert (replayed.status_code, replayed.content) == (201, first.content)
    other = await send(workspace, "key", b"other words")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert reading.begun == 0


async def test_a_failure_releases_the_key_and_leaves_no_file(workspace: Workspace, settings: Settings) -> None:
    assert (await send(workspace, "key", b"a\x00")).status_code == 415
    assert (await send(workspace, "key")).status_code == 201
    found = (settings.blob_directory / str(workspace.project)).rglob("*")
    assert len([path for path in found if path.is_file()]) == 1


async def test_two_that_were_both_read_are_stored_once(
    workspace: Workspace, settings: Settings, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the first claim had ended with its process."""
    reading = Reading(monkeypatch)
    async with hanging(workspace, reading, "key", content=b"words") as [first]:
        for key in [key async for key in resources.cache.scan_iter("claim:*")]:
            await resources.cache.delete(key)
        second = asyncio.create_task(send(workspace, "key", b"words"))
        while reading.begun < 2:
            await asyncio.sleep(0.01)
    async with asyncio.timeout(60):
        answers = [first.result(), await second]
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len((await workspace.get("")).json()["items"]) == 1
    found = (settings.blob_directory / str(workspace.project)).rglob("*")
    assert len([path for path in found if path.is_file()]) == 1


async def test_a_claim_expires_and_only_its_holder_can_release_it(resources: Resources) -> None:
    async with claim(resources.cache, CLAIM) as ours:
        assert ours
        assert 0 < await resources.cache.pttl(CLAIM) <= LEASE.total_seconds() * 1000
        async with claim(resources.cache, CLAIM) as theirs:
            assert not theirs
        assert await resources.cache.exists(CLAIM), "a refused request must not release the claim"
        await resources.cache.set(CLAIM, b"another's, after the lease")
    assert await resources.cache.exists(CLAIM)
    await resources.cache.delete(CLAIM)


async def test_without_valkey_there_are_no_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    away = Redis.from_url("redis://127.0.0.1:1")
    async with claim(away, CLAIM) as ours:
        assert ours
    await away.aclose()
