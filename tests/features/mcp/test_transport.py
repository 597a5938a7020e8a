"""The HTTP transport: one message per request, no session, no leaked resources."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi import Request
from mcp import MCPError, types
from mcp_types.methods import SPEC_CLIENT_METHODS
from sqlalchemy import QueuePool
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from partywall.core.http.sockets import OriginNotAllowedError
from partywall.core.schemas import RequestModel, ResponseModel
from partywall.features.mcp import service
from partywall.features.mcp.caller import Caller
from partywall.features.mcp.dependencies import refuse_foreign_pages
from partywall.features.mcp.tool import ReportProgress
from partywall.features.mcp.tools import BY_NAME
from partywall.settings import HttpSettings, Settings
from partywall.testing.conditions import until
from tests.features.live.server import Serving, serve
from tests.features.live.wire import wired
from tests.features.mcp.mcp_workspace import ENVELOPE, ERAS, McpWorkspace, calling, message

FOLLOWED_FOR = 50
JSON = {"Content-Type": "application/json"}


def idle(serving: Serving) -> bool:
    """Whether no stream and no database connection is in use."""
    resources = serving.resources
    pool = resources.engine.pool
    assert isinstance(pool, QueuePool)
    held = resources.reads.slots.in_use + pool.checkedout()
    return bool(resources.tailers._slots.taken + resources.tailers.followed + held == 0)


@asynccontextmanager
async def following(
    mcp_workspace: McpWorkspace, serving: Serving, accept: str = "application/json, text/event-stream"
) -> AsyncIterator[asyncio.Task[httpx2.Response]]:
    """A client that waits for a run that no worker processes."""
    run = await mcp_workspace.workspace.start()
    url = f"{serving.url}/api/v1/projects/{mcp_workspace.workspace.project}/mcp"
    async with mcp_workspace.raw() as client, asyncio.TaskGroup() as group:
        body = calling("follow_run", run_id=run, wait_seconds=FOLLOWED_FOR)
        waiting = group.create_task(client.post(url, json=body, headers={"Accept": accept}))
        # A project has a tailer once a subscriber has caught up with its log.
        await until(lambda: serving.resources.tailers.followed == 1, FOLLOWED_FOR - 10)
        yield waiting


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
async def test_there_is_no_session_to_listen_to_or_to_end(mcp_workspace: McpWorkspace, method: str) -> None:
    async with mcp_workspace.raw() as client:
        answer = await client.request(method, mcp_workspace.url())
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_each_message_stands_alone(mcp_workspace: McpWorkspace) -> None:
    """Any process can answer it; there is no handshake."""
    async with mcp_workspace.raw() as client:
        answer = await client.post(mcp_workspace.url(), json=calling("list_documents"))
    assert "mcp-session-id" not in answer.headers
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["result"]["structuredContent"]["items"] == []


async def test_a_notification_is_accepted_and_not_answered(mcp_workspace: McpWorkspace) -> None:
    async with mcp_workspace.raw() as client:
        answer = await client.post(mcp_workspace.url(), json={"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (answer.status_code, answer.content) == (202, b"")


@pytest.mark.parametrize("era", ERAS)
async def test_a_method_that_is_not_offered_is_not_found(mcp_workspace: McpWorkspace, era: str) -> None:
    """For any parameters, because clients detect features by this error code."""
    offered = {"tools/list", "tools/call", *({"initialize", "ping"} if era == "legacy" else {"server/discover"})}
    asked = {*SPEC_CLIENT_METHODS, "sampling/createMessage", "roots/list", "tasks/list", "tools", "Tools/List"}
    headers = {} if era == "legacy" else {"MCP-Protocol-Version": era, "Mcp-Name": "x"}
    async with mcp_workspace.raw() as client:
        for method in sorted(asked - offered):
            for given in ({}, dict.fromkeys(("name", "uri", "ref", "level"), "x")):
                body = message(method, **given, **({} if era == "legacy" else ENVELOPE))
                answer = await client.post(mcp_workspace.url(), json=body, headers={**headers, "Mcp-Method": method})
                said = answer.json().get("error", {})
                assert (said.get("code"), said.get("message")) == (-32601, "Method not found"), (method, answer.text)
    async with mcp_workspace.client(era) as sdk:
        with pytest.raises(MCPError, match="Method not found"):
            await sdk.complete(types.PromptReference(name="x"), {"name": "x", "value": ""})


@pytest.mark.parametrize("text", ["\0", "\ud800", 1e308, 10**30])
@pytest.mark.parametrize("tool", ["search_documents", "follow_run"])
async def test_arguments_that_cannot_be_stored_get_a_tool_error(
    mcp_workspace: McpWorkspace, tool: str, text: str | float
) -> None:
    async with mcp_workspace.raw() as client:
        answer = await client.post(
            mcp_workspace.url(), content=json.dumps(calling(tool, q=text, deep=[[text]])), headers=JSON
        )
        nowhere = await client.post(
            mcp_workspace.url(mcp_workspace.workspace.owner.id), content=json.dumps(calling(tool, q=text)), headers=JSON
        )
    assert answer.status_code == 200, answer.text
    [line] = [line for line in answer.text.splitlines() if "jsonrpc" in line]
    said = json.loads(line.removeprefix("data: "))
    assert (said["id"], said["result"]["isError"]) == (1, True)
    assert json.loads(said["result"]["content"][0]["text"])["code"] == "validation_failed"
    assert nowhere.status_code == 404


async def test_a_huge_body_is_refused_before_it_is_sent(mcp_workspace: McpWorkspace) -> None:
    url = urlsplit(mcp_workspace.url())
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    head = (
        f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nAuthorization: Bearer {mcp_workspace.key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n"
    )
    writer.write(head.encode())
    async with asyncio.timeout(60):
        answer = await reader.readuntil(b"}")
    writer.close()
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"code":"content_too_large"' in answer


@pytest.mark.parametrize("accept", ["application/json, text/event-stream", "application/json"])
async def test_a_client_that_goes_in_the_middle_of_waiting_leaves_nothing_open(
    mcp_workspace: McpWorkspace, accept: str
) -> None:
    async with following(mcp_workspace, mcp_workspace.served, accept) as waiting:
        assert not idle(mcp_workspace.served)
        waiting.cancel()
    await until(lambda: idle(mcp_workspace.served), FOLLOWED_FOR - 10)


async def test_bytes_behind_a_waiting_call_end_its_stream(mcp_workspace: McpWorkspace) -> None:
    body = json.dumps(calling("follow_run", run_id=await mcp_workspace.workspace.start(), wait_seconds=FOLLOWED_FOR))
    head = (
        f"POST {urlsplit(mcp_workspace.url()).path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
        f"{mcp_workspace.key}"
    )
    kind = "Accept: application/json, text/event-stream\r\nContent-Type: application/json"
    async with wired(mcp_workspace.served) as wire:
        wire.send(f"{head}\r\n{kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        await until(lambda: mcp_workspace.served.resources.tailers.followed == 1, FOLLOWED_FOR - 10)
        wire.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda: idle(mcp_workspace.served), FOLLOWED_FOR - 10)


async def test_a_server_that_drains_keeps_nobody_waiting(mcp_workspace: McpWorkspace, settings: Settings) -> None:
    async with serve(settings) as serving, following(mcp_workspace, serving) as waiting:
        serving.app.state.draining.set()
        async with asyncio.timeout(40):
            answer = await waiting
    [line] = [line for line in answer.text.splitlines() if line.startswith("data: ")]
    followed = json.loads(line.removeprefix("data: "))["result"]["structuredContent"]
    assert (followed["settled"], followed["run"]["status"]) == (False, "queued")


async def test_a_waiting_call_takes_the_slot_of_a_stream(mcp_workspace: McpWorkspace, settings: Settings) -> None:
    events = settings.events.model_copy(update={"connections_per_principal": 1})
    async with (
        serve(settings.model_copy(update={"events": events})) as serving,
        following(mcp_workspace, serving) as waiting,
    ):
        url = f"{serving.url}/api/v1/projects/{mcp_workspace.workspace.project}/mcp"
        async with mcp_workspace.raw() as client:
            second = await client.post(url, json=calling("follow_run", run_id=await mcp_workspace.workspace.start()))
        waiting.cancel()
    assert "too_many_streams" in second.text


def failing(error: Exception) -> Callable[[Caller, RequestModel, ReportProgress], Awaitable[ResponseModel]]:
    async def work(_: Caller, __: RequestModel, ___: ReportProgress) -> ResponseModel:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code"), [(RuntimeError("the secret"), "internal_error"), (PoolTimeoutError("the secret"), "unavailable")]
)
async def test_an_unexpected_error_reveals_only_the_request_id(
    mcp_workspace: McpWorkspace, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    broken = dataclasses.replace(BY_NAME["get_run"], work=failing(error))
    monkeypatch.setattr(service, "BY_NAME", {**BY_NAME, "get_run": broken})
    async with mcp_workspace.raw() as client:
        answer = await client.post(
            mcp_workspace.url(), json=calling("get_run", run_id=str(mcp_workspace.workspace.project))
        )
    said = json.loads(answer.json()["result"]["content"][0]["text"])
    assert answer.json()["result"]["isError"] is True
    assert (said["code"], said["request_id"]) == (code, answer.headers["x-request-id"])
    assert "secret" not in answer.text


async def test_a_request_of_another_origin_is_refused(mcp_workspace: McpWorkspace) -> None:
    """Also with a matching Host (DNS rebinding), because that name is not in the settings."""
    port = urlsplit(mcp_workspace.url()).port
    rebound = {"Origin": f"http://attacker.example:{port}", "Host": f"attacker.example:{port}"}
    async with mcp_workspace.raw() as client:
        own = await client.post(mcp_workspace.url(), json=message(), headers={"Origin": f"http://127.0.0.1:{port}"})
        foreign = await client.post(mcp_workspace.url(), json=message(), headers={"Origin": "https://attacker.example"})
        rebinding = await client.post(mcp_workspace.url(), json=message(), headers=rebound)
    assert own.status_code == 200
    for answer in (foreign, rebinding):
        assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "attacker.example", True),
        ("https://partywall.example", "10.0.0.7:8000", True),
        ("https://partywall.example", "partywall.example", True),
        ("https://app.example", "partywall.example", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("http://localhost:8000", "localhost:8000", True),
        ("http://localhost:9000", "localhost:8000", False),
        ("http://10.0.0.7", "10.0.0.8", False),
        ("https://evil.example", "evil.example", False),
        ("null", "partywall.example", False),
        ("http://localhost.evil.example", "localhost.evil.example", False),
    ],
)
async def test_allowed_origins(mcp_workspace: McpWorkspace, origin: str | None, host: str, allowed: bool) -> None:
    http = HttpSettings.model_validate(
        {"public_url": "https://partywall.example", "cors_origins": "https://app.example"}
    )
    resources = mcp_workspace.served.resources
    resources = dataclasses.replace(resources, settings=resources.settings.model_copy(update={"http": http}))
    headers = [(b"host", host.encode()), *([(b"origin", origin.encode())] if origin else [])]
    request = Request({"type": "http", "headers": headers})
    if allowed:
        await refuse_foreign_pages(request, resources)
    else:
        with pytest.raises(OriginNotAllowedError):
            await refuse_foreign_pages(request, resources)
