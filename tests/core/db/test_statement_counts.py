"""A longer list, or a larger batch, is no more statements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import asyncpg
import pytest
from asgi_lifespan import LifespanManager
from sqlalchemy import event

from partywall.main import create_app
from partywall.settings import Settings
from tests.engines import DatabaseUrls, Superuser
from tests.people import People, Person

type Add = Callable[[Desk, int], Awaitable[object]]

FEW, MANY = 2, 7
# What the process does at times of its own, and what the driver asks on a connection that meets a type for the first
# time: which connection a request gets depends on the first.
BEHIND = ("wall.number_events", "wall.projects_with_pending_events", "typeinfo_tree", "'jit'")


@dataclass(frozen=True, slots=True)
class Desk:
    """A project of somebody's, in an application whose statements are written down as they are sent."""

    people: People
    owner: Person
    url: str
    sent: list[str]

    async def cost(self, path: str, **body: object) -> int:
        """How many statements one request sends; the first one may prepare what later ones have."""
        for _ in range(2):
            await asyncio.sleep(0)  # the driver tells of a statement when the loop comes round
            self.sent.clear()
            method = "POST" if body else "GET"
            answer = await self.owner.client.request(method, path, json=body or None)
            assert answer.is_success, answer.text
            await asyncio.sleep(0)
        return len(self.sent)

    async def post(self, path: str, **body: object) -> None:
        answer = await self.owner.client.post(self.url + path, json=body)
        assert answer.is_success, answer.text


@pytest.fixture
async def desk(
    settings: Settings, database: DatabaseUrls, kept: Superuser, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    sent: list[str] = []
    connect = asyncpg.connect

    def hear(record: asyncpg.connection.LoggedQuery) -> None:
        if not any(name in record.query for name in BEHIND):
            sent.append(record.query)

    async def noting(*arguments: object, **options: object) -> asyncpg.Connection:
        connection = await connect(*arguments, **options)
        connection.add_query_logger(hear)
        return connection

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    with monkeypatch.context() as patch:
        patch.setattr(asyncpg, "connect", noting)
        app = create_app(settings)
        async with (
            LifespanManager(app, startup_timeout=60, shutdown_timeout=60),
            People(app, app.state.resources, database, kept) as people,
        ):
            # What SQLAlchemy has prepared, the driver does not tell of when it is sent again.
            event.listen(app.state.resources.engine.sync_engine, "before_cursor_execute", note)
            owner = await people.person()
            yield Desk(people, owner, f"/api/v1/projects/{await owner.project()}", sent)


async def documents(desk: Desk, count: int) -> None:
    await desk.post("/documents/batch", documents=[{"title": f"T{n}", "content": "Parcels."} for n in range(count)])


async def projects(desk: Desk, count: int) -> None:
    for _ in range(count):
        await desk.owner.project()


async def members(desk: Desk, count: int) -> None:
    for _ in range(count):
        person = await desk.people.person()
        await desk.people.execute(
            "INSERT INTO project_member (project_id, account_id, role) VALUES ($1::text::uuid, $2, 'viewer')",
            desk.url.rpartition("/")[2],
            person.id,
        )


async def invitations(desk: Desk, count: int) -> None:
    for _ in range(count):
        await desk.post("/invitations", email=(await desk.people.person()).email, role="viewer")


async def keys(desk: Desk, count: int) -> None:
    for n in range(count):
        await desk.post("/api-keys", name=f"K{n}", role="viewer")


async def webhooks(desk: Desk, count: int) -> None:
    for n in range(count):
        await desk.post("/webhooks", url=f"http://127.0.0.1:1024/{n}", types=["document.*"])


@pytest.mark.parametrize(
    ("path", "add"),
    [
        ("/documents", documents),
        ("/documents?sort=title&offset=0", documents),
        ("/..", projects),
        ("/members", members),
        ("/invitations", invitations),
        ("/api-keys", keys),
        ("/webhooks", webhooks),
    ],
)
async def test_a_list_is_as_many_statements_however_long_it_is(desk: Desk, path: str, add: Add) -> None:
    url = "/api/v1/projects" if path == "/.." else desk.url + path
    await add(desk, FEW)
    few = await desk.cost(url)
    assert few > 0
    await add(desk, MANY)
    shown = (await desk.owner.client.get(url)).json()["items"]
    assert len(shown) >= FEW + MANY
    assert await desk.cost(url) == few, "\n".join(desk.sent)


async def test_a_batch_is_as_many_statements_however_large_it_is(desk: Desk) -> None:
    costs = [
        await desk.cost(f"{desk.url}/documents/batch", documents=[{"title": "T", "content": "C"}] * count)
        for count in (FEW, MANY)
    ]
    assert costs[0] == costs[1] > 0, "\n".join(desk.sent)
