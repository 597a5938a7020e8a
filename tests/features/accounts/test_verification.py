"""E-mail verification: registration, mail, confirmed address."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from httpx2 import AsyncClient, Response
from sqlalchemy import text
from structlog.testing import capture_logs

from partywall.core.clock import utc_now
from partywall.core.jobs.context import JobContext
from partywall.core.resources import Resources
from partywall.core.security.opaque_tokens import token_hash
from partywall.features.accounts.constants import MAILS_PER_HOUR
from partywall.features.accounts.jobs import CONFIRM_ADDRESS, ConfirmAddress
from partywall.features.accounts.verification_mail import confirm_address
from partywall.features.accounts.verification_tokens import PURPOSE, VerificationTokens
from partywall.settings import MailLinks
from partywall.testing.users import Users
from tests.features.accounts.account_jobs import AccountJobs, assert_refused, verify
from tests.features.accounts.conftest import Variant, Visitor, account_id, new_address
from tests.mailbox import mails_to, text_of


@pytest.fixture
async def account_jobs(resources: Resources, superuser: asyncpg.Connection) -> AccountJobs:
    return AccountJobs(resources, superuser)


async def verified_at(superuser: asyncpg.Connection, address: str) -> datetime | None:
    found: datetime | None = await superuser.fetchval("SELECT email_verified_at FROM account WHERE email = $1", address)
    return found


async def test_the_token_of_the_mail_confirms_the_address_once(
    member: Visitor, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    token = await account_jobs.token(member)
    assert await verified_at(superuser, member.email) is None
    answer = await verify(member.client, token)
    assert (answer.status_code, answer.content) == (204, b"")
    me = (await member.me((await member.log_in()).access)).json()
    assert (me["email"], me["email_verified"]) == (member.email, True)
    assert_refused(await verify(member.client, token))


async def test_where_verification_is_required_the_mail_permits_login(
    variant: Variant, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    async with variant(verification="required") as visitor:
        await visitor.register()
        assert (await visitor.try_login()).status_code == 400
        assert (await verify(visitor.client, await account_jobs.token(visitor))).status_code == 204
        assert (await visitor.try_login()).status_code == 200


async def test_a_token_is_valid_for_its_registration_and_a_day(
    member: Visitor, account_jobs: AccountJobs, resources: Resources, superuser: asyncpg.Connection
) -> None:
    own = await account_id(superuser, member.email)
    [payload] = await account_jobs.payloads(own)
    good = await account_jobs.token(member)
    position = len(good) // 2
    for refused in (
        VerificationTokens(resources.secrets.signer("another purpose")).of(payload.registration_id),
        VerificationTokens(resources.secrets.signer(PURPOSE)).of(own),
        good[:position] + ("A" if good[position] != "A" else "B") + good[position + 1 :],
        good[:-4],
        good + "A",
        good.replace("pwv_", "pwr_"),
        "pwv_" + "ä" * (len(good) - 4),
        "",
    ):
        assert_refused(await verify(member.client, refused))
    lives = "UPDATE registration SET expires_at = now() + $2 WHERE account_id = $1"
    await superuser.execute(lives, own, timedelta(0))
    assert_refused(await verify(member.client, good))
    assert await verified_at(superuser, member.email) is None
    await superuser.execute(lives, own, timedelta(minutes=1))
    assert (await verify(member.client, good)).status_code == 204


async def test_a_disabled_account_confirms_nothing(
    member: Visitor, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    own, token = await account_id(superuser, member.email), await account_jobs.token(member)
    await member.register("another password")
    await superuser.execute("UPDATE account SET disabled_at = now() WHERE id = $1", own)
    assert_refused(await verify(member.client, token))
    await account_jobs.work(own)
    assert len(account_jobs.texts(member.email)) == 1


async def test_a_token_that_is_too_long_is_no_token(anonymous: AsyncClient) -> None:
    assert (await verify(anonymous, "x" * 201)).status_code == 422


async def test_registering_a_known_address_enqueues_the_same_job_without_the_token(
    member: Visitor, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    await member.register("another password")
    own = await account_id(superuser, member.email)
    first, second = await account_jobs.payloads(own)
    apart = {"registration_id", "request_id"}
    assert first.model_dump(exclude=apart) == second.model_dump(exclude=apart)
    assert set(first.model_dump()) == {"account_id", "registration_id", "registered", "request_id", "own"}
    rows = await superuser.fetch("SELECT token_hash, expires_at FROM registration WHERE account_id = $1", own)
    assert len(rows) == 2
    assert token_hash(str(first.registration_id)) not in [row["token_hash"] for row in rows]
    for row in rows:
        assert timedelta(hours=23, minutes=59) < row["expires_at"] - utc_now() <= timedelta(hours=24)


async def test_who_registers_again_is_told_by_mail_alone(
    member: Visitor, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    """Before the address is confirmed the mail contains a token, afterwards none."""
    first = await account_jobs.token(member)
    await member.register("another password")
    second = await account_jobs.token(member)
    assert (await verify(member.client, second)).status_code == 204
    assert_refused(await verify(member.client, first))
    await member.register("another password")
    await account_jobs.work(await account_id(superuser, member.email))
    *_, last = account_jobs.texts(member.email)
    assert "It already has an account" in last
    assert "pwv_" not in last
    assert (await member.try_login("another password")).status_code == 200


async def test_the_mail_goes_out_by_the_worker(working_accounts: None, member: Visitor, resources: Resources) -> None:
    async with asyncio.timeout(60):
        while not (mails := mails_to(resources.settings.mail_directory, member.email)):
            await asyncio.sleep(0.1)
    assert mails[0]["Subject"] == "Confirm your address"
    [token] = [line for line in text_of(mails[0]).splitlines() if line.startswith("pwv_")]
    assert (await verify(member.client, token)).status_code == 204


async def test_a_repeated_job_sends_the_same_mail(
    member: Visitor, account_jobs: AccountJobs, resources: Resources, superuser: asyncpg.Connection
) -> None:
    [payload] = await account_jobs.payloads(await account_id(superuser, member.email))
    for attempt in (1, 2):
        await confirm_address(JobContext(resources, uuid4(), 4711, attempt, last=False), payload)
    first, again = mails_to(resources.settings.mail_directory, member.email)
    assert (first["Message-ID"], text_of(first)) == (again["Message-ID"], text_of(again))


async def test_the_mail_links_to_the_products_page_or_names_the_route(
    member: Visitor, resources: Resources, superuser: asyncpg.Connection
) -> None:
    links = MailLinks(verification="https://app.example.com/confirm#token={token}")
    settings = resources.settings
    linking = settings.model_copy(update={"mail": settings.mail.model_copy(update={"links": links})})
    token = await AccountJobs(replace(resources, settings=linking), superuser).token(member)
    [mail] = mails_to(resources.settings.mail_directory, member.email)
    assert f"https://app.example.com/confirm#token={token}" in text_of(mail)
    html = mail.get_body(("html",))
    assert html is not None
    assert f'href="https://app.example.com/confirm#token={token}"' in html.get_content()


async def test_confirmation_mails_to_an_address_are_limited(
    member: Visitor, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    own = await account_id(superuser, member.email)
    for _ in range(MAILS_PER_HOUR + 2):
        assert (await member.register()).status_code == 202
    with capture_logs() as logs:
        await account_jobs.work(own)
    assert len(account_jobs.texts(member.email)) == MAILS_PER_HOUR
    assert [line["event"] for line in logs].count("confirmation_withheld") == 3
    assert all(member.email not in str(line) for line in logs)


async def invite(users: Users, address: str, expires: timedelta) -> None:
    owner = await users.person()
    project = await owner.project()
    await users.execute(
        "INSERT INTO invitation (project_id, email, role, token_hash, invited_by, expires_at)"
        " VALUES ($1, $2, 'viewer', $3, $4, $5)",
        project, address, uuid4().bytes, str(owner.principal), utc_now() + expires,
    )  # fmt: skip


def shape(answer: Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    headers = [(name, value) for name, value in answer.headers.items() if name != "x-request-id"]
    return answer.status_code, answer.content, headers


async def test_by_invitation_only_invited_addresses_can_register(
    variant: Variant, users: Users, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    async with variant(registration="invite", verification="required") as visitor:
        await invite(users, visitor.email, timedelta(hours=1))
        late, uninvited = (Visitor(visitor.client, new_address()) for _ in range(2))
        await invite(users, late.email, timedelta(hours=-1))
        jobs = await confirmations(account_jobs.resources)
        answers = [await each.register() for each in (visitor, late, uninvited)]
        assert answers[0].status_code == 202
        assert shape(answers[0]) == shape(answers[1]) == shape(answers[2])
        assert await confirmations(account_jobs.resources) == jobs + 3
        for outside in (late, uninvited):
            assert await superuser.fetchval("SELECT count(*) FROM account WHERE email = $1", outside.email) == 0
        assert (await verify(visitor.client, await account_jobs.token(visitor))).status_code == 204
        assert (await visitor.try_login()).status_code == 200


async def confirmations(resources: Resources) -> int:
    async with resources.sessions.read() as session:
        query = text("SELECT count(*) FROM job WHERE kind = :kind")
        return int(await session.scalar(query, {"kind": CONFIRM_ADDRESS.name}) or 0)


async def test_by_invitation_a_known_address_is_left_as_it_is(
    variant: Variant, member: Visitor, superuser: asyncpg.Connection
) -> None:
    query = "SELECT * FROM account WHERE email = $1"
    before = await superuser.fetchrow(query, member.email)
    async with variant(registration="invite") as visitor:
        answer = await Visitor(visitor.client, member.email).register("another password")
    assert answer.status_code == 202
    assert await superuser.fetchrow(query, member.email) == before


async def test_a_job_for_nobody_ends(resources: Resources) -> None:
    payload = ConfirmAddress(account_id=uuid4(), registration_id=uuid4(), registered=True)
    with capture_logs() as logs:
        await confirm_address(JobContext(resources, uuid4(), 1, 1, last=False), payload)
    assert [line["event"] for line in logs] == ["confirmation_not_needed"]


@pytest.mark.usefixtures("full_cost")
async def test_being_invited_or_not_takes_the_same_time(variant: Variant, users: Users) -> None:
    async with variant(registration="invite") as visitor:

        async def spent(address: str) -> float:
            started = time.process_time()
            await Visitor(visitor.client, address).register()
            return time.process_time() - started

        invited = [new_address() for _ in range(4)]
        for address in invited:
            await invite(users, address, timedelta(hours=1))
        inside = min([await spent(address) for address in invited])
        outside = min([await spent(new_address()) for _ in range(4)])
    assert 0.5 < inside / outside < 2


async def test_a_token_fits_on_a_line_of_any_mail(resources: Resources) -> None:
    token = VerificationTokens(resources.secrets.signer(PURPOSE)).of(uuid4())
    assert len(token) < 76
    assert token.replace("_", "").replace("-", "").isalnum()
