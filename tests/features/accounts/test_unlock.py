"""A mail lifts the locks of wrong passwords, and nothing reveals an account."""

from __future__ import annotations

import asyncpg
import pytest

from partywall.core.resources import Resources
from tests.features.accounts.conftest import Variant, Visitor, new_address
from tests.features.accounts.mailed_codes import WRONG, MailedCodes, assert_no_token, reset, unlock
from tests.features.accounts.test_limits import assert_too_many

SUBJECT = "Logins to your account are blocked for a while"

LONGER = "UPDATE login_failure SET locked_until = now() + interval '5 minutes' WHERE locked_until > now()"


@pytest.fixture
async def mailed(resources: Resources, superuser: asyncpg.Connection) -> MailedCodes:
    return MailedCodes(resources, superuser)


async def lock(visitor: Visitor) -> None:
    assert [(await visitor.try_login(WRONG)).status_code for _ in range(6)] == [400] * 5 + [429]


async def test_the_code_of_the_mail_lifts_the_lock_once(member: Visitor, mailed: MailedCodes) -> None:
    await lock(member)
    [code] = await mailed.codes(member.email, "pwu_")
    assert_no_token(await reset(member, code))
    answer = await unlock(member, code)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await member.try_login()).status_code == 200
    assert_no_token(await unlock(member, code))


async def test_a_lock_enqueues_the_same_for_every_address(member: Visitor, mailed: MailedCodes) -> None:
    nobody = Visitor(member.client, new_address())
    for each, mails in ((member, 1), (nobody, 0)):
        await lock(each)
        assert await mailed.enqueued(each.email) == [("locked_login", {"address", "request_id"})]
        assert (await mailed.subjects(each.email)).count(SUBJECT) == mails


async def test_no_other_mail_is_sent_while_a_code_waits(member: Visitor, mailed: MailedCodes, variant: Variant) -> None:
    """Somebody who guesses from many networks sends one mail; after its use the next lock sends another."""
    async with variant() as visitor:
        guessed = [Visitor(visitor.client, member.email, f"203.0.113.{number}") for number in range(3)]
        for each in guessed[:2]:
            await lock(each)
            await mailed.work(member.email)
        [code] = await mailed.codes(member.email, "pwu_")
        assert (await unlock(member, code)).status_code == 204
        await lock(guessed[2])
        assert len(await mailed.codes(member.email, "pwu_")) == 2


async def test_where_the_code_was_used_the_network_is_known(
    member: Visitor, mailed: MailedCodes, variant: Variant, superuser: asyncpg.Connection
) -> None:
    """So the owner does not wait for strangers who go on guessing."""
    async with variant() as visitor:
        owner = Visitor(visitor.client, member.email, "198.51.100.7")
        await lock(owner)
        assert (await unlock(owner, (await mailed.codes(member.email, "pwu_"))[0])).status_code == 204
        for number in range(21):
            await owner.at(f"203.0.113.{number}").try_login(WRONG)
        await superuser.execute(LONGER)
        assert (await owner.at("198.51.100.8").try_login()).status_code == 429
        assert (await owner.try_login()).status_code == 200


async def test_a_fifth_password_that_is_right_sends_no_mail(member: Visitor, mailed: MailedCodes) -> None:
    for _ in range(4):
        await member.try_login(WRONG)
    await member.log_in()
    assert await mailed.enqueued(member.email) == []


async def test_guesses_are_limited(variant: Variant) -> None:
    async with variant(attempts_per_minute=1) as visitor:
        here = visitor.at("203.0.113.1")
        for _ in range(10):
            assert_no_token(await unlock(here, "pwu_made_up"))
        assert_too_many(await unlock(here, "pwu_made_up"))
