"""While an engine is unreachable, every route answers 503, whichever layer meets it first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

import pytest
from httpx2 import AsyncClient, Response
from pydantic import SecretStr

from partywall.settings import Settings
from partywall.testing.engines import DatabaseUrls, Superuser
from partywall.testing.users import Person, Users
from tests.features.live.server import Serving, serve
from tests.features.live.sockets import opened
from tests.postgres_proxy import PostgresProxy, Refusal, proxy_to

PROJECT: Final = "/api/v1/projects/{project}"
DOCUMENT: Final = {"title": "T", "content": "C"}
LARGE: Final = {"title": "T", "content": "words " * 60_000}
LISTED: Final = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
FORM: Final = {"grant_type": "password", "username": "nobody@example.com", "password": "a long password"}
REQUESTS: Final[Mapping[str, tuple[str, str, Mapping[str, object]]]] = {
    "document": ("POST", f"{PROJECT}/documents", {"json": DOCUMENT}),
    "keyed": ("POST", f"{PROJECT}/documents", {"json": DOCUMENT, "headers": {"Idempotency-Key": "one"}}),
    "large": ("POST", f"{PROJECT}/documents", {"json": LARGE}),
    "batch": ("POST", f"{PROJECT}/documents/batch", {"json": {"documents": [DOCUMENT]}}),
    "upload": ("POST", f"{PROJECT}/documents/upload", {"files": {"file": ("a.txt", b"words", "text/plain")}}),
    "project": ("POST", "/api/v1/projects", {"json": {"name": "P"}}),
    "rename": ("PATCH", PROJECT, {"json": {"name": "P"}}),
    "ticket": ("POST", f"{PROJECT}/events/ticket", {}),
    "mcp": ("POST", f"{PROJECT}/mcp", {"json": LISTED}),
    "list": ("GET", f"{PROJECT}/documents", {}),
    "search": ("GET", f"{PROJECT}/search?q=x", {}),
    "events": ("GET", f"{PROJECT}/events", {}),
    "login": ("POST", "/api/v1/auth/token", {"data": FORM}),
    "refresh": ("POST", "/api/v1/auth/token", {"data": {"grant_type": "refresh_token", "refresh_token": "pwr_x"}}),
}  # fmt: skip
AWAY: Final = {
    "refused": None,
    "closed": Refusal(),
    "starting": Refusal("57P03", "the database system is starting up"),
    "pooler": Refusal("08P01", "server login has been failing, try again later (server_login_retry)"),
}


@dataclass(frozen=True, slots=True)
class Behind:
    """An API process whose connections to the database go through a `PostgresProxy`."""

    proxy: PostgresProxy
    serving: Serving
    client: AsyncClient
    person: Person
    project: UUID

    async def fresh(self) -> str:
        """A token that the process has not seen yet."""
        return (await self.serving.resources.access_tokens.issue(self.person.id, uuid4())).token

    async def ask(self, what: str, token: str) -> Response:
        method, path, options = REQUESTS[what]
        headers = {"Authorization": f"Bearer {token}", **options.get("headers", {})}  # type: ignore[dict-item]  # of text
        rest = {name: value for name, value in options.items() if name != "headers"}
        url = path.format(project=self.project)
        return await self.client.request(method, url, headers=headers, **rest)  # type: ignore[arg-type]  # as written above


@pytest.fixture(scope="module")
async def behind(settings: Settings, database: DatabaseUrls, kept: Superuser) -> AsyncIterator[Behind]:
    async with proxy_to(database.runtime) as proxy:
        own = settings.database.model_copy(update={"url": SecretStr(proxy.url)})
        async with (
            serve(settings.model_copy(update={"database": own})) as serving,
            Users(serving.app, serving.resources, database, kept) as users,
            AsyncClient(base_url=serving.url, timeout=60) as client,
        ):
            person = await users.person()
            yield Behind(proxy, serving, client, person, await person.project())
            await proxy.open()


def assert_away(answer: Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("how", AWAY)
async def test_every_fast_path_says_that_the_database_is_away(behind: Behind, how: str) -> None:
    await behind.proxy.open()
    tokens = {what: await behind.fresh() for what in (*REQUESTS, "socket")}
    known = behind.person.token
    assert (await behind.ask("list", known)).status_code == 200
    await behind.proxy.shut(AWAY[how])
    for what in REQUESTS:
        assert_away(await behind.ask(what, tokens[what]))
        assert_away(await behind.ask(what, known))
    async with opened(behind.serving.url, behind.project, {"token": tokens["socket"]}) as socket:
        assert await socket.closed() == (1013, "unavailable")
    await behind.proxy.open()
    assert (await behind.ask("document", tokens["document"])).status_code == 201
