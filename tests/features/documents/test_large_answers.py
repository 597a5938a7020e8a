"""A client that reads slowly costs bounded disk space and almost no memory."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import pytest

from partywall.core import large_answers
from partywall.core.db.read_pool import ReadPool
from partywall.settings import Settings
from partywall.testing.conditions import until
from partywall.testing.users import Person, Users
from tests.core.http.bytes import PROJECTS, answer_on, bearer, head
from tests.features.live.server import Serving, serve
from tests.features.live.wire import wired

MIB = 1024 * 1024
LARGE = 4 * MIB - 16 * 1024
CONTENT = 'a "quoted" \\ line\n\tä€😀\u2028\x07' * 60_000


@pytest.fixture(scope="module")
async def small(settings: Settings) -> AsyncIterator[Serving]:
    """Space for six large answers in total and two for each caller."""
    http = settings.http.model_copy(update={"answer_bytes": 24 * MIB, "answer_memory_bytes": 16 * MIB})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_answers, "_TURN_SECONDS", 0.2)
        async with serve(settings.model_copy(update={"http": http})) as serving:
            yield serving


async def large(person: Person, content: str = CONTENT) -> str:
    made = await person.client.post(
        f"{PROJECTS}/{await person.project()}/documents", json={"title": "L", "content": content}
    )
    assert made.status_code == 201
    assert made.json() == (await person.client.get(made.headers["location"])).json()
    assert made.json()["content"] == content
    return f"{made.headers['location']}"


async def test_a_large_text_does_not_come_back_for_the_answer(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would be in memory three times, with the one that was sent."""
    answered: list[int] = []
    fetch = ReadPool.fetch

    async def noting(pool: ReadPool, query: str, *args: object) -> list[asyncpg.Record]:
        rows = await fetch(pool, query, *args)
        answered.extend(len(value) for row in rows for value in row.values() if isinstance(value, str | bytes))
        return rows

    monkeypatch.setattr(ReadPool, "fetch", noting)
    await large(await users.person())
    assert 0 < max(answered) < 10_000


async def test_a_large_document_is_the_same_whichever_way(users: Users) -> None:
    owner = await users.person()
    path = await large(owner)
    client = owner.client
    assert (await client.get(path)).json()["content"] == CONTENT
    whole = await client.get(path, headers={"Accept-Encoding": "identity"})
    assert (whole.status_code, whole.json()["content"]) == (200, CONTENT)
    assert int(whole.headers["content-length"]) == len(whole.content)
    assert whole.headers["content-type"] == "application/json"
    assert (await client.get(path, headers={"If-None-Match": whole.headers["etag"]})).status_code == 304
    assert (await client.get(f"{path}/versions/1")).json()["content"] == CONTENT
    assert (await client.get(f"{path}/versions/2")).status_code == 404
    text = await client.get(f"{path}/content")
    assert text.content == CONTENT.encode()
    part = await client.get(f"{path}/content", headers={"Range": "bytes=1000-900000"})
    assert (part.status_code, part.content) == (206, CONTENT.encode()[1000:900_001])
    changed = await client.patch(path, json={"status": "published"})
    assert changed.json() == (await client.get(path)).json()
    assert changed.headers["etag"] == (await client.get(path)).headers["etag"]


async def test_a_large_original_is_the_same(users: Users) -> None:
    owner = await users.person()
    documents = f"{PROJECTS}/{await owner.project()}/documents"
    sent = ("line of text\n" * 100_000).encode()
    made = await owner.client.post(f"{documents}/upload", files={"file": ("a.txt", sent, "text/plain")})
    assert made.status_code == 201
    found = await owner.client.get(f"{documents}/{made.json()['id']}/content?original=true")
    assert found.content == sent


async def test_another_project_sees_nothing_of_it(users: Users) -> None:
    owner, outsider = await users.person(), await users.person()
    path = await large(owner)
    for each in (path, f"{path}/content", f"{path}/versions/1"):
        assert (await outsider.client.get(each)).status_code == 404


@pytest.mark.parametrize("part", ["", "/content", "/versions/1"])
async def test_a_slow_reader_holds_only_its_own_slots_and_no_memory(users: Users, small: Serving, part: str) -> None:
    owner, other = await users.person(), await users.person()
    # More than the kernel buffers for a connection, so that an unread answer is not sent to its end.
    path, elsewhere = await large(owner, "x" * LARGE), await large(other, "y" * LARGE)
    async with AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(wired(small, receive_buffer=4096)) for _ in range(6)]
        for each in slow:
            each.read_no_more()
            each.send(head("GET", path + part, bearer(owner.token)))
        await until(lambda: small.resources.answers.under_way == 8 * MIB)
        async with wired(small) as late:
            late.send(head("GET", path + part, bearer(owner.token)))
            answer = await answer_on(late)
        assert (answer.status, answer.code) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0
        buffered = sum(each.transport.get_write_buffer_size() for each in small.server.server_state.connections)
        assert buffered < 2 * MIB
        async with wired(small) as quick:
            quick.send(head("GET", elsewhere + part, bearer(other.token)))
            answer = await answer_on(quick)
        assert answer.status == 200
        assert answer.body.count(b"y") >= 3 * MIB
    await until(lambda: small.resources.answers.under_way == 0)
    assert list(small.resources.settings.spool_directory.iterdir()) == []


async def test_a_completed_change_is_answered_even_without_space(users: Users, small: Serving) -> None:
    owner = await users.person()
    path = await large(owner, "x" * LARGE)
    body = b'{"status": "published"}'
    async with AsyncExitStack() as stack:
        for _ in range(2):
            slow = await stack.enter_async_context(wired(small, receive_buffer=4096))
            slow.read_no_more()
            slow.send(head("GET", path, bearer(owner.token)))
        await until(lambda: small.resources.answers.under_way == 8 * MIB)
        async with wired(small) as late:
            said = (f"Content-Length: {len(body)}", "Content-Type: application/json", bearer(owner.token))
            late.send(head("PATCH", path, *said) + body)
            answer = await answer_on(late)
    assert (answer.status, json.loads(answer.body)["status"]) == (200, "published")
