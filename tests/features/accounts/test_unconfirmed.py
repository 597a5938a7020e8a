"""Unconfirmed addresses: the right password is no failure, and confirming resets earlier failures."""

from __future__ import annotations

import asyncpg
import pytest

from partywall.core.resources import Resources
from partywall.testing.users import Users
from tests.features.accounts.account_jobs import AccountJobs
from tests.features.accounts.conftest import Variant, Visitor, account_id

WRONG = "wrong password"
HOME, WORK, PHONE = "198.51.100.7", "203.0.113.1", "2001:db8::1"


@pytest.fixture
async def account_jobs(resources: Resources, superuser: asyncpg.Connection) -> AccountJobs:
    return AccountJobs(resources, superuser)


async def test_the_right_password_of_an_unconfirmed_address_locks_nobody(
    variant: Variant, account_jobs: AccountJobs
) -> None:
    async with variant(verification="required") as visitor:
        await visitor.register()
        refused = await visitor.try_login(WRONG)
        answers = [await visitor.try_login() for _ in range(22)]
        assert {answer.status_code for answer in answers} == {400}
        assert "resend" in answers[-1].json()["error_description"]
        assert answers[-1].json() | {"request_id": ""} == refused.json() | {"request_id": ""}
        assert (await visitor.verify(await account_jobs.token(visitor))).status_code == 204
        assert (await visitor.try_login()).status_code == 200


async def test_wrong_passwords_of_an_unconfirmed_address_do(variant: Variant) -> None:
    async with variant(verification="required") as visitor:
        await visitor.register()
        assert [(await visitor.try_login(WRONG)).status_code for _ in range(6)] == [400] * 5 + [429]
        assert (await visitor.try_login()).status_code == 429


async def test_confirming_lifts_the_locks_of_every_network(
    variant: Variant, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    async with variant(verification="required") as visitor:
        await visitor.register()
        for network in (HOME, WORK):
            tried = [(await visitor.at(network).try_login(WRONG)).status_code for _ in range(6)]
            assert tried[-1] == 429
        other = Visitor(visitor.client, f"other-{visitor.email}", HOME)
        for _ in range(6):
            await other.try_login(WRONG)
        assert (await visitor.at(PHONE).verify("pwv_made_up")).status_code == 400
        assert (await visitor.at(WORK).try_login()).status_code == 429
        assert (await visitor.at(PHONE).verify(await account_jobs.token(visitor))).status_code == 204
        for network in (HOME, WORK):
            assert (await visitor.at(network).try_login()).status_code == 200
        assert (await other.try_login(WRONG)).status_code == 429


async def test_the_right_password_of_a_disabled_account_locks_nobody(member: Visitor, users: Users) -> None:
    await users.execute("UPDATE account SET disabled_at = now() WHERE email = $1", member.email)
    assert [(await member.try_login()).status_code for _ in range(6)] == [400] * 6
    await users.execute("UPDATE account SET disabled_at = NULL WHERE email = $1", member.email)
    assert (await member.try_login()).status_code == 200


async def test_a_right_password_counts_nothing_under_any_counter(
    variant: Variant, superuser: asyncpg.Connection
) -> None:
    query = "SELECT count(*), coalesce(sum(failures), 0) AS failures FROM login_failure"
    async with variant(verification="required") as visitor:
        await visitor.register()
        before = await superuser.fetchrow(query)
        assert (await visitor.try_login()).status_code == 400
        after = await superuser.fetchrow(query)
        # The counter of all unknown networks stays, at zero.
        assert (after["count"] - before["count"], after["failures"] - before["failures"]) == (1, 0)
        assert await superuser.fetchval(
            "SELECT count(*) FROM session WHERE account_id = $1", await account_id(superuser, visitor.email)
        ) == 0  # fmt: skip
