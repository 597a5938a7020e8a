"""Resending the confirmation mail works without a login and reveals nothing about an address."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from httpx2 import AsyncClient

from partywall.core.resources import Resources
from partywall.features.accounts.constants import MAILS_PER_HOUR, OWN_MAILS
from tests.features.accounts.account_jobs import AccountJobs, assert_refused, verify
from tests.features.accounts.conftest import PASSWORD, RESEND, Variant, Visitor, account_id, new_address
from tests.features.accounts.test_limits import NOWHERE, assert_too_many
from tests.features.accounts.test_registration import shape

OWN = "the owner's own password"
EXPIRED = "UPDATE registration SET expires_at = now() WHERE account_id = $1"


@pytest.fixture
async def account_jobs(resources: Resources, superuser: asyncpg.Connection) -> AccountJobs:
    return AccountJobs(resources, superuser)


async def test_the_same_token_is_mailed_again_without_a_login(
    variant: Variant, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    async with variant(verification="required") as visitor:
        await visitor.register()
        first = await account_jobs.token(visitor)
        await superuser.execute(
            "UPDATE registration SET expires_at = now() + interval '1 minute' WHERE account_id = $1",
            await account_id(superuser, visitor.email),
        )
        assert (await visitor.resend()).status_code == 202
        await account_jobs.resend(visitor.email)
        assert await account_jobs.token(visitor) == first
        assert len(account_jobs.texts(visitor.email)) == 2
        left = await superuser.fetchval(
            "SELECT expires_at - now() FROM registration WHERE account_id = $1",
            await account_id(superuser, visitor.email),
        )
        assert left > timedelta(hours=23)
        assert (await visitor.verify(first)).status_code == 204
        assert (await visitor.try_login()).status_code == 200


async def test_every_address_is_answered_alike_after_the_same_work(
    member: Visitor, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    """Pending, confirmed, disabled and unknown addresses: each request only enqueues a job."""
    confirmed, disabled, nobody = (Visitor(member.client, new_address()) for _ in range(3))
    for each in (confirmed, disabled):
        await each.register()
        await account_jobs.work(await account_id(superuser, each.email))
    assert (await verify(member.client, account_jobs.tokens(confirmed.email)[0])).status_code == 204
    await superuser.execute("UPDATE account SET disabled_at = now() WHERE email = $1", disabled.email)
    await account_jobs.work(await account_id(superuser, member.email))
    answers = {}
    for each in (member, confirmed, disabled, nobody):
        answers[each.email] = shape(await each.resend())
        [asked] = await account_jobs.asked(each.email)
        assert asked.model_dump(exclude={"request_id", "network"}) == {"address": each.email}
        assert len(asked.network) == 64
        await each.resend()
        await account_jobs.resend(each.email)
    assert {repr(answer) for answer in answers.values()} == {repr(answers[nobody.email])}
    await account_jobs.work(await account_id(superuser, member.email))
    for each in (confirmed, disabled):
        await account_jobs.work(await account_id(superuser, each.email))
    mails = [len(account_jobs.texts(each.email)) for each in (member, confirmed, disabled, nobody)]
    assert mails == [2, 1, 1, 0]


async def test_of_several_registrations_each_is_mailed_again(
    member: Visitor, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    """The request does not say which registration; each mail gives the time its password was chosen."""
    own = await account_id(superuser, member.email)
    await member.register(OWN)
    await account_jobs.work(own)
    once = account_jobs.tokens(member.email)
    await member.resend()
    await account_jobs.resend(member.email)
    await account_jobs.work(own)
    assert sorted(account_jobs.tokens(member.email)) == sorted([*once, *once])
    assert (await verify(member.client, once[1])).status_code == 204
    assert (await member.try_login(OWN)).status_code == 200


async def test_without_a_pending_registration_the_accounts_password_is_confirmed(
    member: Visitor, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    own = await account_id(superuser, member.email)
    late = await account_jobs.token(member)
    await superuser.execute(EXPIRED, own)
    assert_refused(await verify(member.client, late))
    await member.resend()
    await account_jobs.resend(member.email)
    assert (await verify(member.client, await account_jobs.token(member))).status_code == 204
    assert (await member.try_login(PASSWORD)).status_code == 200


async def test_it_is_mailed_only_so_often(member: Visitor) -> None:
    """The same limit applies to an unknown address."""
    for each in (member, Visitor(member.client, new_address())):
        answers = [await each.resend() for _ in range(MAILS_PER_HOUR + 1)]
        assert [answer.status_code for answer in answers] == [202] * MAILS_PER_HOUR + [429]
        assert answers[-1].json()["code"] == "too_many_mails"
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 3600


async def test_one_client_asks_only_so_often(variant: Variant) -> None:
    async with variant(attempts_per_minute=2) as visitor:
        here = [Visitor(visitor.client, new_address(), "203.0.113.1") for _ in range(3)]
        assert [(await each.resend()).status_code for each in here[:2]] == [202, 202]
        assert_too_many(await here[2].resend())
        assert (await here[2].at("203.0.113.2").resend()).status_code == 202


async def test_an_outsider_cannot_use_up_the_registrants_mails(
    variant: Variant, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    """The number of mails is limited, for requests from many networks and from the registrant's own."""
    async with variant(verification="required") as visitor:
        owner = visitor.at("203.0.113.1")
        await owner.register()
        own = await account_id(superuser, owner.email)
        [token] = await first_tokens(account_jobs, own, owner.email)
        for number in range(MAILS_PER_HOUR + 3):
            assert (await visitor.at(f"198.51.100.{number}").resend()).status_code == 202
        await account_jobs.resend(owner.email)
        await account_jobs.work(own)
        assert account_jobs.tokens(owner.email) == [token] * (1 + MAILS_PER_HOUR)
        for _ in range(MAILS_PER_HOUR):
            assert (await owner.resend()).status_code == 202
        assert (await owner.resend()).status_code == 429
        await account_jobs.resend(owner.email)
        await account_jobs.work(own)
        assert account_jobs.tokens(owner.email) == [token] * (1 + MAILS_PER_HOUR + OWN_MAILS)


async def test_resent_mails_do_not_use_up_the_mail_of_a_registration(
    variant: Variant, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    async with variant() as visitor:
        await visitor.at("198.51.100.1").register("a stranger's password")
        own = await account_id(superuser, visitor.email)
        for number in range(MAILS_PER_HOUR):
            await visitor.at(f"198.51.100.{number}").resend()
        await account_jobs.resend(visitor.email)
        await account_jobs.work(own)
        before = account_jobs.tokens(visitor.email)
        await visitor.at("203.0.113.1").register(OWN)
        await account_jobs.work(own)
        assert len(account_jobs.tokens(visitor.email)) == len(before) + 1


async def first_tokens(account_jobs: AccountJobs, own: UUID, email: str) -> list[str]:
    await account_jobs.work(own)
    return account_jobs.tokens(email)


async def test_while_valkey_is_away_a_registration_is_mailed_only_so_often(
    variant: Variant, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    async with variant(cache_url=NOWHERE) as visitor:
        await visitor.register()
        for _ in range(MAILS_PER_HOUR + OWN_MAILS + 2):
            assert (await visitor.resend()).status_code == 202
        await account_jobs.resend(visitor.email)
        again = MAILS_PER_HOUR + OWN_MAILS
        assert len(await account_jobs.payloads(await account_id(superuser, visitor.email))) == 1 + again


async def test_what_is_no_address_is_refused(anonymous: AsyncClient) -> None:
    for body in ({"email": "nobody"}, {"email": None}, {}):
        assert (await anonymous.post(RESEND, json=body)).status_code == 422
