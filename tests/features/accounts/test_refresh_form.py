"""Refresh on the fast path. Other forms go to the router; both give the same answers."""

from __future__ import annotations

import asyncpg
import pytest

from partywall.core.http.fast_path.declaration import fast_path_plans
from partywall.core.http.fast_path.form_plan import FormPlan
from partywall.core.security.attempts import AttemptLimiter
from tests.architecture.routes import application
from tests.features.accounts.conftest import Variant, Visitor, account_id
from tests.features.accounts.test_limits import NOWHERE, assert_too_many

TOKEN = "/api/v1/auth/token"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def refresh_fields(body: bytes) -> dict[str, str] | None:
    [plan] = [each for each in fast_path_plans(application().routes) if isinstance(each, FormPlan)]
    return plan.fields(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"refresh_token=x",
        b"grant_type=refresh_token",
        b"grant_type=refresh_token&refresh_token=",
        b"grant_type=password&refresh_token=x",
        b"grant_type=refresh_token&refresh_token=x&refresh_token=x",
        b"grant_type=refresh_token&refresh_token=x&",
        b"grant_type=refresh_token&refresh_token=x&scope=y",
        b"grant_type=refresh_token&refresh%5Ftoken=x",
        b"grant_type=refresh_token&refresh_token=x+y",
        "grant_type=refresh_token&refresh_token=\u00e4".encode(),
        b"grant_type=refresh_token;refresh_token=x",
    ],
)
def test_what_is_not_ordinary_is_left_to_the_router(body: bytes) -> None:
    assert refresh_fields(body) is None


def test_the_ordinary_is_served_in_either_order() -> None:
    expected = {"grant_type": "refresh_token", "refresh_token": "x=y"}
    assert refresh_fields(b"grant_type=refresh_token&refresh_token=x=y") == expected
    assert refresh_fields(b"refresh_token=x=y&grant_type=refresh_token") == expected


async def test_both_ways_answer_alike(member: Visitor) -> None:
    token, found = (await member.log_in()).refresh, []
    for extra, path, kind in (("", TOKEN, FORM), ("&scope=all", TOKEN, FORM), ("", f"{TOKEN}?", FORM),
                              ("", TOKEN, {"Content-Type": FORM["Content-Type"] + "; charset=utf-8"})):  # fmt: skip
        body = f"grant_type=refresh_token&refresh_token={token}{extra}".encode()
        good = await member.client.post(path, content=body, headers=kind)
        bad = await member.client.post(path, content=body.replace(b"pwr_", b"pwx_"), headers=kind)
        told = {name: value for name, value in bad.json().items() if name != "request_id"}
        names = good.headers.keys() | bad.headers.keys()
        found.append((good.status_code, good.json()["refresh_token"], bad.status_code, told, names))
    assert [each[0] for each in found] == [200] * 4
    assert found == found[:1] * 4
    assert found[0][3]["detail"] == "The refresh token is used, expired, revoked or unknown. Log in again."


async def test_an_ordinary_refresh_asks_no_cache(member: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    token = (await member.log_in()).refresh

    async def fail(*_: object, **__: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(AttemptLimiter, "_ask", fail)
    assert (await member.refresh(token)).status_code == 200


async def test_a_rate_limited_refresh_uses_no_token_without_the_cache(
    variant: Variant, superuser: asyncpg.Connection
) -> None:
    async with variant(cache_url=NOWHERE, attempts_per_minute=2) as visitor:
        assert (await visitor.register()).status_code == 202
        token = (await visitor.log_in()).refresh
        own = await account_id(superuser, visitor.email)
        token = (await visitor.refresh(token)).json()["refresh_token"]
        token = (await visitor.refresh(token)).json()["refresh_token"]
        for _ in range(2):
            assert_too_many(await visitor.refresh(token))
        unused = "SELECT count(*) FROM refresh_token WHERE account_id = $1 AND used_at IS NULL"
        assert await superuser.fetchval(unused, own) == 1
        await superuser.execute("UPDATE session SET used_minute = used_minute - 2 WHERE account_id = $1", own)
        assert (await visitor.refresh(token)).status_code == 200


async def test_uses_of_the_minute_before_count_by_what_is_left_of_it(superuser: asyncpg.Connection) -> None:
    """After a million uses in the previous minute, a limit of one a minute allows none in this minute."""
    account = await superuser.fetchval("INSERT INTO account (email) VALUES (uuidv7()::text) RETURNING id")
    async with superuser.transaction():
        session = await superuser.fetchval(
            "INSERT INTO session (account_id, expires_at, uses, used_minute)"
            " VALUES ($1, 'infinity', 1000000, floor(extract(epoch FROM now()) / 60) - 1) RETURNING id",
            account,
        )
        await superuser.execute(
            "INSERT INTO refresh_token (token_hash, account_id, session_id) VALUES ('a', $1, $2)", account, session
        )
        refresh = "SELECT * FROM wall.refresh($1, $2, 'infinity', '-infinity', $3)"
        refused = await superuser.fetchrow(refresh, b"a", b"b", 1)
        assert refused is not None
        assert (refused["rotated"], 1 <= refused["wait"] <= 60) == (False, True)
        passed = await superuser.fetchrow(refresh, b"a", b"b", 1_000_001)
        assert passed is not None
        assert (passed["rotated"], passed["wait"]) == (True, None)
        counted = await superuser.fetchrow("SELECT uses, former_uses FROM session WHERE id = $1", session)
        assert counted is not None
        assert tuple(counted) == (1, 1_000_000)


async def test_what_would_have_expired_by_now_goes_with_a_refresh(
    member: Visitor, superuser: asyncpg.Connection
) -> None:
    token = (await member.log_in()).refresh
    own = await account_id(superuser, member.email)
    for _ in range(2):
        token = (await member.refresh(token)).json()["refresh_token"]
    count = "SELECT count(*) FROM refresh_token WHERE account_id = $1"
    assert await superuser.fetchval(count, own) == 3
    await superuser.execute(
        "UPDATE refresh_token SET created_at = created_at - interval '31 days', used_at = used_at - interval '31 days'"
        " WHERE account_id = $1",
        own,
    )
    assert (await member.refresh(token)).status_code == 200
    assert await superuser.fetchval(count, own) == 2
