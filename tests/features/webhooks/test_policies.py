"""What the database itself refuses to the runtime role, without the application's checks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from partywall.testing.engines import DatabaseUrls
from tests.features.webhooks.webhook_workspace import WebhookWorkspace

type Connection = asyncpg.Connection[asyncpg.Record]

MAKE = "INSERT INTO webhook (project_id, url, sealed_secret, created_by) VALUES ($1, 'https://x', '\\x00', 'user:x')"
READ = "SELECT sealed_secret FROM webhook WHERE project_id = $1"
POINT_ELSEWHERE = "UPDATE webhook SET url = 'https://elsewhere' WHERE project_id = $1"
REMOVE = "DELETE FROM webhook WHERE project_id = $1"
MOVE = "UPDATE webhook_progress SET position = 0 WHERE project_id = $1"
FOLLOW = "SELECT FROM webhook_delivery WHERE project_id = $1"
ALL = [MAKE, READ, POINT_ELSEWHERE, REMOVE, MOVE, FOLLOW]


@pytest.fixture
async def runtime(database: DatabaseUrls) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.runtime))
    yield connection
    await connection.close()


async def touched(connection: Connection, principal: str, workspace: WebhookWorkspace, statement: str) -> int:
    """The number of affected rows, 0 if refused; rolls back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("SELECT wall.open_scope($1, $2)", principal, workspace.project)
        return int((await connection.execute(statement, workspace.project)).split()[-1])
    except asyncpg.InsufficientPrivilegeError:
        return 0
    finally:
        await transaction.rollback()


async def fill(workspace: WebhookWorkspace) -> None:
    hook = await workspace.hook("http://127.0.0.1:1024/")
    await workspace.users.execute(
        "INSERT INTO webhook_delivery (project_id, webhook_id, event_id, event_type) VALUES ($1, $2, 1, 'a.b')",
        workspace.project, hook.id,
    )  # fmt: skip


@pytest.mark.parametrize("statement", ALL)
@pytest.mark.parametrize("role", ["editor", "viewer", "key", "outsider"])
async def test_who_manages_nothing_touches_nothing(
    workspace: WebhookWorkspace, runtime: Connection, role: str, statement: str
) -> None:
    await fill(workspace)
    principal = f"user:{uuid4()}"
    if role == "key":
        [row] = await workspace.users.fetch(
            "INSERT INTO api_key (project_id, name, prefix, secret_hash, role, created_by)"
            " VALUES ($1, 'x', $2, '\\x00', 'admin', 'user:x') RETURNING id", workspace.project, uuid4().hex,
        )  # fmt: skip
        principal = f"key:{row['id']}"
    elif role != "outsider":
        person = await workspace.users.person()
        await workspace.users.join(workspace.project, person, role)
        principal = str(person.principal)
    assert await touched(runtime, principal, workspace, statement) == 0


@pytest.mark.parametrize("statement", ALL)
async def test_who_manages_does(workspace: WebhookWorkspace, runtime: Connection, statement: str) -> None:
    await fill(workspace)
    assert await touched(runtime, str(workspace.owner.principal), workspace, statement) == 1


@pytest.mark.parametrize(("statement", "met"), [(READ, 1), (MOVE, 1), (FOLLOW, 1), (MAKE, 0), (POINT_ELSEWHERE, 0)])
async def test_the_worker_reads_webhooks_and_cannot_change_their_url(
    workspace: WebhookWorkspace, runtime: Connection, statement: str, met: int
) -> None:
    await fill(workspace)
    assert await touched(runtime, f"service:{workspace.project}", workspace, statement) == met


async def test_the_runtime_role_cannot_enqueue_deliveries(workspace: WebhookWorkspace, runtime: Connection) -> None:
    """The runtime role may not call the function that enqueues jobs; numbering the events calls it."""
    await fill(workspace)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await runtime.fetch("SELECT wall.enqueue_deliveries($1)", [workspace.project])
