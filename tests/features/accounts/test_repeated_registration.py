"""Registering somebody else's address before its owner does gives no access."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from structlog.testing import capture_logs

from partywall.core.clock import utc_now
from partywall.core.db.session import bind_principal
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal
from partywall.features.accounts.constants import MAILS_PER_HOUR
from partywall.features.accounts.feature import feature
from partywall.features.accounts.login import LoginService
from partywall.features.accounts.registration_repository import waiting_registration
from partywall.features.accounts.repository import Credential
from partywall.features.accounts.retention import prune_registrations
from partywall.testing.users import Users
from tests.features.accounts.account_jobs import AccountJobs, assert_refused, verify
from tests.features.accounts.conftest import PASSWORD, REGISTER, Variant, Visitor, account_id, bearer

OWN = "the owner's own password"
PROJECTS = "/api/v1/projects"


@pytest.fixture
async def account_jobs(resources: Resources, superuser: asyncpg.Connection) -> AccountJobs:
    return AccountJobs(resources, superuser)


async def register(visitor: Visitor, password: str, full_name: str | None) -> None:
    body = {"email": visitor.email, "password": password, "full_name": full_name}
    assert (await visitor.client.post(REGISTER, json=body)).status_code == 202


async def waiting(superuser: asyncpg.Connection, email: str) -> int:
    query = "SELECT count(*) FROM registration JOIN account ON account.id = account_id WHERE email = $1"
    return int(await superuser.fetchval(query, email))


@pytest.mark.parametrize("verification", ["optional", "required"])
async def test_confirming_a_registration_sets_its_password(
    variant: Variant, account_jobs: AccountJobs, superuser: asyncpg.Connection, verification: str
) -> None:
    async with variant(verification=verification) as visitor:
        await register(visitor, PASSWORD, "Mallory")
        await account_jobs.work(await account_id(superuser, visitor.email))
        await register(visitor, OWN, "Ada")
        assert (await verify(visitor.client, await account_jobs.token(visitor))).status_code == 204
        assert (await visitor.try_login(PASSWORD)).status_code == 400
        login = (await visitor.try_login(OWN)).json()
        me = (await visitor.me(login["access_token"])).json()
        assert (me["full_name"], me["email_verified"]) == ("Ada", True)
        assert await waiting(superuser, visitor.email) == 0


async def test_confirming_ends_all_access_of_the_earlier_registrant(
    member: Visitor, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    before = await member.log_in()
    headers = bearer(before.access)
    project = (await member.client.post(PROJECTS, json={"name": "Archive"}, headers=headers)).json()["id"]
    wanted = {"name": "A way back", "role": "editor"}
    made = await member.client.post(f"{PROJECTS}/{project}/api-keys", json=wanted, headers=headers)
    key = bearer(made.json()["secret"])
    own = await account_id(superuser, member.email)
    await superuser.execute(
        "INSERT INTO invitation (project_id, email, role, token_hash, invited_by, expires_at)"
        " VALUES ($1, 'eve@example.com', 'owner', $2, $3, now() + interval '1 hour')",
        UUID(project), uuid4().bytes, f"user:{own}",
    )  # fmt: skip
    assert (await member.client.get(f"{PROJECTS}/{project}/documents", headers=key)).status_code == 200

    await member.register(OWN)
    assert (await verify(member.client, await account_jobs.token(member))).status_code == 204
    assert (await member.me(before.access)).status_code == 401
    assert (await member.refresh(before.refresh)).status_code == 400
    refused = await member.client.get(f"{PROJECTS}/{project}/documents", headers=key)
    assert refused.status_code in {401, 404}
    query = "SELECT count(*) FROM invitation WHERE project_id = $1"
    assert await superuser.fetchval(query, UUID(project)) == 0
    owner = bearer((await member.try_login(OWN)).json()["access_token"])
    assert (await member.client.get(f"{PROJECTS}/{project}", headers=owner)).json()["name"] == "Archive"


async def test_other_users_keep_their_access(
    member: Visitor, account_jobs: AccountJobs, users: Users, superuser: asyncpg.Connection
) -> None:
    """Other members' projects and API keys keep working."""
    other = await users.person()
    project = await other.project()
    body = {"name": "Import", "role": "editor"}
    made = await other.client.post(f"{PROJECTS}/{project}/api-keys", json=body)
    await superuser.execute(
        "INSERT INTO project_member (project_id, account_id, role) VALUES ($1, $2, 'viewer')",
        project, await account_id(superuser, member.email),
    )  # fmt: skip
    await member.register(OWN)
    assert (await verify(member.client, await account_jobs.token(member))).status_code == 204
    answer = await member.client.get(f"{PROJECTS}/{project}/documents", headers=bearer(made.json()["secret"]))
    assert answer.status_code == 200
    assert (await other.client.get("/api/v1/users/me")).status_code == 200


