"""What the database itself refuses to the runtime role, without the application's checks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from partywall.testing.engines import DatabaseUrls
from tests.features.projects.team import Team

type Connection = asyncpg.Connection[asyncpg.Record]


@pytest.fixture
async def runtime(database: DatabaseUrls) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.runtime))
    yield connection
    await connection.close()


@pytest.fixture
async def second(database: DatabaseUrls) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.runtime))
    yield connection
    await connection.close()


INVITE = (
    "INSERT INTO invitation (project_id, email, role, token_hash, invited_by, expires_at)"
    " VALUES ($1, gen_random_uuid()::text, '{role}', gen_random_uuid()::text::bytea, 'user:x', now() + interval '1 h')"
)
MAKE_KEY = (
    "INSERT INTO api_key (project_id, name, prefix, secret_hash, role, created_by)"
    " VALUES ($1, 'x', gen_random_uuid()::text, '\\x00', 'admin', 'user:x')"
)
LOWER_OTHERS = "UPDATE project_member SET role = 'viewer' WHERE project_id = $1 AND role <> 'owner'"
REMOVE_OTHERS = (
    "DELETE FROM project_member WHERE project_id = $1 AND role <> 'owner' AND account_id <> wall.current_user_id()"
)
OWNERS = "UPDATE project_member SET role = 'viewer' WHERE project_id = $1 AND role = 'owner'"
REMOVE_OWNERS = "DELETE FROM project_member WHERE project_id = $1 AND role = 'owner'"
RAISE_ONESELF = "UPDATE project_member SET role = 'owner' WHERE project_id = $1 AND account_id = wall.current_user_id()"
JOIN = "INSERT INTO project_member (project_id, account_id, role) VALUES ($1, gen_random_uuid(), 'owner')"
WITHDRAW = "DELETE FROM invitation WHERE project_id = $1"
REVOKE_KEYS = "UPDATE api_key SET revoked_at = now() WHERE project_id = $1"
READ_INVITATIONS = "SELECT FROM invitation WHERE project_id = $1"
READ_KEYS = "SELECT id FROM api_key WHERE project_id = $1"

BY_NOBODY = [RAISE_ONESELF, JOIN, OWNERS, REMOVE_OWNERS, INVITE.format(role="owner")]
BY_ADMINS = [
    LOWER_OTHERS, REMOVE_OTHERS, INVITE.format(role="viewer"), MAKE_KEY, WITHDRAW, REVOKE_KEYS, READ_INVITATIONS,
    READ_KEYS,
]  # fmt: skip


async def touched(connection: Connection, principal: str, team: Team, statement: str) -> int:
    """The number of affected rows, 0 if refused; rolls back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("SELECT wall.open_scope($1, $2)", principal, team.project)
        return int((await connection.execute(statement, team.project)).split()[-1])
    except asyncpg.InsufficientPrivilegeError:
        return 0
    finally:
        await transaction.rollback()


async def fill(team: Team) -> None:
    """Adds an invitation and an API key, so that the statements have rows."""
    await team.users.execute(INVITE.format(role="viewer"), team.project)
    await team.key("admin")


@pytest.mark.parametrize("statement", BY_NOBODY + BY_ADMINS)
@pytest.mark.parametrize("role", ["editor", "viewer", "key", "service", "outsider"])
async def test_who_manages_nothing_changes_nothing(team: Team, runtime: Connection, role: str, statement: str) -> None:
    await fill(team)
    [key] = await team.users.fetch("SELECT id FROM api_key WHERE project_id = $1", team.project)
    principals = {
        "editor": str(team.editor.principal),
        "viewer": str(team.viewer.principal),
        "key": f"key:{key['id']}",
        "service": f"service:{team.project}",
        "outsider": str((await team.users.person()).principal),
    }
    assert await touched(runtime, principals[role], team, statement) == 0


@pytest.mark.parametrize("statement", BY_NOBODY)
async def test_an_admin_makes_no_owner_and_unmakes_none(team: Team, runtime: Connection, statement: str) -> None:
    assert await touched(runtime, str(team.admin.principal), team, statement) == 0


@pytest.mark.parametrize("statement", BY_ADMINS)
@pytest.mark.parametrize("role", ["owner", "admin"])
async def test_who_manages_does(team: Team, runtime: Connection, role: str, statement: str) -> None:
    """The same statements affect rows here, so the tests above do not pass for lack of rows."""
    await fill(team)
    assert await touched(runtime, str(team.of(role).principal), team, statement) > 0


async def test_everybody_may_take_their_own_row_away(team: Team, runtime: Connection) -> None:
    for role in ("admin", "editor", "viewer"):
        leave = "DELETE FROM project_member WHERE project_id = $1 AND account_id = wall.current_user_id()"
        assert await touched(runtime, str(team.of(role).principal), team, leave) == 1


@pytest.mark.parametrize("statement", [OWNERS, REMOVE_OWNERS])
async def test_the_last_owner_stays_whatever_the_program_forgets(
    team: Team, runtime: Connection, statement: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await touched(runtime, str(team.owner.principal), team, statement)
    assert caught.value.constraint_name == "project_member_owner_check"


async def test_of_two_owners_who_forget_the_lock_one_stays(team: Team, runtime: Connection, second: Connection) -> None:
    other = await team.another("owner")
    leave = "DELETE FROM project_member WHERE project_id = $1 AND account_id = wall.current_user_id()"
    async with runtime.transaction():
        await runtime.execute("SELECT wall.open_scope($1, $2)", str(team.owner.principal), team.project)
        await runtime.execute(leave, team.project)
        waiting = asyncio.create_task(_leave_too(second, str(other.principal), team, leave))
        await asyncio.sleep(0.2)
        assert not waiting.done()
    with pytest.raises(asyncpg.CheckViolationError):
        await waiting
    assert list((await team.roles()).values()).count("owner") == 1


async def _leave_too(connection: Connection, principal: str, team: Team, leave: str) -> None:
    async with connection.transaction():
        await connection.execute("SELECT wall.open_scope($1, $2)", principal, team.project)
        await connection.execute(leave, team.project)
