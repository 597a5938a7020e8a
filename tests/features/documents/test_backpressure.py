"""While indexing is behind, the answer to a creation waits, after its commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from httpx2 import Response
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.types import Message, Scope

from partywall.core.backpressure import BALANCED
from partywall.core.http.responses import delayed
from partywall.core.resources import Resources
from partywall.testing.users import Users
from tests.features.documents.conftest import Workspace

BODY = {"title": "A title", "content": "Some content."}
type Create = Callable[[Workspace], Coroutine[None, None, Response]]


async def one(workspace: Workspace) -> Response:
    return await workspace.post(json=BODY)


async def one_with_a_key(workspace: Workspace) -> Response:
    return await workspace.post(json=BODY, headers={"Idempotency-Key": "a-key"})


async def many(workspace: Workspace) -> Response:
    return await workspace.post("/batch", json={"documents": [BODY]})


async def upload(workspace: Workspace) -> Response:
    return await workspace.post("/upload", files={"file": ("a.txt", b"Some content.", "text/plain")})


@asynccontextmanager
async def behind(resources: Resources, project: UUID) -> AsyncIterator[None]:
    """The worker finishes one document in a thousand seconds, so that an answer waits for the longest time."""
    resources.backpressure.delay(project)
    await resources.backpressure.report(project, BALANCED, 0.001)
    await resources.backpressure.read()
    yield
    await resources.backpressure.report(project, 0.0, 1.0)
    await resources.backpressure.read()


@pytest.mark.parametrize("create", [one, one_with_a_key, many, upload])
async def test_the_document_is_there_before_the_answer(
    resources: Resources, workspace: Workspace, create: Create
) -> None:
    async with behind(resources, workspace.project), asyncio.TaskGroup() as group:
        answer = group.create_task(create(workspace))
        while not (await workspace.get()).json()["items"]:
            assert not answer.done()
            await asyncio.sleep(0.01)
        answer.cancel()
    assert resources.backpressure.delay(workspace.project) == 0.0


async def test_refusals_are_not_delayed_or_counted(resources: Resources, workspace: Workspace, users: Users) -> None:
    outsider = await users.person()
    async with behind(resources, workspace.project):
        before = resources.backpressure.delay(workspace.project, 0)
        refused = [await outsider.client.post(workspace.url, json=BODY), await workspace.post(json={"title": 1})]
        assert [each.status_code for each in refused] == [404, 422]
        assert resources.backpressure.delay(workspace.project, 0) <= before


async def test_a_process_that_stops_sends_the_answer_at_once() -> None:
    draining, sent = asyncio.Event(), list[Message]()

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    app = Starlette()
    app.state.draining = draining
    scope: Scope = {"type": "http", "app": app, "state": {}}
    async with asyncio.TaskGroup() as group:
        group.create_task(delayed(PlainTextResponse("", 201), 3600.0)(scope, receive, send))
        await asyncio.sleep(0)
        assert sent == []
        draining.set()
    assert sent[0]["status"] == 201
