"""What every response has in common, whichever layer sends it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
from asgi_lifespan import LifespanManager
from httpx2 import ASGITransport, AsyncClient, Response

from partywall.core.tenant import SYSTEM, set_current_tenant
from partywall.main import create_app
from partywall.settings import HttpSettings, Settings
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users

SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "cross-origin-resource-policy": "same-site",
}


def assert_problem(answer: Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"].endswith(code)
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == answer.request.url.path
    assert body["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing-here", 404, "route_not_found"),
        ("GET", "/", 404, "route_not_found"),
        ("DELETE", "/healthz", 405, "method_not_allowed"),
        ("PUT", "/api/v1/projects", 405, "method_not_allowed"),
        ("GET", "/api/v1/projects", 401, "not_authenticated"),
    ],
)
async def test_every_error_is_a_problem_with_security_headers(
    anonymous: AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await anonymous.request(method, path)
    assert_problem(answer, status, code)
    assert {name: answer.headers[name] for name in SECURITY} == SECURITY
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    if status == 405:
        assert answer.headers["allow"]


@pytest.mark.parametrize(
    ("method", "path", "sent", "detail"),
    [
        ("GET", "/projects", b"", "begin with /api/v1/"),
        ("GET", "/api/v1/projects/", b"", "No path ends with a slash"),
        ("GET", "/api/v1/projects/x/ws", b"", "serve WebSockets only"),
        ("DELETE", "/api/v1/projects", b"", "DELETE is not allowed here; use GET, HEAD, POST"),
        ("POST", "/api/v1/auth/register", b'{"email": ', "not valid JSON at character 10"),
        ("POST", "/api/v1/auth/token", b'{"grant_type": "password"}', "as a form"),
    ],
)
async def test_an_error_says_what_to_do(
    anonymous: AsyncClient, method: str, path: str, sent: bytes, detail: str
) -> None:
    headers = {"Content-Type": "application/json"} if sent else {}
    answer = await anonymous.request(method, path, content=sent, headers=headers)
    assert detail in answer.json()["detail"]


async def test_a_body_of_another_type_is_told_which_the_route_reads(anonymous: AsyncClient) -> None:
    headers = {"Content-Type": "application/yaml"}
    answer = await anonymous.post("/api/v1/auth/register", content=b"a: b", headers=headers)
    assert_problem(answer, 415, "unsupported_media_type")
    assert answer.json()["detail"] == "The route reads application/json; the Content-Type says 'application/yaml'."


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("abc-123_X.y:z", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("with space", False),
        ("", False),
        ("<i>", False),
    ],
)
async def test_a_sane_request_id_is_kept(anonymous: AsyncClient, given: str, kept: bool) -> None:
    answer = await anonymous.get("/healthz", headers={"X-Request-ID": given})
    returned = answer.headers["x-request-id"]
    assert (returned == given) is kept
    if not kept:
        assert UUID(returned).version == 7


async def test_a_body_that_is_no_json_is_refused(users: Users) -> None:
    person = await users.person()
    headers = {"Content-Type": "application/json"}
    for raw in (b"{", b"\xff\xfe", b'{"name": "\xff"}', b"nonsense", b""):
        answer = await person.client.post("/api/v1/projects", content=raw, headers=headers)
        assert answer.status_code in (400, 422), (raw, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await person.client.get("/api/v1/projects")).json()["items"] == []


async def test_vary_is_sent_with_and_without_gzip(anonymous: AsyncClient) -> None:
    """Otherwise a shared cache would send one encoding to clients that only accept the other."""
    for coding in ("identity", "gzip"):
        answer = await anonymous.get("/openapi.json", headers={"Accept-Encoding": coding})
        assert "accept-encoding" in answer.headers["vary"].lower(), coding


async def test_a_body_of_another_type_is_refused(users: Users) -> None:
    person = await users.person()
    for type_ in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = await person.client.post("/api/v1/projects", content=b'{"name": "x"}', headers={"Content-Type": type_})
        assert_problem(answer, 415, "unsupported_media_type")
    assert (await person.client.get("/api/v1/projects")).json()["items"] == []


@pytest.fixture
async def small(settings: Settings) -> AsyncIterator[AsyncClient]:
    """An application with a small body limit and one allowed origin."""
    http = settings.http.model_copy(update={"max_body_bytes": 2048, "cors_origins": ("https://app.example",)})
    app = create_app(settings.model_copy(update={"http": http}))
    async with (
        LifespanManager(app, startup_timeout=60, shutdown_timeout=60),
        AsyncClient(transport=ASGITransport(app, raise_app_exceptions=False), base_url="http://test") as client,
    ):
        yield client


async def test_an_oversize_body_is_refused_whether_or_not_it_says_so(small: AsyncClient, users: Users) -> None:
    person = await users.person()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {person.token}"}
    body = b'{"name": "x", "description": "' + b"y" * 4000 + b'"}'

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    assert_problem(await small.post("/api/v1/projects", content=body, headers=headers), 413, "content_too_large")
    assert_problem(await small.post("/api/v1/projects", content=chunks(), headers=headers), 413, "content_too_large")


async def test_only_listed_origins_may_read(small: AsyncClient) -> None:
    listed = await small.get("/healthz", headers={"Origin": "https://app.example"})
    assert listed.headers["access-control-allow-origin"] == "https://app.example"
    other = await small.get("/healthz", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


async def test_no_origin_is_allowed_a_browsers_own_credentials(settings: Settings) -> None:
    """Not even any page, where every origin may call."""
    http = HttpSettings.model_validate({**settings.http.model_dump(), "cors_origins": "*"})
    app = create_app(settings.model_copy(update={"http": http}))
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "Authorization",
        "Cookie": "a=b",
    }
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        answer = await client.options("/api/v1/projects", headers={"Origin": "https://any.example", **asked})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_listed_origin_may_ask_for_what_the_api_offers(small: AsyncClient) -> None:
    """In the preflight: every method, and the headers that clients need. Another origin gets none."""
    asked = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "Authorization, If-Match"}
    listed = await small.options("/api/v1/projects", headers={"Origin": "https://app.example", **asked})
    assert listed.status_code == 200
    assert listed.headers["access-control-allow-origin"] == "https://app.example"
    assert set(listed.headers["access-control-allow-methods"].split(", ")) == {"GET", "POST", "PUT", "PATCH", "DELETE"}
    other = await small.options("/api/v1/projects", headers={"Origin": "https://evil.example", **asked})
    assert other.status_code == 400
    assert "access-control-allow-origin" not in other.headers
    unknown = {**asked, "Access-Control-Request-Headers": "X-Anything"}
    assert (
        await small.options("/api/v1/projects", headers={"Origin": "https://app.example", **unknown})
    ).status_code == 400


async def test_a_listed_origin_reads_the_headers_that_clients_act_on(small: AsyncClient) -> None:
    answer = await small.get("/healthz", headers={"Origin": "https://app.example"})
    exposed = set(answer.headers["access-control-expose-headers"].split(", "))
    assert exposed >= {"ETag", "Location", "X-Request-ID", "Retry-After", "WWW-Authenticate"}


async def test_large_answers_are_compressed_on_request(anonymous: AsyncClient) -> None:
    answer = await anonymous.get("/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json()["info"]["title"] == "Partywall"
    plain = await anonymous.get("/openapi.json", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.json() == answer.json()


async def test_production_hides_the_docs(settings: Settings) -> None:
    closed = settings.model_copy(update={"http": settings.http.model_copy(update={"docs": False})})
    app = create_app(closed)
    async with (
        LifespanManager(app, startup_timeout=60, shutdown_timeout=60),
        AsyncClient(transport=ASGITransport(app), base_url="http://test") as client,
    ):
        for path in ("/docs", "/openapi.json"):
            assert_problem(await client.get(path), 404, "route_not_found")


async def test_the_docs_page_is_whole_without_the_internet(anonymous: AsyncClient) -> None:
    page = await anonymous.get("/docs")
    assert page.status_code == 200
    assert {name: page.headers[name] for name in SECURITY} == SECURITY
    assert "script-src 'self'" in page.headers["content-security-policy"]
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) >= 3
    for link in links:
        assert link.startswith("/docs/"), link
        assert (await anonymous.get(link)).status_code == 200, link


async def test_a_query_of_many_parameters_is_refused(anonymous: AsyncClient) -> None:
    most = "&".join(f"a{number}=1" for number in range(100))
    assert (await anonymous.get(f"/healthz?{most}")).status_code == 200
    assert_problem(await anonymous.get(f"/healthz?{most}&b=1"), 400, "bad_request")


async def test_no_redirect_names_a_host_that_the_client_made_up(anonymous: AsyncClient) -> None:
    answer = await anonymous.get("/api/v1/projects/", headers={"Host": "evil.example"})
    assert_problem(answer, 404, "route_not_found")
    assert "location" not in answer.headers


async def test_a_statement_timeout_is_no_internal_error(settings: Settings, database: DatabaseUrls) -> None:
    """Another transaction holds the row for longer than the statement timeout."""
    hasty = settings.database.model_copy(update={"statement_timeout": timedelta(seconds=1)})
    app = create_app(settings.model_copy(update={"database": hasty}))
    async with (
        LifespanManager(app, startup_timeout=60, shutdown_timeout=60),
        Users(app, app.state.resources, database) as users,
    ):
        person = await users.person()
        project = await person.project()
        async with users.transaction() as holder:
            await holder.execute("SELECT FROM project WHERE id = $1 FOR UPDATE", project)
            answer = await person.client.patch(f"/api/v1/projects/{project}", json={"name": "late"})
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"] == "1"
        again = await person.client.patch(f"/api/v1/projects/{project}", json={"name": "in time"})
        assert again.json()["name"] == "in time"


async def test_an_exhausted_pool_is_no_internal_error(
    settings: Settings, database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another task holds the only connection for longer than a request waits for it."""
    single = settings.database.model_copy(update={"pool_size": 1, "pool_overflow": 0})
    app = create_app(settings.model_copy(update={"database": single}))
    async with (
        LifespanManager(app, startup_timeout=60, shutdown_timeout=60),
        Users(app, app.state.resources, database) as users,
    ):
        person = await users.person()
        await person.project()
        engine = app.state.resources.engine
        monkeypatch.setattr(engine.pool.slots, "_max_wait", 0.05)
        set_current_tenant(SYSTEM)
        async with engine.connect():
            answer = await person.client.get("/api/v1/projects")
        assert_problem(answer, 503, "unavailable")
        assert answer.headers["retry-after"] == "1"
        assert len((await person.client.get("/api/v1/projects")).json()["items"]) == 1
