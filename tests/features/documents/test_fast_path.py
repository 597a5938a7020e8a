"""The fast path answers ordinary requests exactly like the router and leaves it all others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID, uuid4

import pytest
from fastapi import APIRouter, Depends, FastAPI, Header
from httpx2 import ASGITransport, AsyncClient, Response
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from partywall.core.http.access_log import AccessEntry
from partywall.core.http.dependencies import SessionDep, get_resources
from partywall.core.http.fast_path.declaration import fast, fast_path_plans
from partywall.core.http.fast_path.middleware import FastPath
from partywall.core.http.forwarded_headers import ForwardedNotice
from partywall.core.http.middleware import RequestContext
from partywall.core.security.client_address import ClientAddresses
from partywall.testing.users import Users
from tests.features.documents.conftest import Workspace

LEFT = 299  # the status of requests left to the router


@pytest.fixture
async def fast_path(app: FastAPI, workspace: Workspace) -> AsyncIterator[AsyncClient]:
    """The fast path alone, with the owner's token."""
    await workspace.get()  # has the token verified and cached
    alone = FastPath(PlainTextResponse("", LEFT), fast_path_plans(app.routes))
    async with _client(app, alone, workspace.owner.token) as client:
        yield client


@pytest.fixture
async def router(app: FastAPI, workspace: Workspace) -> AsyncIterator[AsyncClient]:
    """The same application without its fast path."""
    stack = app.build_middleware_stack()
    fast_path = stack
    while not isinstance(fast_path, FastPath):
        fast_path = getattr(fast_path, "app", None) or getattr(fast_path, "_app")  # noqa: B009 - one of the two names they have
    fast_path._plans = ()
    async with _client(app, stack, workspace.owner.token) as client:
        yield client


def _client(app: FastAPI, inner: ASGIApp, token: str) -> AsyncClient:
    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = app
        scope["state"] = {}
        await inner(scope, receive, send)

    transport = ASGITransport(run, raise_app_exceptions=False)
    return AsyncClient(transport=transport, base_url="http://test", headers={"Authorization": f"Bearer {token}"})


def _said(answer: Response) -> tuple[int, dict[str, str], object]:
    """Status, endpoint headers and body, without the request id."""
    headers = {name: answer.headers[name] for name in ("content-type", "etag", "location") if name in answer.headers}
    body = answer.json() if answer.content else None
    if isinstance(body, dict):
        body.pop("request_id", None)
    return answer.status_code, headers, body


QUERIES = ("", "?limit=2", "?limit=1&offset=1&sort=title", "?status=draft&q_title=A%20title", "?limit=2&limit=1")


async def test_reads_are_the_same_on_both_ways(
    workspace: Workspace, fast_path: AsyncClient, router: AsyncClient
) -> None:
    made = [f"{workspace.url}/{(await workspace.document(title=f'A title {n}'))['id']}" for n in range(3)]
    tag = (await workspace.client.get(made[0])).headers["etag"]
    asked: list[tuple[str, dict[str, str], int]] = [
        *((workspace.url + query, {}, 200) for query in QUERIES),
        (made[0], {}, 200),
        (made[0], {"If-None-Match": tag}, 304),
        (made[0] + "/versions", {}, 200),
        (f"{workspace.url}/stats", {}, 200),
        (f"{workspace.url}/{uuid4()}", {}, 404),
        (f"/api/v1/projects/{uuid4()}/documents", {}, 404),
    ]
    for url, headers, status in asked:
        hot = await fast_path.get(url, headers=headers)
        assert hot.status_code == status
        assert _said(hot) == _said(await router.get(url, headers=headers))


async def test_creating_says_the_same_on_both_ways(
    workspace: Workspace, fast_path: AsyncClient, router: AsyncClient
) -> None:
    body = {"title": " A title ", "content": " x ", "metadata": {"n": 2**70, "deep": [1.5, None, "\u00e9"]}}
    answers = [await client.post(workspace.url, json=body) for client in (fast_path, router)]
    differing = {"id", "created_at", "updated_at"}
    hot, general = ({name: value for name, value in each.json().items() if name not in differing} for each in answers)
    assert hot == general
    assert [each.status_code for each in answers] == [201, 201]
    for each in answers:
        assert each.headers["location"] == f"{workspace.url}/{each.json()['id']}"
        assert (await workspace.client.get(each.headers["location"])).json() == each.json()


