from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import asyncpg
import pytest
from argon2 import PasswordHasher
from httpx2 import Response

from partywall.testing.users import Users
from tests.features.accounts.conftest import PASSWORD, TOKEN, Variant, Visitor, account_id, new_address

WRONG = "wrong password"


def refusal(answer: Response) -> tuple[int, Mapping[str, object], list[tuple[str, str]]]:
    """The whole answer without the request id."""
    headers = [(name, value) for name, value in answer.headers.items() if name != "x-request-id"]
    return answer.status_code, answer.json() | {"request_id": ""}, headers


async def test_the_right_password_gets_a_pair_of_tokens(member: Visitor) -> None:
    answer = await member.try_login()
    body = answer.json()
    assert answer.status_code == 200
    assert body.keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (body["token_type"], body["expires_in"]) == ("bearer", 900)
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    assert (await member.me(body["access_token"])).json()["email"] == member.email


async def test_every_error_is_the_same(member: Visitor, users: Users) -> None:
    disabled = Visitor(member.client, new_address())
    await disabled.register()
    session = await disabled.log_in()
    await disabled.revoke(session.refresh)
    await users.execute("UPDATE account SET disabled_at = now() WHERE email = $1", disabled.email)
    answers = {
        "wrong password": await member.try_login(WRONG),
        "unknown address": await member.try_login(username=new_address()),
        "no address": await member.try_login(username="nobody"),
        "disabled": await disabled.try_login(),
        "no password set": await member.try_login(username=(await users.person()).email),
        "an endless password": await member.try_login("x" * 5000),
    }
    tokens = [await member.refresh(session.refresh), await member.refresh("pwr_" + "A" * 43)]
    expected = refusal(answers["wrong password"])
    assert expected[0] == 400
    assert (expected[1]["error"], expected[1]["code"]) == ("invalid_grant", "invalid_grant")
    assert {name: refusal(answer) for name, answer in answers.items()} == dict.fromkeys(answers, expected)
    assert answers["disabled"].headers["cache-control"] == "no-store"
    revoked, unknown = map(refusal, tokens)
    assert (revoked, revoked[0], revoked[1]["error"]) == (unknown, 400, "invalid_grant")


@pytest.mark.usefixtures("full_cost")
async def test_an_unknown_address_takes_as_long_as_a_wrong_password(member: Visitor) -> None:
    async def spent(username: str) -> float:
        started = time.process_time()
        assert (await member.try_login(WRONG, username)).status_code == 400
        return time.process_time() - started

    wrong = min([await spent(member.email) for _ in range(4)])
    unknown = min([await spent(new_address()) for _ in range(4)])
    assert 0.5 < wrong / unknown < 2


@pytest.mark.parametrize("known", [True, False])
async def test_five_failures_lock_the_address_whether_it_is_known_or_not(member: Visitor, known: bool) -> None:
    username = member.email if known else new_address()
    for _ in range(5):
        assert (await member.try_login(WRONG, username)).status_code == 400
    for answer in [await member.try_login(password, username.upper()) for password in (PASSWORD, WRONG)]:
        body = answer.json()
        assert (answer.status_code, body["code"], body["error"]) == (429, "login_locked", "login_locked")
        assert 1700 < int(answer.headers["retry-after"]) <= 1800
        assert username not in answer.text
    assert (await Visitor(member.client, new_address()).try_login()).status_code == 400


async def test_the_failures_are_stored_although_they_were_refused(
    member: Visitor, superuser: asyncpg.Connection
) -> None:
    """Two counters: one for the network, one for all unknown networks."""
    query = "SELECT count(*), coalesce(sum(failures), 0) AS failures FROM login_failure"
    before = await superuser.fetchrow(query)
    await member.try_login(WRONG)
    await member.try_login(WRONG)
    after = await superuser.fetchrow(query)
    assert (after["count"] - before["count"], after["failures"] - before["failures"]) == (2, 4)
    await member.log_in()
    rows = await superuser.fetch(
        "SELECT each::text AS row FROM login_failure AS each UNION SELECT each::text FROM known_network AS each"
    )
    assert not any(member.email in row["row"] or "127.0.0.1" in row["row"] for row in rows)


async def test_a_lock_survives_the_process_and_runs_out(
    member: Visitor, variant: Variant, superuser: asyncpg.Connection
) -> None:
    for _ in range(5):
        await member.try_login(WRONG)
    async with variant() as elsewhere:
        assert (await elsewhere.try_login(username=member.email)).status_code == 429
    await superuser.execute(
        "UPDATE login_failure SET locked_until = now(), failed_at = failed_at - interval '30 minutes'"
        " WHERE locked_until IS NOT NULL"
    )
    assert (await member.try_login(WRONG)).status_code == 400
    assert (await member.try_login()).status_code == 200


async def test_a_success_resets_the_count(member: Visitor) -> None:
    for _ in range(2):
        for _ in range(4):
            assert (await member.try_login(WRONG)).status_code == 400
        assert (await member.try_login()).status_code == 200


