from __future__ import annotations

import asyncio
import signal
from multiprocessing import get_context

import asyncpg
from structlog.testing import capture_logs

from partywall.settings import Settings
from partywall.testing.users import Users
from tests.features.accounts.conftest import ME, REVOKE, Login, Variant, Visitor, account_id, bearer
from tests.features.accounts.killed_server import refresh_and_die

STALE = "UPDATE refresh_token SET used_at = used_at - interval '1 minute' WHERE account_id = $1 AND used_at IS NOT NULL"


async def refreshed(visitor: Visitor, token: str) -> Login:
    answer = await visitor.refresh(token)
    assert answer.status_code == 200, answer.text
    return Login(answer.json()["access_token"], answer.json()["refresh_token"])


async def test_each_refresh_gives_a_new_pair(member: Visitor) -> None:
    login = await member.log_in()
    seen = {login.refresh}
    for _ in range(3):
        login = await refreshed(member, login.refresh)
        assert login.refresh not in seen
        seen.add(login.refresh)
        assert (await member.me(login.access)).status_code == 200


async def test_only_hashes_are_stored(member: Visitor, superuser: asyncpg.Connection) -> None:
    login = await member.log_in()
    second = await refreshed(member, login.refresh)
    rows = await superuser.fetch(
        "SELECT token_hash, refresh_token::text AS row FROM refresh_token WHERE account_id = $1",
        await account_id(superuser, member.email),
    )
    assert len(rows) == 2
    for token in (login.refresh, second.refresh):
        assert not any(token in row["row"] or token.encode() in row["token_hash"] for row in rows)


async def test_reuse_ends_the_family_and_that_is_stored(
    member: Visitor, variant: Variant, superuser: asyncpg.Connection
) -> None:
    first = await member.log_in()
    other = await member.log_in()
    second = await refreshed(member, first.refresh)
    third = await refreshed(member, second.refresh)
    await superuser.execute(STALE, await account_id(superuser, member.email))
    with capture_logs() as logs:
        reused = await member.refresh(first.refresh)
    assert (reused.status_code, reused.json()["error"]) == (400, "invalid_grant")
    assert [each["log_level"] for each in logs if each["event"] == "refresh_token_reused"] == ["warning"]
    assert member.email not in str(logs)
    async with variant() as elsewhere:
        for client in (member, elsewhere):
            assert (await client.refresh(third.refresh)).status_code == 400
            assert (await client.me(third.access)).status_code == 401
            assert (await client.me(first.access)).status_code == 401
    assert (await member.refresh(other.refresh)).status_code == 200


async def test_a_token_rotated_twice_is_always_reuse(member: Visitor) -> None:
    first = await member.log_in()
    second = await refreshed(member, first.refresh)
    third = await refreshed(member, second.refresh)
    assert (await member.refresh(first.refresh)).status_code == 400
    assert (await member.refresh(third.refresh)).status_code == 400


async def test_a_rotated_token_gets_the_same_successor_until_that_is_used(
    member: Visitor, superuser: asyncpg.Connection
) -> None:
    first = await member.log_in()
    again = lost = await refreshed(member, first.refresh)
    for _ in range(2):
        await superuser.execute(STALE.replace("1 minute", "9 days"), await account_id(superuser, member.email))
        again = await refreshed(member, first.refresh)
        assert again.refresh == lost.refresh
        assert (await member.me(again.access)).status_code == 200
    assert (await refreshed(member, again.refresh)).refresh not in {first.refresh, lost.refresh}


async def test_a_process_that_is_killed_between_commit_and_answer_ends_no_session(
    member: Visitor, settings: Settings, superuser: asyncpg.Connection
) -> None:
    token, own = (await member.log_in()).refresh, await account_id(superuser, member.email)
    dying = get_context("spawn").Process(target=refresh_and_die, args=(settings, token))
    dying.start()
    await asyncio.to_thread(dying.join)
    assert dying.exitcode == -signal.SIGKILL
    assert await superuser.fetchval("SELECT count(*) FROM refresh_token WHERE account_id = $1", own) == 2
    await superuser.execute(STALE, own)
    after = await refreshed(member, token)
    await refreshed(member, after.refresh)


