"""A forgotten password is replaced with a token from the mail, and nothing reveals an account."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from partywall.core.resources import Resources
from partywall.features.accounts import retention
from partywall.features.accounts.account_tokens import ResetTokens
from partywall.features.accounts.constants import MAILS_PER_HOUR, MOST_RESETS
from partywall.testing.users import Users
from tests.features.accounts.account_jobs import AccountJobs, verify
from tests.features.accounts.conftest import Variant, Visitor, account_id, bearer, new_address
from tests.features.accounts.mailed_codes import NEW, WRONG, MailedCodes, assert_no_token, forgot, reset
from tests.features.accounts.test_limits import assert_too_many
from tests.features.accounts.test_registration import shape

PROJECTS = "/api/v1/projects"


@pytest.fixture
async def mailed(resources: Resources, superuser: asyncpg.Connection) -> MailedCodes:
    return MailedCodes(resources, superuser)


async def confirm(visitor: Visitor, resources: Resources, superuser: asyncpg.Connection) -> None:
    token = await AccountJobs(resources, superuser).token(visitor)
    assert (await verify(visitor.client, token)).status_code == 204


async def test_the_code_of_the_mail_sets_a_new_password_once(member: Visitor, mailed: MailedCodes) -> None:
    logins = [await member.log_in() for _ in range(2)]
    code = await mailed.reset_code(member)
    answer = await reset(member, code)
    assert (answer.status_code, answer.content) == (204, b"")
    assert [(await member.me(each.access)).status_code for each in logins] == [401, 401]
    assert [(await member.refresh(each.refresh)).status_code for each in logins] == [400, 400]
    assert [(await member.try_login(each)).status_code for each in ("correct horse battery", NEW)] == [400, 200]
    assert_no_token(await reset(member, code, "another new password"))
    assert (await mailed.subjects(member.email))[-2:] == ["Choose a new password", "Your password was changed"]


async def test_every_address_is_answered_alike_after_the_same_work(
    member: Visitor, mailed: MailedCodes, resources: Resources, superuser: asyncpg.Connection
) -> None:
    """Confirmed, unconfirmed, disabled and unknown addresses: each request only enqueues a job."""
    unconfirmed, disabled, nobody = (Visitor(member.client, new_address()) for _ in range(3))
    await confirm(member, resources, superuser)
    for each in (unconfirmed, disabled):
        await each.register()
    await superuser.execute("UPDATE account SET disabled_at = now() WHERE email = $1", disabled.email)
    answers, jobs, mails = [], [], []
    for each in (member, unconfirmed, disabled, nobody):
        answers.append(repr(shape(await forgot(each))))
        jobs.append(await mailed.enqueued(each.email))
        mails.append((await mailed.subjects(each.email)).count("Choose a new password"))
    assert set(answers) == {answers[-1]}
    assert jobs == [[("forgotten_password", {"address", "request_id"})]] * 4
    assert mails == [1, 1, 0, 0]


async def test_only_a_valid_code_of_this_purpose_is_accepted(
    member: Visitor, mailed: MailedCodes, resources: Resources, superuser: asyncpg.Connection
) -> None:
    code = await mailed.reset_code(member)
    made_up = ResetTokens(resources.secrets.signer("another purpose")).of(uuid4())
    for refused in (made_up, code[:-1], code + "A", code.replace("pwp_", "pwu_"), "", "ä"):
        assert_no_token(await reset(member, refused))
    own = await account_id(superuser, member.email)
    await superuser.execute("UPDATE account_token SET purpose = 'unlock' WHERE account_id = $1", own)
    assert_no_token(await reset(member, code))
    await superuser.execute(
        "UPDATE account_token SET purpose = 'reset_password', expires_at = now() WHERE account_id = $1", own
    )
    assert_no_token(await reset(member, code))
    await retention.prune_account_tokens(resources)
    assert await superuser.fetchval("SELECT count(*) FROM account_token WHERE account_id = $1", own) == 0
    assert (await member.try_login()).status_code == 200


async def test_a_disabled_account_gets_no_new_password(
    member: Visitor, mailed: MailedCodes, superuser: asyncpg.Connection
) -> None:
    code = await mailed.reset_code(member)
    await superuser.execute("UPDATE account SET disabled_at = now() WHERE email = $1", member.email)
    assert_no_token(await reset(member, code))


async def test_a_password_that_is_refused_does_not_use_up_the_code(member: Visitor, mailed: MailedCodes) -> None:
    code = await mailed.reset_code(member)
    for password, reason in (
        ("short", "too_short"),
        ("Qwertyuiop", "easily_guessed"),
        (member.email, "easily_guessed"),
        (member.email.partition("@")[0].upper(), "easily_guessed"),
    ):
        answer = await reset(member, code, password)
        [error] = answer.json()["errors"]
        assert (answer.status_code, error["pointer"], error["code"]) == (422, "/new_password", reason)
    assert (await reset(member, code)).status_code == 204


async def test_of_resets_at_once_with_one_code_one_succeeds(member: Visitor, mailed: MailedCodes) -> None:
    code = await mailed.reset_code(member)
    passwords = [f"password number {number}" for number in range(4)]
    answers = await asyncio.gather(*(reset(member, code, each) for each in passwords))
    assert sorted(answer.status_code for answer in answers) == [204, 400, 400, 400]
    valid = [(await member.try_login(each)).status_code for each in passwords]
    assert [status == 200 for status in valid] == [answer.status_code == 204 for answer in answers]


async def test_of_an_unconfirmed_account_nobody_else_keeps_access(
    member: Visitor, mailed: MailedCodes, resources: Resources, superuser: asyncpg.Connection
) -> None:
    """The reset confirms the address, as its mail was read; keys and registrations of strangers end."""
    headers = bearer((await member.log_in()).access)
    project = (await member.client.post(PROJECTS, json={"name": "Archive"}, headers=headers)).json()["id"]
    made = await member.client.post(
        f"{PROJECTS}/{project}/api-keys", json={"name": "A way back", "role": "editor"}, headers=headers
    )
    await member.register("the password of a stranger")
    other_token = await AccountJobs(resources, superuser).token(member)
    assert (await reset(member, await mailed.reset_code(member))).status_code == 204
    key = bearer(made.json()["secret"])
    assert (await member.client.get(f"{PROJECTS}/{project}/documents", headers=key)).status_code in {401, 404}
    assert (await verify(member.client, other_token)).status_code == 400
    token = (await member.try_login(NEW)).json()["access_token"]
    assert (await member.me(token)).json()["email_verified"] is True


async def test_keys_of_a_confirmed_account_stay(
    member: Visitor, mailed: MailedCodes, resources: Resources, superuser: asyncpg.Connection
) -> None:
    await confirm(member, resources, superuser)
    headers = bearer((await member.log_in()).access)
    project = (await member.client.post(PROJECTS, json={"name": "Archive"}, headers=headers)).json()["id"]
    made = await member.client.post(
        f"{PROJECTS}/{project}/api-keys", json={"name": "Import", "role": "editor"}, headers=headers
    )
    assert (await reset(member, await mailed.reset_code(member))).status_code == 204
    key = bearer(made.json()["secret"])
    assert (await member.client.get(f"{PROJECTS}/{project}/documents", headers=key)).status_code == 200


async def test_a_reset_lifts_locks_and_leaves_others_alone(member: Visitor, mailed: MailedCodes, users: Users) -> None:
    other = await users.person()
    for _ in range(6):
        await member.try_login(WRONG)
    assert (await reset(member, await mailed.reset_code(member))).status_code == 204
    assert (await member.try_login(NEW)).status_code == 200
    assert (await other.client.get("/api/v1/users/me")).status_code == 200


async def test_five_codes_wait_and_a_use_ends_the_others(
    member: Visitor, mailed: MailedCodes, variant: Variant
) -> None:
    """Strangers who ask more often leave the owner five mails that work."""
    async with variant() as visitor:
        for number in range(MOST_RESETS + 1):
            await mailed.reset_code(Visitor(visitor.client, member.email, f"203.0.113.{number}"))
    codes = await mailed.codes(member.email, "pwp_")
    assert len(set(codes)) == MOST_RESETS
    assert (await reset(member, codes[0])).status_code == 204
    assert_no_token(await reset(member, codes[-1]))


async def test_requests_are_limited_for_a_client_and_an_address(variant: Variant) -> None:
    async with variant(attempts_per_minute=MAILS_PER_HOUR + 2) as visitor:
        for nobody in (False, True):
            here = visitor.at(f"203.0.113.{int(nobody)}")
            if not nobody:
                await here.register()
            answers = [await forgot(here) for _ in range(MAILS_PER_HOUR + 1)]
            assert [answer.status_code for answer in answers] == [202] * MAILS_PER_HOUR + [429]
            assert answers[-1].json()["code"] == "too_many_mails"
            assert (await forgot(Visitor(here.client, new_address(), here.address))).status_code == 202
            assert_too_many(await forgot(Visitor(here.client, new_address(), here.address)))


async def test_guesses_and_resets_are_limited(variant: Variant, mailed: MailedCodes) -> None:
    async with variant(attempts_per_minute=2) as visitor:
        here = visitor.at("203.0.113.1")
        for _ in range(2):
            assert_no_token(await reset(here, "pwp_made_up"))
        assert_too_many(await reset(here, "pwp_made_up"))
        assert_no_token(await reset(here.at("203.0.113.2"), "pwp_made_up"))