@pytest.mark.usefixtures("full_cost")
async def test_many_guesses_at_once_are_worth_no_more_than_five(member: Visitor) -> None:
    """After five failures even the right password is refused."""
    answers = await asyncio.gather(*(member.try_login(f"guess number {number}") for number in range(12)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [400] * 5 + [429] * 7
    assert (await member.try_login()).status_code == 429


async def test_many_valid_logins_at_once_all_succeed(member: Visitor) -> None:
    answers = await asyncio.gather(*(member.try_login() for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 8


@pytest.mark.usefixtures("full_cost")
@pytest.mark.parametrize(("passes", "memory", "lanes"), [(1, 8192, 1), (3, 65536, 4)])
async def test_a_hash_of_other_parameters_is_replaced_at_login(
    member: Visitor, superuser: asyncpg.Connection, passes: int, memory: int, lanes: int
) -> None:
    old = PasswordHasher(time_cost=passes, memory_cost=memory, parallelism=lanes).hash(PASSWORD)
    await superuser.execute("UPDATE account SET password_hash = $1 WHERE email = $2", old, member.email)
    await member.log_in()
    stored = await superuser.fetchval("SELECT password_hash FROM account WHERE email = $1", member.email)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    await member.log_in()


INVALID: dict[str, Mapping[str, object]] = {
    "nothing": {},
    "no grant type": {"username": "a@example.com", "password": PASSWORD},
    "an empty grant type": {"grant_type": "", "username": "a@example.com", "password": PASSWORD},
    "no password": {"grant_type": "password", "username": "a@example.com"},
    "an empty password": {"grant_type": "password", "username": "a@example.com", "password": ""},
    "no username": {"grant_type": "password", "password": PASSWORD},
    "no refresh token": {"grant_type": "refresh_token"},
    "a repeated parameter": {"grant_type": "refresh_token", "refresh_token": ["one", "two"]},
    "a repeated unknown parameter": {"grant_type": "refresh_token", "refresh_token": "one", "scope": ["a", "b"]},
}


@pytest.mark.parametrize("form", INVALID.values(), ids=list(INVALID))
async def test_a_malformed_request_is_an_invalid_request(visitor: Visitor, form: Mapping[str, object]) -> None:
    answer = await visitor.client.post(TOKEN, data=dict(form))
    body = answer.json()
    assert (answer.status_code, body["error"], body["code"]) == (400, "invalid_request", "invalid_request")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"


async def test_other_bodies_are_an_invalid_request(visitor: Visitor) -> None:
    form = b"grant_type=password"
    for content, media_type in [
        (b'{"grant_type": "password"}', "application/json"),
        (form, "text/plain"),
        (b"", "application/x-www-form-urlencoded"),
        (b"\xff\xfe%00%ff", "application/x-www-form-urlencoded"),
        (form + b"&username=ada@example.com&password=%ff", "application/x-www-form-urlencoded"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"--x--", "multipart/form-data"),
    ]:
        answer = await visitor.client.post(TOKEN, content=content, headers={"Content-Type": media_type})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), media_type
    answer = await visitor.client.post(TOKEN, data={"grant_type": "refresh_token"}, files={"refresh_token": b"a file"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_form_in_another_charset_is_refused(visitor: Visitor) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=latin-1"}
    answer = await visitor.client.post(TOKEN, content=b"grant_type=password", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_a_form_that_is_not_escaped_is_read_as_utf8(visitor: Visitor) -> None:
    """As curl's `--data` sends it; the framework would decode it as Latin-1 and reject the right password."""
    password = "ein l\u00e4ngeres Pa\u00dfwort"
    await visitor.register(password)
    form = f"grant_type=password&username={visitor.email}&password={password}".encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await visitor.client.post(TOKEN, content=form, headers=headers)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("grant_type", ["client_credentials", "authorization_code", "PASSWORD", "password\0"])
async def test_another_grant_is_unsupported(visitor: Visitor, grant_type: str) -> None:
    form = {"grant_type": grant_type, "username": visitor.email, "password": PASSWORD}
    answer = await visitor.client.post(TOKEN, data=form)
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize(
    "username", ["\0", "ada\0@example.com", "'; DROP TABLE account; --", "x" * 5000, "\ud83d\ude00"]
)
async def test_a_strange_username_is_an_unknown_one(visitor: Visitor, username: str) -> None:
    username = username.encode("utf-16", "surrogatepass").decode("utf-16")
    answer = await visitor.try_login(PASSWORD, username)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_unknown_parameters_and_client_credentials_are_ignored(member: Visitor) -> None:
    form = {"grant_type": "password", "username": member.email, "password": PASSWORD, "scope": "all", "client_id": "x"}
    assert (await member.client.post(TOKEN, data=form, auth=("client", "secret"))).status_code == 200


async def test_a_session_remembers_what_the_client_calls_itself(member: Visitor, superuser: asyncpg.Connection) -> None:
    form = {"grant_type": "password", "username": member.email, "password": PASSWORD}
    await member.client.post(TOKEN, data=form, headers={"User-Agent": "Agent\t" + "x" * 500})
    await member.client.post(TOKEN, data=form, headers={"User-Agent": ""})
    own = await account_id(superuser, member.email)
    rows = await superuser.fetch("SELECT user_agent FROM session WHERE account_id = $1 ORDER BY id", own)
    assert [row["user_agent"] for row in rows] == ["Agent" + "x" * 195, None]


async def test_an_account_has_only_so_many_sessions(member: Visitor, superuser: asyncpg.Connection) -> None:
    own = await account_id(superuser, member.email)
    await superuser.execute(
        """
        INSERT INTO session (account_id, expires_at, last_used_at, revoked_at)
        SELECT $1, now() + interval '1 day', now() - n * interval '1 minute',
            CASE WHEN n > 150 THEN now() - n * interval '1 hour' END
        FROM generate_series(1, 250) AS n
        """,
        own,
    )
    assert (await member.try_login()).status_code == 200
    rows = await superuser.fetch("SELECT revoked_at, last_used_at FROM session WHERE account_id = $1", own)
    living = [row["last_used_at"] for row in rows if row["revoked_at"] is None]
    assert len(living) == 100
    # The most recently used sessions survive; long revoked ones are deleted.
    assert min(living) > max(row["last_used_at"] for row in rows if row["revoked_at"] is not None)
    assert len(rows) == 151
