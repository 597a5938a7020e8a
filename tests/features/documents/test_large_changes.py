"""A change of a large document waits for memory before its transaction; a small one does not."""

from __future__ import annotations

import asyncio
import gc

import pytest
from httpx2 import Response
from sqlalchemy import BindParameter
from sqlalchemy.pool import QueuePool

from partywall.core.resources import Resources
from partywall.testing.users import Users
from tests.features.documents.conftest import Workspace

LARGE = "word " * 200_000
CHANGES = {
    "PATCH": ("", {"title": "Another"}),
    "PUT": ("", {"title": "Another", "content": "Short."}),
    "restore": ("/versions/1/restore", None),
    "reindex": ("/reindex", None),
}


async def change(workspace: Workspace, kind: str, document: str) -> Response:
    path, body = CHANGES[kind]
    method = kind if kind.isupper() else "POST"
    return await workspace.client.request(method, f"{workspace.url}/{document}{path}", json=body)


@pytest.mark.parametrize("kind", CHANGES)
async def test_a_large_one_waits_for_memory(workspace: Workspace, resources: Resources, kind: str) -> None:
    large = str((await workspace.document(content=LARGE))["id"])
    small = str((await workspace.document())["id"])
    pool = resources.engine.sync_engine.pool
    assert isinstance(pool, QueuePool)
    async with asyncio.timeout(60):
        async with resources.answers.room("somebody else", resources.settings.http.answer_memory_bytes):
            waiting = asyncio.create_task(change(workspace, kind, large))
            while not resources.answers.waiting:
                await asyncio.sleep(0.01)
            assert pool.checkedout() == 0
            assert (await change(workspace, kind, small)).is_success
            assert not waiting.done()
        assert (await waiting).is_success


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_no_statement_keeps_the_text(workspace: Workspace, method: str) -> None:
    """SQLAlchemy caches the first compiled statement for each set of columns; it must not hold the values."""
    made = str((await workspace.document(content="Short."))["id"])
    body = {"title": f"By {method}", "content": LARGE, "external_id": f"by-{method}", "status": "published"}
    changed = await workspace.client.request(method, f"{workspace.url}/{made}", json=body)
    assert changed.json()["content"] == LARGE
    gc.collect()
    values = [each.value for each in gc.get_objects() if isinstance(each, BindParameter)]
    assert [len(each) for each in values if isinstance(each, str) and len(each) >= len(LARGE)] == []


@pytest.mark.parametrize("kind", CHANGES)
async def test_outsiders_see_nothing(workspace: Workspace, users: Users, kind: str) -> None:
    large = str((await workspace.document(content=LARGE))["id"])
    outsider = Workspace(workspace.project, await users.person())
    assert (await change(outsider, kind, large)).status_code == 404