async def test_who_confirms_the_first_registration_stays_logged_in_under_the_same_name(
    member: Visitor, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    token = await account_jobs.token(member)
    login = await member.log_in()
    await member.client.patch("/api/v1/users/me", json={"full_name": "Ada"}, headers=bearer(login.access))
    await register(member, OWN, "Mallory")
    later = await account_jobs.token(member)
    assert (await verify(member.client, token)).status_code == 204
    me = (await member.me(login.access)).json()
    assert (me["full_name"], me["email_verified"]) == ("Ada", True)
    assert (await member.refresh(login.refresh)).status_code == 200
    assert_refused(await verify(member.client, later))
    assert (await member.try_login(OWN)).status_code == 400
    assert (await member.try_login(PASSWORD)).status_code == 200


async def test_the_mail_says_when_the_password_was_chosen(
    member: Visitor, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    own = await account_id(superuser, member.email)
    await superuser.execute("UPDATE account SET created_at = '2024-02-29 08:15Z' WHERE id = $1", own)
    await account_jobs.token(member)
    await register(member, OWN, "Mallory")
    await account_jobs.token(member)
    first, second = account_jobs.texts(member.email)
    assert "29 February 2024, 08:15 UTC" in first
    assert "2024" not in second
    assert f"{utc_now():%d %B %Y}" in second
    assert "Mallory" not in second


async def test_an_address_has_so_many_registrations_within_an_hour(
    member: Visitor, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    own = await account_id(superuser, member.email)
    await asyncio.gather(*(member.register(f"{OWN} {number}") for number in range(MAILS_PER_HOUR + 1)))
    assert await waiting(superuser, member.email) == MAILS_PER_HOUR
    await superuser.execute("UPDATE registration SET created_at = now() - interval '1 hour' WHERE account_id = $1", own)
    await member.register(OWN)
    assert await waiting(superuser, member.email) == MAILS_PER_HOUR + 1


async def test_no_network_uses_up_the_registrations_of_the_others(
    variant: Variant, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    async with variant() as visitor:
        for number in range(MAILS_PER_HOUR + 1):
            await visitor.at("198.51.100.1").register(f"{PASSWORD} {number}")
        await visitor.at("203.0.113.1").register(OWN)
        assert await waiting(superuser, visitor.email) == MAILS_PER_HOUR + 1
        assert (await verify(visitor.client, await account_jobs.token(visitor))).status_code == 204
        assert (await visitor.try_login(OWN)).status_code == 200
        assert len(account_jobs.texts(visitor.email)) == MAILS_PER_HOUR + 1


async def test_newer_registrations_of_others_do_not_displace_ones_own(
    variant: Variant, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    async with variant() as visitor:
        owner = visitor.at("203.0.113.1")
        await owner.register(OWN)
        token = await account_jobs.token(owner)
        for number in range(MAILS_PER_HOUR):
            await visitor.at("198.51.100.1").register(f"{PASSWORD} {number}")
        await account_jobs.work(await account_id(superuser, owner.email))
        await owner.resend()
        await account_jobs.resend(owner.email)
        await account_jobs.work(await account_id(superuser, owner.email))
        assert account_jobs.tokens(owner.email).count(token) == 2


async def test_many_networks_do_not_fill_a_mailbox(variant: Variant, superuser: asyncpg.Connection) -> None:
    async with variant() as visitor:
        for number in range(2 * MAILS_PER_HOUR + 1):
            await visitor.at(f"198.51.100.{number}").register()
        assert await waiting(superuser, visitor.email) == 2 * MAILS_PER_HOUR


async def test_expired_registrations_are_deleted(
    member: Visitor, resources: Resources, superuser: asyncpg.Connection
) -> None:
    own = await account_id(superuser, member.email)
    await member.register(OWN)
    assert await waiting(superuser, member.email) == 2
    oldest = "SELECT id FROM registration WHERE account_id = $1 ORDER BY id LIMIT 1"
    await superuser.execute(f"UPDATE registration SET expires_at = now() WHERE id = ({oldest})", own)  # noqa: S608 - a constant
    assert "prune_registrations" in [each.name for each in feature.schedules]
    with capture_logs() as logs:
        await prune_registrations(resources)
    assert [line["event"] for line in logs] == ["registrations_pruned"]
    assert await waiting(superuser, member.email) == 1


async def test_registrations_of_a_confirmed_address_are_deleted(
    member: Visitor, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    assert (await verify(member.client, await account_jobs.token(member))).status_code == 204
    await member.register(OWN)
    assert await waiting(superuser, member.email) == 0
    assert (await member.try_login(OWN)).status_code == 400


async def test_a_login_during_the_confirmation_fails(
    member: Visitor, account_jobs: AccountJobs, superuser: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password was right when it was checked, but the account's password changed during hashing."""
    await member.register(OWN)
    token = await account_jobs.token(member)
    holds = LoginService._holds

    async def later(service: LoginService, address: str, credential: Credential) -> bool:
        if (await verify(member.client, token)).status_code != 204:
            raise AssertionError
        return await holds(service, address, credential)

    monkeypatch.setattr(LoginService, "_holds", later)
    assert (await member.try_login(PASSWORD)).status_code == 400
    query = "SELECT count(*) FROM session WHERE account_id = $1 AND revoked_at IS NULL"
    assert await superuser.fetchval(query, await account_id(superuser, member.email)) == 0


async def test_confirming_waits_for_a_login_in_progress_and_ends_it(
    member: Visitor, account_jobs: AccountJobs, superuser: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await member.register(OWN)
    token = await account_jobs.token(member)
    holding, go_on = asyncio.Event(), asyncio.Event()
    holds = LoginService._holds

    async def slowly(service: LoginService, address: str, credential: Credential) -> bool:
        held = await holds(service, address, credential)
        holding.set()
        await go_on.wait()
        return held

    monkeypatch.setattr(LoginService, "_holds", slowly)
    async with asyncio.TaskGroup() as group, asyncio.timeout(60):
        logging_in = group.create_task(member.try_login(PASSWORD))
        await holding.wait()
        confirming = group.create_task(verify(member.client, token))
        await asyncio.sleep(0.3)
        assert not confirming.done()
        go_on.set()
    assert (logging_in.result().status_code, confirming.result().status_code) == (200, 204)
    assert (await member.me(logging_in.result().json()["access_token"])).status_code == 401


async def test_of_two_tokens_at_once_one_confirms(
    member: Visitor, account_jobs: AccountJobs, superuser: asyncpg.Connection
) -> None:
    first = await account_jobs.token(member)
    await member.register(OWN)
    second = await account_jobs.token(member)
    answers = await asyncio.gather(verify(member.client, first), verify(member.client, second))
    assert sorted(answer.status_code for answer in answers) == [204, 400]


async def test_the_runtime_role_reaches_registrations_through_functions_alone(
    member: Visitor, resources: Resources, superuser: asyncpg.Connection
) -> None:
    for statement in (
        "SELECT count(*) FROM registration",
        "DELETE FROM registration",
        "UPDATE registration SET expires_at = now()",
        "INSERT INTO registration (id, account_id, token_hash, expires_at) SELECT id, id, '', now() FROM account",
        "SELECT wall.registrations_of_last_hour(uuidv7())",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with resources.sessions.begin() as session:
                await session.execute(text(statement))


async def test_a_registration_is_seen_by_its_own_account_alone(
    member: Visitor, account_jobs: AccountJobs, resources: Resources, users: Users, superuser: asyncpg.Connection
) -> None:
    own = await account_id(superuser, member.email)
    [payload] = await account_jobs.payloads(own)
    outsider = await users.person()
    for principal, seen in ((None, False), (outsider.principal, False), (Principal.user(own), True)):
        async with resources.sessions.read() as session:
            if principal is not None:
                await bind_principal(session, principal)
            assert (await waiting_registration(session, payload.registration_id) is not None) is seen
