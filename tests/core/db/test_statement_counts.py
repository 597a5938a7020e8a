"""A longer list or a larger batch needs no more statements."""

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
from partywall.testing.engines import DatabaseUrls, Superuser
from partywall.testing.users import Person, Users

type Add = Callable[[RecordedApp, int], Awaitable[object]]

FEW, MANY = 2, 7
# Excluded: the process's background statements, and the driver's type lookups on a new connection, which depend on
# which connection the request gets.
BEHIND = ("wall.number_events", "wall.projects_with_pending_events", "typeinfo_tree", "'jit'")


@dataclass(frozen=True, slots=True)
class RecordedApp:
    """A project in an application that records every statement as it is sent."""

    users: Users
    owner: Person
    url: str
    sent: list[str]

    async def cost(self, path: str, **body: object) -> int:
        """The number of statements of one request; the first request may prepare what later ones reuse."""
        for _ in range(2):
            await asyncio.sleep(0)  # the driver reports a statement in the next round of the loop
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
async def recorded_app(
    settings: Settings, database: DatabaseUrls, kept: Superuser, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RecordedApp]:
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
            Users(app, app.state.resources, database, kept) as users,
        ):
            # The driver does not report a repeated statement that SQLAlchemy has prepared.
            event.listen(app.state.resources.engine.sync_engine, "before_cursor_execute", note)
            owner = await users.person()
            yield RecordedApp(users, owner, f"/api/v1/projects/{await owner.project()}", sent)


async def documents(recorded_app: RecordedApp, count: int) -> None:
    await recorded_app.post(
        "/documents/batch", documents=[{"title": f"T{n}", "content": "Parcels."} for n in range(count)]
    )


async def projects(recorded_app: RecordedApp, count: int) -> None:
    for _ in range(count):
        await recorded_app.owner.project()


async def members(recorded_app: RecordedApp, count: int) -> None:
    for _ in range(count):
        person = await recorded_app.users.person()
        await recorded_app.users.execute(
            "INSERT INTO project_member (project_id, account_id, role) VALUES ($1::text::uuid, $2, 'viewer')",
            recorded_app.url.rpartition("/")[2],
            person.id,
        )


async def invitations(recorded_app: RecordedApp, count: int) -> None:
    for _ in range(count):
        await recorded_app.post("/invitations", email=(await recorded_app.users.person()).email, role="viewer")


async def keys(recorded_app: RecordedApp, count: int) -> None:
    for n in range(count):
        await recorded_app.post("/api-keys", name=f"K{n}", role="viewer")


async def webhooks(recorded_app: RecordedApp, count: int) -> None:
    for n in range(count):
        await recorded_app.post("/webhooks", url=f"http://127.0.0.1:1024/{n}", types=["document.*"])


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
async def test_a_list_is_as_many_statements_however_long_it_is(recorded_app: RecordedApp, path: str, add: Add) -> None:
    url = "/api/v1/projects" if path == "/.." else recorded_app.url + path
    await add(recorded_app, FEW)
    few = await recorded_app.cost(url)
    assert few > 0
    await add(recorded_app, MANY)
    shown = (await recorded_app.owner.client.get(url)).json()["items"]
    assert len(shown) >= FEW + MANY
    assert await recorded_app.cost(url) == few, "\n".join(recorded_app.sent)


async def test_a_batch_is_as_many_statements_however_large_it_is(recorded_app: RecordedApp) -> None:
    costs = [
        await recorded_app.cost(
            f"{recorded_app.url}/documents/batch", documents=[{"title": "T", "content": "C"}] * count
        )
        for count in (FEW, MANY)
    ]
    assert costs[0] == costs[1] > 0, "\n".join(recorded_app.sent)