async def test_an_error_of_create_is_the_same_on_both_ways(
    workspace: Workspace, fast_path: AsyncClient, router: AsyncClient, users: Users
) -> None:
    await workspace.document(external_id="taken")
    body = {"title": "x", "content": "x", "external_id": "taken"}
    answers = [await client.post(workspace.url, json=body) for client in (fast_path, router)]
    assert [each.status_code for each in answers] == [409, 409]
    assert _said(answers[0]) == _said(answers[1])
    foreign = f"/api/v1/projects/{await (await users.person()).project()}/documents"
    assert (await fast_path.post(foreign, json={"title": "x", "content": "x"})).status_code == 404


async def test_what_is_not_ordinary_is_left_to_the_router(workspace: Workspace, fast_path: AsyncClient) -> None:
    body = {"title": "x", "content": "x"}
    upper = workspace.url.replace(str(workspace.project), str(workspace.project).upper())
    left = [
        await fast_path.get(upper),
        await fast_path.get(f"{workspace.url}?limit=0"),
        await fast_path.get(f"{workspace.url}/not-an-id"),
        await fast_path.get(workspace.url, headers={"Authorization": "Bearer unknown"}),
        await fast_path.get(workspace.url, headers={"Authorization": ""}),
        await fast_path.delete(workspace.url),
        await fast_path.post(workspace.url, json={**body, "unknown": 1}),
        await fast_path.post(workspace.url, json={**body, "title": "nul \0"}),
        await fast_path.post(workspace.url, content=b'{"title": "x", "content": "\\ud800"}', headers=_JSON),
        await fast_path.post(workspace.url, content=b"{", headers=_JSON),
        await fast_path.post(
            workspace.url, content=b'{"title": "x", "content": "x"}', headers={"Content-Type": "text/plain"}
        ),
        await fast_path.post(workspace.url, json=body, headers={"Idempotency-Key": "k"}),
    ]
    assert [each.status_code for each in left] == [LEFT] * len(left)


_JSON = {"Content-Type": "application/json"}


async def test_the_router_still_gets_the_body_that_the_fast_path_has_read(workspace: Workspace) -> None:
    refused = await workspace.post(json={"title": "", "content": 1})
    assert refused.status_code == 422
    assert {each["pointer"] for each in refused.json()["errors"]} == {"/title", "/content"}

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"title": "In pieces", '
        yield b'"content": "x"}'

    made = await workspace.client.post(workspace.url, content=pieces(), headers=_JSON)
    assert (made.status_code, made.json()["title"]) == (201, "In pieces")


async def test_a_token_that_ended_ends_here_too(workspace: Workspace, fast_path: AsyncClient, app: FastAPI) -> None:
    assert (await fast_path.get(workspace.url)).status_code == 200
    verified = await app.state.resources.access_tokens.verify(workspace.owner.token)
    app.state.resources.access_tokens.forget_session(verified.session_id)
    assert (await fast_path.get(workspace.url)).status_code == LEFT


async def test_both_ways_log_the_template_of_the_route(app: FastAPI, workspace: Workspace) -> None:
    """Metrics need it too: paths with ids would be a label of unbounded values."""
    await workspace.get()
    lines: list[AccessEntry] = []
    logged = RequestContext(app.build_middleware_stack(), lines.append, ForwardedNotice(ClientAddresses([])))
    document = f"{workspace.url}/{uuid4()}"
    async with _client(app, logged, workspace.owner.token) as client:
        for url in (document, document.replace(str(workspace.project), str(workspace.project).upper())):
            assert (await client.get(url)).status_code == 404
        await client.head(document)
        await client.patch(document, json={})
        await client.post("/api/v1/auth/token", data={"grant_type": "refresh_token", "refresh_token": "x"})
        await client.get("/no/such/path")
    template = "/api/v1/projects/{project_id}/documents/{document_id}"
    assert [line["route"] for line in lines] == [*[template] * 4, "/api/v1/auth/token", None]


def _unfit(router: APIRouter) -> None:
    app = FastAPI()
    app.include_router(router)
    with pytest.raises(TypeError, match="not fit for the fast path"):
        fast_path_plans(app.routes)


def test_a_route_that_the_fast_path_cannot_serve_is_refused_at_start() -> None:
    by_number = APIRouter()

    @by_number.get("/{number}")
    @fast
    async def get_number(number: int) -> None: ...

    in_transaction = APIRouter()

    @in_transaction.get("/{project_id}")
    @fast
    async def get_in_transaction(project_id: UUID, session: SessionDep) -> None: ...

    by_header = APIRouter()

    @by_header.get("/{project_id}")
    @fast
    async def get_by_header(project_id: UUID, x_kind: Annotated[str, Header(max_length=3)]) -> None: ...

    guarded = APIRouter(dependencies=[Depends(get_resources)])

    @guarded.get("/{project_id}")
    @fast
    async def get_guarded(project_id: UUID) -> None: ...

    for router in (by_number, in_transaction, by_header, guarded):
        _unfit(router)