async def test_refreshing_many_times_at_once_revokes_nobody(member: Visitor) -> None:
    token = (await member.log_in()).refresh
    for _ in range(3):
        answers = await asyncio.gather(*(member.refresh(token) for _ in range(8)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["refresh_token"] for answer in answers}) == 1
        token = answers[0].json()["refresh_token"]


async def test_an_expired_session_is_refused_and_refreshing_prolongs_it(
    member: Visitor, superuser: asyncpg.Connection
) -> None:
    login = await member.log_in()
    own = await account_id(superuser, member.email)
    await superuser.execute("UPDATE session SET expires_at = now() + interval '1 minute' WHERE account_id = $1", own)
    second = await refreshed(member, login.refresh)
    left = await superuser.fetchval("SELECT expires_at - now() FROM session WHERE account_id = $1", own)
    assert left.days == 29
    await superuser.execute("UPDATE session SET expires_at = now() WHERE account_id = $1", own)
    assert (await member.refresh(second.refresh)).status_code == 400


async def test_a_disabled_account_is_refused_at_its_next_refresh_and_request(member: Visitor, users: Users) -> None:
    login = await member.log_in()
    assert (await member.me(login.access)).status_code == 200
    await users.execute("UPDATE account SET disabled_at = now() WHERE email = $1", member.email)
    assert (await member.refresh(login.refresh)).status_code == 400
    for path in (ME, "/api/v1/auth/sessions"):
        assert (await member.client.get(path, headers=bearer(login.access))).status_code == 401
    patched = await member.client.patch(ME, json={"full_name": "x"}, headers=bearer(login.access))
    assert patched.status_code == 401
    assert (
        await member.client.post("/api/v1/projects", json={"name": "x"}, headers=bearer(login.access))
    ).status_code == 401


async def test_revoking_either_token_ends_the_session_at_once(member: Visitor) -> None:
    for which in ("refresh", "access"):
        login, other = await member.log_in(), await member.log_in()
        assert (await member.me(login.access)).status_code == 200
        answer = await member.revoke(getattr(login, which))
        assert (answer.status_code, answer.json()) == (200, {"status": "revoked"})
        assert (await member.me(login.access)).status_code == 401
        assert (await member.refresh(login.refresh)).status_code == 400
        assert (await member.me(other.access)).status_code == 200


async def test_a_rotated_token_revokes_its_family_too(member: Visitor) -> None:
    first = await member.log_in()
    second = await refreshed(member, first.refresh)
    await member.revoke(first.refresh)
    assert (await member.refresh(second.refresh)).status_code == 400


async def test_revoking_an_unknown_token_is_answered_alike(member: Visitor) -> None:
    login = await member.log_in()
    known = await member.revoke(login.refresh)
    for token in (login.refresh, "pwr_unknown", "a.b.c", login.access, "\0", "x" * 7_000):
        answer = await member.revoke(token)
        assert (answer.status_code, answer.content) == (200, known.content)
    for form in ({}, {"token": ""}, {"token": ["a", "b"]}):
        refused = await member.client.post(REVOKE, data=form)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


async def test_what_has_long_expired_is_dropped(member: Visitor, superuser: asyncpg.Connection) -> None:
    login = await member.log_in()
    own = await account_id(superuser, member.email)
    old = await member.log_in()
    await refreshed(member, login.refresh)
    await superuser.execute(
        "UPDATE session SET expires_at = now() - interval '31 days'"
        " WHERE id = (SELECT max(id::text)::uuid FROM session WHERE account_id = $1)", own
    )  # fmt: skip
    await superuser.execute(STALE.replace("1 minute", "31 days"), own)
    second = await member.log_in()
    assert await superuser.fetchval("SELECT count(*) FROM session WHERE account_id = $1", own) == 2
    assert (await member.refresh(old.refresh)).status_code == 400
    await refreshed(member, second.refresh)
    assert await superuser.fetchval("SELECT count(*) FROM refresh_token WHERE account_id = $1", own) == 4
