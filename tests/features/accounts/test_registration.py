from __future__ import annotations

import time

import asyncpg
import pytest
from httpx2 import AsyncClient, Response

from tests.features.accounts.conftest import PASSWORD, REGISTER, TOKEN, Variant, Visitor, new_address


def shape(answer: Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    """The whole answer without the request id."""
    return (
        answer.status_code,
        answer.content,
        [(name, value) for name, value in answer.headers.items() if name != "x-request-id"],
    )


async def test_a_known_address_is_answered_byte_for_byte_like_a_new_one(visitor: Visitor) -> None:
    new = await visitor.register()
    known = await visitor.register("another password")
    assert new.status_code == 202
    assert new.content == b'{"status":"accepted"}'
    assert shape(new) == shape(known)
    assert (await visitor.try_login()).status_code == 200
    assert (await visitor.try_login("another password")).status_code == 400


@pytest.mark.usefixtures("full_cost")
async def test_a_known_address_takes_the_same_time(anonymous: AsyncClient, member: Visitor) -> None:
    async def spent(email: str) -> float:
        started = time.process_time()
        await anonymous.post(REGISTER, json={"email": email, "password": PASSWORD})
        return time.process_time() - started

    known = min([await spent(member.email) for _ in range(5)])
    new = min([await spent(new_address()) for _ in range(5)])
    assert 0.5 < known / new < 2


async def test_registering_again_changes_nothing(member: Visitor, superuser: asyncpg.Connection) -> None:
    query = "SELECT * FROM account WHERE email = $1"
    before = await superuser.fetchrow(query, member.email)
    json = {"email": member.email.upper(), "password": "another password", "full_name": "Eve"}
    assert (await member.client.post(REGISTER, json=json)).status_code == 202
    assert await superuser.fetchrow(query, member.email) == before


async def test_the_address_is_stored_in_one_form_and_found_in_any(visitor: Visitor) -> None:
    json = {"email": f" {visitor.email.upper()} ", "password": PASSWORD, "full_name": "  Ada  "}
    assert (await visitor.client.post(REGISTER, json=json)).status_code == 202
    body = (await visitor.me((await visitor.log_in()).access)).json()
    assert (body["email"], body["full_name"], body["email_verified"]) == (visitor.email, "Ada", False)
    assert (await visitor.try_login(username=visitor.email.upper())).status_code == 200


async def test_a_password_is_nowhere_in_the_database(visitor: Visitor, superuser: asyncpg.Connection) -> None:
    await visitor.register()
    row = await superuser.fetchrow(
        "SELECT account::text AS row, password_hash FROM account WHERE email = $1", visitor.email
    )
    assert PASSWORD not in row["row"]
    assert row["password_hash"].startswith("$argon2id$")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"email": "nobody"}, "/email"),
        ({"email": None}, "/email"),
        ({"email": "a@example.com\x00"}, "/email"),
        ({"password": "ninechars"}, "/password"),
        ({"password": "x" * 1025}, "/password"),
        ({"password": "nul\x00 in the middle"}, "/password"),
        ({"password": 1234567890}, "/password"),
        ({"full_name": " "}, "/full_name"),
        ({"full_name": "x" * 201}, "/full_name"),
        ({"role": "admin"}, "/role"),
        ({"email_verified": True}, "/email_verified"),
    ],
)
async def test_a_bad_body_is_refused_and_not_repeated(
    visitor: Visitor, change: dict[str, object], pointer: str, superuser: asyncpg.Connection
) -> None:
    count = "SELECT count(*) FROM account"
    before = await superuser.fetchval(count)
    json = {"email": visitor.email, "password": PASSWORD} | change
    answer = await visitor.client.post(REGISTER, json=json)
    assert answer.status_code == 422
    assert pointer in [each["pointer"] for each in answer.json()["errors"]]
    assert visitor.email not in answer.text
    assert PASSWORD not in answer.text
    assert await superuser.fetchval(count) == before


@pytest.mark.parametrize("length", [10, 1024])
async def test_only_the_length_of_a_password_counts(visitor: Visitor, length: int) -> None:
    password = "ż" * length
    assert (await visitor.register(password)).status_code == 202
    assert (await visitor.try_login(password)).status_code == 200


async def test_closed_registration_is_refused(variant: Variant, superuser: asyncpg.Connection) -> None:
    async with variant(registration="closed") as visitor:
        answer = await visitor.register()
        assert (answer.status_code, answer.json()["code"]) == (403, "registration_closed")
        assert (await visitor.try_login()).status_code == 400
    assert await superuser.fetchval("SELECT count(*) FROM account WHERE email = $1", visitor.email) == 0


async def test_where_verification_is_required_a_new_account_waits(
    variant: Variant, superuser: asyncpg.Connection
) -> None:
    """The right password gets the same answer as a wrong one; otherwise registering would reveal known addresses."""
    async with variant(verification="required") as visitor:
        await visitor.register()
        right, wrong = await visitor.try_login(), await visitor.try_login("wrong password")
        assert right.status_code == wrong.status_code == 400
        assert right.json() | {"request_id": ""} == wrong.json() | {"request_id": ""}
        await superuser.execute("UPDATE account SET email_verified_at = now() WHERE email = $1", visitor.email)
        body = (await visitor.me((await visitor.log_in()).access)).json()
        assert body["email_verified"] is True


async def test_registering_takes_json_only(visitor: Visitor) -> None:
    answer = await visitor.client.post(REGISTER, data={"email": visitor.email, "password": PASSWORD})
    assert answer.status_code in {415, 422}
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await visitor.client.get(TOKEN)).status_code == 405
