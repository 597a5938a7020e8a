from __future__ import annotations

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from pydantic import ValidationError
from starlette.types import Message, Receive, Scope, Send

from partywall.core.http.sub_path import SubPath, first_segments, sub_path_of
from partywall.core.security.client_address import ClientAddresses
from partywall.settings import HttpSettings

PROXY, OUTSIDER = "10.0.0.1", "203.0.113.9"
OPEN = "/api/v1/projects"


async def seen(app: FastAPI, path: str, *prefixes: str, configured: str = "", peer: str = PROXY, root: str = "") -> str:
    """Returns the path inside, its prefix, and the answer's Location."""
    found: list[str] = []

    async def inside(scope: Scope, _: Receive, send: Send) -> None:
        found.extend([scope["path"], sub_path_of(scope), scope["root_path"]])
        headers = [(b"location", b"/api/v1/x"), (b"location", b"https://example.com/"), (b"etag", b"/1")]
        await send({"type": "http.response.start", "status": 201, "headers": headers})

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        found.extend(value.decode() for _, value in message["headers"])

    headers = [(b"x-forwarded-prefix", each.encode()) for each in prefixes]
    scope: Scope = {"type": "http", "path": path, "raw_path": path.encode(), "headers": headers, "client": (peer, 1)}
    layer = SubPath(
        inside, configured=configured, clients=ClientAddresses(["10.0.0.0/8"]), own=lambda: first_segments(app.routes)
    )
    await layer({**scope, "root_path": root}, receive, send)
    inner, before, left, *sent = found
    assert left == root * (not before)
    assert sent == [f"{before}/api/v1/x", "https://example.com/", "/1"]
    return f"{before}|{inner}"


@pytest.mark.parametrize(
    ("configured", "path", "expected"),
    [
        ("/wall", OPEN, f"/wall|{OPEN}"),  # the proxy has stripped the prefix
        ("/wall", f"/wall{OPEN}", f"/wall|{OPEN}"),  # the proxy has kept the prefix
        ("/wall", "/wall/docs/assets/a.js", "/wall|/docs/assets/a.js"),
        ("/wall", "/wall/.well-known/jwks.json", "/wall|/.well-known/jwks.json"),
        ("/wall", "/wallpaper/docs", "/wall|/wallpaper/docs"),
        ("/wall", "/wall", "/wall|/wall"),
        ("/a/b", f"/a/b{OPEN}", f"/a/b|{OPEN}"),
        ("/api", OPEN, f"/api|{OPEN}"),  # a prefix that starts like our own paths
        ("/api", f"/api{OPEN}", f"/api|{OPEN}"),
        ("/api/v1", OPEN, f"/api/v1|{OPEN}"),
        ("/docs", "/docs", "/docs|/docs"),
        ("/docs", "/docs/docs/assets/a.js", "/docs|/docs/assets/a.js"),
        ("", OPEN, f"|{OPEN}"),
    ],
)
async def test_a_path_is_found_with_and_without_its_prefix(
    app: FastAPI, configured: str, path: str, expected: str
) -> None:
    assert await seen(app, path, configured=configured) == expected


@pytest.mark.parametrize(
    ("prefixes", "peer", "before"),
    [
        (["/wall"], PROXY, "/wall"),
        (["/wall/"], PROXY, "/wall"),
        (["/a-b_c.d~/e"], PROXY, "/a-b_c.d~/e"),
        (["/wall"], OUTSIDER, ""),
        ([""], PROXY, ""),
        (["/"], PROXY, ""),
        (["wall"], PROXY, ""),
        (["//evil.example"], PROXY, ""),
        (["/\\evil.example"], PROXY, ""),
        (["https://evil.example"], PROXY, ""),
        (["/a/../b"], PROXY, ""),
        (["/a/./b"], PROXY, ""),
        (["/a//b"], PROXY, ""),
        (["/a%2fb"], PROXY, ""),
        (["/a b"], PROXY, ""),
        (['/"><script>'], PROXY, ""),
        (["/a?b"], PROXY, ""),
        (["/é"], PROXY, ""),
        (["/a, /b"], PROXY, ""),
        (["/a", "/b"], PROXY, ""),
        (["/" + "a" * 300], PROXY, ""),
    ],
)
async def test_only_a_plain_prefix_from_a_trusted_proxy_is_accepted(
    app: FastAPI, prefixes: list[str], peer: str, before: str
) -> None:
    assert await seen(app, OPEN, *prefixes, peer=peer) == f"{before}|{OPEN}"


async def test_the_setting_overrides_the_header_and_the_servers_prefix(app: FastAPI) -> None:
    assert await seen(app, OPEN, "/other", configured="/wall", root="/third") == f"/wall|{OPEN}"
    assert await seen(app, f"/third{OPEN}", "/other", root="/third") == f"/third|{OPEN}"


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({}, ""),
        ({"root_path": "/wall/"}, "/wall"),
        ({"root_path": "/"}, ""),
        ({"public_url": "https://example.com/wall"}, "/wall"),
        ({"public_url": "https://example.com/"}, ""),
        ({"public_url": "https://example.com/wall", "root_path": ""}, ""),
        ({"public_url": "https://example.com/wall", "root_path": "/other"}, "/other"),
    ],
)
def test_the_settings_say_where_clients_find_the_api(settings: dict[str, str], path: str) -> None:
    assert HttpSettings.model_validate(settings).sub_path == path


@pytest.mark.parametrize(
    "settings",
    [
        {"root_path": "wall"},
        {"root_path": "//evil"},
        {"root_path": "/a b"},
        {"public_url": "https://example.com/a%20b"},
    ],
)
def test_a_path_that_needs_escapes_is_refused(settings: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="letters, digits"):
        HttpSettings.model_validate(settings)


async def test_requests_at_the_root_get_no_prefix(app: FastAPI) -> None:
    """The documents of requests with different prefixes do not mix."""
    sub = SubPath(app, configured="/wall", clients=ClientAddresses([]), own=lambda: first_segments(app.routes))
    for layer, url in ((sub, "/wall"), (app, "/"), (sub, "/wall")):
        async with AsyncClient(transport=ASGITransport(layer), base_url="http://test") as client:
            document = (await client.get("/openapi.json")).json()
            assert document["servers"] == [{"url": url}]
            flow = document["components"]["securitySchemes"]["OAuth2PasswordBearer"]["flows"]["password"]
            assert flow["tokenUrl"] == flow["refreshUrl"] == f"{url.rstrip('/')}/api/v1/auth/token"
