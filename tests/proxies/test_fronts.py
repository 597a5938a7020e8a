"""Through nginx and Caddy, configured as in docs/how-to/proxy.md, at the root and under a path."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import httpx2
import pytest
from websockets.asyncio.client import connect

from partywall.settings import HttpSettings, Settings
from partywall.testing.engines import DatabaseUrls, Superuser
from partywall.testing.users import Person, Users
from tests.features.live.server import Serving, serve
from tests.features.live.sockets import Socket, address
from tests.features.live.sse import follow
from tests.proxies import fronts
from tests.proxies.fronts import SUB_PATH, Front
from tests.proxies.programs import require_program

GZIP = {"Accept-Encoding": "gzip"}
INITIALIZE = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}  # fmt: skip


@pytest.fixture(scope="module")
async def api(settings: Settings) -> AsyncIterator[Serving]:
    http = settings.http.model_copy(update={"trusted_proxies": ("127.0.0.1",)})
    events = settings.events.model_copy(update={"heartbeat": timedelta(milliseconds=200)})
    async with serve(settings.model_copy(update={"http": http, "events": events})) as serving:
        yield serving


@pytest.fixture(scope="module", params=["nginx", "caddy"])
async def front(request: pytest.FixtureRequest, api: Serving) -> AsyncIterator[Front]:
    program = require_program(request.param)
    async with getattr(fronts, request.param)(program, api.url.removeprefix("http://")) as front:
        yield front


@dataclass(frozen=True, slots=True)
class Member:
    """A user with a project, and a client at each of the proxy's addresses."""

    person: Person
    project: UUID
    root: httpx2.AsyncClient
    below: httpx2.AsyncClient

    @property
    def base(self) -> str:
        return f"/api/v1/projects/{self.project}"


@pytest.fixture
async def member(api: Serving, front: Front, database: DatabaseUrls, kept: Superuser) -> AsyncIterator[Member]:
    async with AsyncExitStack() as stack:
        users = await stack.enter_async_context(Users(api.app, api.resources, database, kept))
        person = await users.person()
        headers = {"Authorization": f"Bearer {person.token}"}
        clients = [httpx2.AsyncClient(base_url=url, headers=headers, timeout=60) for url in (front.url, front.below)]
        root, below = [await stack.enter_async_context(client) for client in clients]
        yield Member(person, await person.project(), root, below)


@pytest.mark.parametrize("where", ["url", "below"])
async def test_events_and_frames_arrive_at_once(front: Front, member: Member, where: str) -> None:
    url = getattr(front, where)
    async with (
        follow(url, member.project, member.person.token) as stream,
        connect(address(url, member.project), proxy=None) as connection,
    ):
        socket = Socket(connection)
        await socket.send({"token": member.person.token, "after": 0})
        assert (await socket.next())["type"] == "project.created"
        made = await member.root.post(f"{member.base}/documents", json={"title": "a", "content": "b"})
        assert made.status_code == 201, made.text
        assert (await stream.next()).event == "document.created"
        assert (await socket.next())["type"] == "document.created"


async def test_large_files_pass_and_too_large_bodies_are_explained(member: Member) -> None:
    file = {"file": ("large.txt", b"A long day. " * 200_000, "text/plain")}
    made = await member.root.post(f"{member.base}/documents/upload", files=file)
    assert made.status_code == 201, made.text
    content = await member.root.get(f"{member.base}/documents/{made.json()['id']}/content")
    assert len(content.content) == 2_400_000
    # Slightly too large for the route: Go's server resets a far larger request before all of it is sent.
    refused = await member.root.post("/api/v1/projects", json={"name": "n", "description": "x" * 200_000})
    assert refused.status_code == 413, refused.text
    assert refused.json()["code"] == "content_too_large"


@pytest.mark.parametrize("front", ["nginx"], indirect=True)
async def test_nginx_passes_the_largest_bodies_to_the_api(api: Serving, member: Member) -> None:
    body, kind = (
        b" " * (api.resources.settings.http.max_body_bytes + 4 * 1024 * 1024),
        {"Content-Type": "application/json"},
    )
    for _ in range(3):  # the proxy may reset each while it is sent
        refused = await member.root.post(f"{member.base}/documents", content=body, headers=kind)
        assert refused.status_code == 413, refused.text
        assert refused.json()["code"] == "content_too_large"


async def test_a_tag_changed_by_compression_is_accepted(member: Member, request: pytest.FixtureRequest) -> None:
    path = f"{member.base}/documents"
    made = await member.root.post(path, json={"title": "a", "content": "b"}, headers=GZIP)
    path = f"{path}/{made.json()['id']}"
    read = await member.root.get(path, headers=GZIP)
    assert read.headers["Content-Encoding"] == "gzip"
    tag = read.headers["ETag"]
    assert tag.startswith("W/") or request.node.callspec.params["front"] != "nginx"
    assert (await member.root.get(path, headers={**GZIP, "If-None-Match": tag})).status_code == 304
    changed = await member.root.patch(path, json={"title": "c"}, headers={**GZIP, "If-Match": tag})
    assert changed.status_code == 200, changed.text
    assert (await member.root.patch(path, json={"title": "d"}, headers={**GZIP, "If-Match": tag})).status_code == 412
    assert (await member.root.get(path, headers={**GZIP, "If-None-Match": tag})).status_code == 200


async def test_all_links_work_under_a_path(front: Front, member: Member) -> None:
    site = front.below.removesuffix(SUB_PATH)
    made = await member.below.post(f"{member.base}/documents", json={"title": "a", "content": "b"})
    assert made.headers["Location"].startswith(f"{SUB_PATH}/api/v1/")
    assert (await member.below.get(site + made.headers["Location"])).json()["title"] == "a"
    missing = (await member.below.get("/api/v1/nowhere")).json()
    assert missing["instance"] == f"{SUB_PATH}/api/v1/nowhere"
    page = (await member.below.get("/docs")).text
    for asset in re.findall(r'(?:src|href)="(/[^"]+)"|url: \'([^\']+)\'', page):
        assert (await member.below.get(site + "".join(asset))).status_code == 200, asset
    document = (await member.below.get("/openapi.json")).json()
    assert document["servers"] == [{"url": SUB_PATH}]
    flow = document["components"]["securitySchemes"]["OAuth2PasswordBearer"]["flows"]["password"]
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    refused = await member.below.post(site + flow["tokenUrl"], data=form)
    assert refused.json()["error"] == "invalid_grant"
    assert (await member.below.post(f"{member.base}/mcp", json=INITIALIZE)).status_code == 200


async def test_no_client_chooses_the_path(member: Member) -> None:
    claimed = {"X-Forwarded-Prefix": "/evil"}
    body = {"title": "a", "content": "b"}
    made = await member.root.post(f"{member.base}/documents", json=body, headers=claimed)
    assert made.headers["Location"].startswith("/api/v1/")
    made = await member.below.post(f"{member.base}/documents", json=body, headers=claimed)
    assert made.headers["Location"].startswith(f"{SUB_PATH}/api/v1/")


@pytest.mark.parametrize(
    ("language", "line"), [("nginx", r"keepalive_timeout (\d+)s;"), ("caddy", r"keepalive (\d+)s")]
)
def test_the_proxies_close_idle_connections_before_the_api_does(language: str, line: str) -> None:
    text = "".join(fronts.blocks(language)[:2])
    kept = [int(seconds) for seconds in re.findall(line, text)]
    assert kept
    assert max(kept) <= HttpSettings().keep_alive.total_seconds() - 10
