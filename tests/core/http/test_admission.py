"""No body is read before its caller, its size limit and its route are known."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import UUID

import pytest
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from partywall.core import spool as spools
from partywall.core.budget import SharedBudget
from partywall.core.http.admission import Admission, Target
from partywall.core.http.body_limits import LARGE_BODY_BYTES, ORDINARY_BYTES, PUBLIC_BYTES
from partywall.core.http.body_memory import BodyMemory, memory_of
from partywall.core.http.connection_limits import Connection
from partywall.testing.conditions import until
from partywall.testing.users import Users
from tests.core.http.bytes import PROJECTS, answer_on, ask, bearer, chunked, documents, head
from tests.features.live.server import Serving
from tests.features.live.wire import wired

JSON = "Content-Type: application/json"
HUGE = 30 * 1024 * 1024
PROTECTED = [
    ("POST", PROJECTS),
    ("POST", documents(UUID(int=7))),
    ("POST", f"{documents(UUID(int=7))}/batch"),
    ("POST", f"{documents(UUID(int=7))}/upload"),
    ("PUT", f"{documents(UUID(int=7))}/{UUID(int=7)}"),
    ("PATCH", f"{documents(UUID(int=7))}/{UUID(int=7)}"),
    ("POST", f"{PROJECTS}/{UUID(int=7)}/mcp"),
    ("POST", f"{PROJECTS}/{UUID(int=7)}/runs"),
]


@pytest.mark.parametrize("credential", ["", "Authorization: Bearer nonsense", "Authorization: Basic YTpi"])
@pytest.mark.parametrize(("method", "path"), PROTECTED)
async def test_an_outsider_is_refused_before_the_body_is_sent(
    server: Serving, method: str, path: str, credential: str
) -> None:
    lines = [f"Content-Length: {HUGE}", JSON, *([credential] if credential else [])]
    answer = await ask(server, head(method, path, *lines))
    assert (answer.status, answer.code) == (401, "not_authenticated")
    assert ('error="invalid_token"' in answer.headers["www-authenticate"]) is ("Bearer" in credential)
    assert answer.headers["connection"] == "close"


async def test_an_outsider_gets_no_100_continue(server: Serving) -> None:
    answer = await ask(server, head("POST", PROJECTS, f"Content-Length: {HUGE}", JSON, "Expect: 100-continue"))
    assert answer.status == 401


async def test_an_outsider_who_keeps_sending_can_read_the_answer(server: Serving) -> None:
    async with wired(server) as wire:
        wire.send(head("POST", PROJECTS, f"Content-Length: {HUGE}", JSON))
        wire.send(b"{}," * 200_000)
        assert (await answer_on(wire)).status == 401
        with suppress(ConnectionError):
            await wire.rest()


async def test_an_unknown_or_bodyless_route_reads_no_body(users: Users, server: Serving) -> None:
    owner = await users.person()
    for method, path, status in (
        ("POST", "/api/v1/nothing", 404),
        ("PUT", PROJECTS, 405),
        ("GET", PROJECTS, 200),
        ("DELETE", f"{PROJECTS}/{UUID(int=7)}", 404),
    ):
        lines = (f"Content-Length: {HUGE}", JSON, bearer(owner.token))
        answer = await ask(server, head(method, path, *lines))
        assert (answer.status, answer.headers["connection"]) == (status, "close")


async def test_a_route_without_a_body_receives_none() -> None:
    seen: list[bytes] = []
    coming: list[Message] = [
        {"type": "http.request", "body": b"a body", "more_body": True},
        {"type": "http.request", "body": b" and more", "more_body": False},
        {"type": "http.disconnect"},
    ]

    async def careless(_: Scope, receive: Receive, __: Send) -> None:
        seen.append(await Request({"type": "http"}, receive).body())
        assert await receive() == {"type": "http.disconnect"}

    async def receive() -> Message:
        return coming.pop(0)

    async def send(_: Message) -> None: ...

    budget = SharedBudget[str](1, 1)
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-length", b"15")], "state": {}}
    await Admission(careless, tuple, spools.Spool(Path(), budget), BodyMemory.of(6))(scope, receive, send)
    assert (seen, coming) == ([b""], [])


async def test_a_body_holds_memory_until_its_answer_begins(users: Users, server: Serving, tmp_path: Path) -> None:
    owner = await users.person()
    memory, held = BodyMemory.of(100 * 1024 * 1024), list[int]()
    body = b"x" * 200_000

    async def slowly_read(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        held.append(memory.texts.taken)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        held.append(memory.texts.taken)

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(_: Message) -> None: ...

    path = documents(await owner.project())
    pattern = re.compile("/api/v1/projects/(?P<project_id>[^/]+)/documents")
    target = Target(pattern, frozenset({"POST"}), public=False, max_bytes=LARGE_BODY_BYTES)
    app = Admission(slowly_read, lambda: (target,), spools.Spool(tmp_path, SharedBudget[str](2**30, 2**30)), memory)
    lines = [(b"authorization", f"Bearer {owner.token}".encode()), (b"content-length", b"200000")]
    await app({"type": "http", "method": "POST", "path": path, "headers": lines, "state": {}, "app": server.app},
              receive, send)  # fmt: skip
    assert held == [memory_of(200_000, 1), 0]


async def test_a_known_caller_is_served(users: Users, server: Serving) -> None:
    owner = await users.person()
    body = json.dumps({"name": "x"}).encode()
    for lines, sent in (
        ((f"Content-Length: {len(body)}",), body),
        (("Transfer-Encoding: chunked",), chunked([body, b""])),
    ):
        answer = await ask(server, head("POST", PROJECTS, *lines, JSON, bearer(owner.token)), sent)
        assert answer.status == 201
        assert "connection" not in answer.headers


async def test_the_ordinary_limit_and_the_public_one(users: Users, server: Serving) -> None:
    owner = await users.person()
    for path, limit in ((PROJECTS, ORDINARY_BYTES), ("/api/v1/auth/register", PUBLIC_BYTES)):
        headers = (f"Content-Length: {limit + 1}", JSON, bearer(owner.token))
        answer = await ask(server, head("POST", path, *headers))
        assert (answer.status, answer.code) == (413, "content_too_large")
        unsaid = ("Transfer-Encoding: chunked", JSON, bearer(owner.token))
        answer = await ask(server, head("POST", path, *unsaid), chunked([b" " * (limit + 1)]))
        assert (answer.status, answer.code) == (413, "content_too_large")


async def test_only_members_may_send_more_than_the_ordinary_limit(users: Users, server: Serving) -> None:
    owner, outsider = await users.person(), await users.person()
    project = await owner.project()
    for size in ("Content-Length: 20000000", "Transfer-Encoding: chunked"):
        answer = await ask(server, head("POST", documents(project), size, JSON, bearer(outsider.token)))
        assert (answer.status, answer.code) == (404, "project_not_found")
        answer = await ask(server, head("POST", documents("nonsense"), size, JSON, bearer(owner.token)))
        assert (answer.status, answer.code) == (413, "content_too_large")
    answer = await ask(server, head("POST", documents(project), f"Content-Length: {LARGE_BODY_BYTES + 1}", JSON,
                                    bearer(owner.token)))  # fmt: skip
    assert (answer.status, answer.code) == (413, "content_too_large")


@pytest.mark.parametrize("size", [60_000, 3_000_000])
@pytest.mark.parametrize("lines", ["Content-Length", "Transfer-Encoding"])
async def test_a_large_document_arrives_whole(users: Users, server: Serving, size: int, lines: str) -> None:
    owner = await users.person()
    project = await owner.project()
    content = "ä, [{:" * (size // 7)
    body = json.dumps({"title": "Large", "content": content}, ensure_ascii=False).encode()
    plain = lines == "Content-Length"
    headers = f"Content-Length: {len(body)}" if plain else "Transfer-Encoding: chunked"
    sent = body if plain else chunked([body[:1000], body[1000:], b""])
    answer = await ask(server, head("POST", documents(project), headers, JSON, bearer(owner.token)), sent)
    assert answer.status == 201
    assert json.loads(answer.body)["content"] == content


async def test_compressed_bodies_are_refused_unread(users: Users, server: Serving) -> None:
    owner = await users.person()
    for encoding in ("gzip", "br", "gzip, gzip"):
        headers = ("Content-Length: 5000", JSON, f"Content-Encoding: {encoding}", bearer(owner.token))
        answer = await ask(server, head("POST", documents(await owner.project()), *headers))
        assert (answer.status, answer.code) == (415, "unsupported_media_type")
        assert answer.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("kind", [(), ("Content-Type:",), ("Content-Type: text/plain",), ("Content-Type: text/json",)])
async def test_json_and_forms_need_their_content_type(users: Users, server: Serving, kind: tuple[str, ...]) -> None:
    """A body that a route would treat as empty, as text or as a form is refused."""
    owner = await users.person()
    project = await owner.project()
    body = b'{"title": "Notes", "content": "Some text", "name": "x"}'
    for method, path in (
        ("POST", documents(project)),
        ("PATCH", f"{PROJECTS}/{project}"),
        ("POST", PROJECTS),
        ("POST", "/api/v1/auth/register"),
        ("POST", f"{documents(project)}/upload"),
    ):
        headers = (f"Content-Length: {len(body)}", bearer(owner.token), *kind)
        answer = await ask(server, head(method, path, *headers), body)
        assert (answer.status, answer.code) == (415, "unsupported_media_type"), (method, path)


def open_in(directory: Path) -> bool:
    """Whether this process has an open file there, which may have no name."""
    found = False
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # one that was closed meanwhile
            found = found or link.readlink().is_relative_to(directory)
    return found


async def test_unfinished_bodies_have_a_disk_limit_and_leave_nothing(users: Users, strict: Serving) -> None:
    owner, other = await users.person(), await users.person()
    directory = strict.resources.settings.spool_directory
    project, elsewhere = await owner.project(), await other.project()
    headers = (f"Content-Length: {12 * 1024 * 1024}", JSON)
    async with wired(strict) as first:
        first.send(head("POST", documents(project), *headers, bearer(owner.token)) + b"x" * 200_000)
        await until(lambda: open_in(directory))
        second = await ask(strict, head("POST", documents(project), *headers, bearer(owner.token)))
        assert (second.status, second.code) == (503, "unavailable")
        assert int(second.headers["retry-after"]) > 0
        async with wired(strict) as third:
            third.send(head("POST", documents(elsewhere), *headers, bearer(other.token)))
            late = await answer_on(third)
        assert (late.status, late.code) == (408, "request_timeout")
        for connection in list(strict.server.server_state.connections):
            cast("Connection", connection).take_too_long()
        assert (await answer_on(first)).status == 408
    await until(lambda: not open_in(directory))
    assert list(directory.iterdir()) == []


async def test_a_full_disk_is_reported_before_anything_is_written(
    users: Users, server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenth of a small disk stays free; a body that fits in the rest is read."""
    owner = await users.person()
    headers = (f"Content-Length: {1024 * 1024}", JSON, bearer(owner.token))
    path = documents(await owner.project())
    answers = []
    for free in (26_000_000, 194_000_000):
        usage = (260_000_000, 260_000_000 - free, free)
        monkeypatch.setattr("shutil.disk_usage", lambda _, usage=usage: SimpleNamespace(total=usage[0], free=usage[2]))
        answers.append(await ask(server, head("POST", path, *headers), b"[" + b" " * (1024 * 1024 - 2) + b"]"))
    assert [(answer.status, answer.code) for answer in answers] == [
        (503, "insufficient_storage"),
        (422, "validation_failed"),
    ]
