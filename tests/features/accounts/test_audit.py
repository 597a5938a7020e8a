"""What happens to an account is in its trail, without secrets."""

from __future__ import annotations

import asyncpg
import pytest

from partywall.core.resources import Resources
from tests.features.accounts.conftest import PASSWORD, SESSIONS, Visitor, bearer, new_address
from tests.features.accounts.mailed_codes import CHANGE, NEW, WRONG, MailedCodes, reset, unlock

AUDIT = "/api/v1/users/me/audit"


@pytest.fixture
async def mailed(resources: Resources, superuser: asyncpg.Connection) -> MailedCodes:
    return MailedCodes(resources, superuser)


async def actions(visitor: Visitor, token: str) -> list[str]:
    """Oldest first."""
    answer = await visitor.client.get(AUDIT, params={"sort": "created_at"}, headers=bearer(token))
    return [each["action"] for each in answer.json()["items"]]


async def test_logins_failures_locks_and_new_passwords_are_recorded(member: Visitor, mailed: MailedCodes) -> None:
    for _ in range(6):
        await member.try_login(WRONG)
    await unlock(member, (await mailed.codes(member.email, "pwu_"))[0])
    login = await member.log_in()
    await member.send(CHANGE, {"current_password": WRONG, "new_password": NEW}, login.access)
    await member.send(CHANGE, {"current_password": PASSWORD, "new_password": NEW}, login.access)
    await reset(member, await mailed.reset_code(member), PASSWORD)
    found = await actions(member, (await member.log_in()).access)
    assert found == [
        *["login.failed"] * 4, "login.failed", "login.locked", "login.unlocked", "login.succeeded", "login.failed",
        "password.changed", "password.reset", "login.succeeded",
    ]  # fmt: skip


async def test_ended_sessions_and_repeated_tokens_are_recorded(member: Visitor) -> None:
    used = (await member.log_in()).refresh
    successor = (await member.refresh(used)).json()["refresh_token"]
    assert (await member.refresh(used)).json()["refresh_token"] == successor
    await member.refresh(successor)
    assert (await member.refresh(used)).status_code == 400
    ended, shown = await member.log_in(), await member.log_in()
    await member.revoke(ended.refresh)
    await member.revoke(ended.refresh)
    listed = (await member.client.get(SESSIONS, headers=bearer(shown.access))).json()["items"]
    other = await member.log_in()
    await member.client.delete(f"{SESSIONS}/{listed[0]['id']}", headers=bearer(other.access))
    assert await actions(member, other.access) == [
        "login.succeeded", "refresh_token.reused", "login.succeeded", "login.succeeded", "session.ended",
        "login.succeeded", "session.ended",
    ]  # fmt: skip


async def test_an_unknown_address_leaves_no_entry(member: Visitor, superuser: asyncpg.Connection) -> None:
    count = "SELECT count(*) FROM account_audit"
    before = await superuser.fetchval(count)
    for _ in range(5):
        await member.try_login(WRONG, new_address())
    assert await superuser.fetchval(count) == before
    await member.try_login(WRONG)
    assert await superuser.fetchval(count) == before + 1


async def test_the_trail_has_no_secret_and_no_address(member: Visitor, superuser: asyncpg.Connection) -> None:
    await member.try_login(WRONG)
    login = await member.log_in()
    rows = await superuser.fetch("SELECT each::text AS row FROM account_audit AS each")
    for secret in (WRONG, PASSWORD, member.email, login.refresh, "127.0.0.1"):
        assert not any(secret in row["row"] for row in rows)
