"""An address registered by somebody else before its owner: their webhooks stop when the owner confirms it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import asyncpg
import pytest
from fastapi import FastAPI

from partywall.core.db.scopes import open_scope
from partywall.core.outgoing.destinations import Destinations
from partywall.core.outgoing.guarded_transport import Outgoing
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal
from partywall.features.projects.members import lock_membership
from partywall.features.webhooks.repository import WebhookWriter
from partywall.testing.conditions import until
from partywall.testing.users import Users
from tests.features.accounts.account_jobs import AccountJobs, verify
from tests.features.accounts.conftest import Visitor, account_id, bearer, member, superuser, visitor
from tests.features.webhooks.conftest import OpenWorkspace
from tests.features.webhooks.receiver import Receiver
from tests.features.webhooks.webhook_workspace import dispatching

__all__ = ["member", "superuser", "visitor"]

OWN = "the owner's own password"
PROJECTS = "/api/v1/projects"


class Squatter:
    """An account registered with somebody else's address, with a project."""

    def __init__(self, member: Visitor, account_jobs: AccountJobs, headers: dict[str, str], project: UUID) -> None:
        self.member = member
        self.account_jobs = account_jobs
        self.headers = headers
        self.project = project
        self.url = f"{PROJECTS}/{project}/webhooks"

    async def hook(self, url: str) -> str:
        wanted = {"url": url, "types": ["document.*"]}
        made = await self.member.client.post(self.url, json=wanted, headers=self.headers)
        assert made.status_code == 201, made.text
        return f"{self.url}/{made.json()['id']}"

    async def token(self) -> str:
        """Registers the owner; returns the confirmation token from their mail."""
        await self.member.register(OWN)
        return await self.account_jobs.token(self.member)

    async def owner(self) -> dict[str, str]:
        return bearer((await self.member.try_login(OWN)).json()["access_token"])


@pytest.fixture
async def squatter(member: Visitor, resources: Resources, superuser: asyncpg.Connection) -> Squatter:
    headers = bearer((await member.log_in()).access)
    made = await member.client.post(PROJECTS, json={"name": "A trap"}, headers=headers)
    return Squatter(member, AccountJobs(resources, superuser), headers, UUID(made.json()["id"]))


async def test_what_the_account_had_made_is_disabled_until_its_owner_decides(
    squatter: Squatter, receiver: Receiver, resources: Resources
) -> None:
    hook, client = await squatter.hook(receiver.url), squatter.member.client
    assert (await verify(client, await squatter.token())).status_code == 204
    owner = await squatter.owner()
    shown = (await client.get(hook, headers=owner)).json()
    assert (shown["enabled"], shown["disabled_reason"]) == (False, "reclaimed")
    document = {"title": "Secret", "content": "Of the owner alone."}
    made = await client.post(f"{PROJECTS}/{squatter.project}/documents", json=document, headers=owner)
    assert made.status_code == 201
    async with dispatching(resources):
        await asyncio.sleep(0.2)
        assert receiver.arrived == []
        again = await client.patch(hook, json={"enabled": True}, headers=owner)
        assert (again.json()["enabled"], again.json()["disabled_reason"]) == (True, None)
        await until(lambda: bool(receiver.arrived))
    await client.delete(hook, headers=owner)


async def test_who_confirms_the_first_registration_keeps_webhooks(squatter: Squatter, receiver: Receiver) -> None:
    """The webhooks were created by the owner."""
    hook, client = await squatter.hook(receiver.url), squatter.member.client
    assert (await verify(client, await squatter.account_jobs.token(squatter.member))).status_code == 204
    assert (await client.get(hook, headers=squatter.headers)).json()["enabled"] is True
    await client.delete(hook, headers=squatter.headers)


async def test_a_webhook_of_somebody_else_goes_on(
    squatter: Squatter, open_workspace: OpenWorkspace, receiver: Receiver, superuser: asyncpg.Connection
) -> None:
    workspace = await open_workspace()
    hook = await workspace.hook(receiver.url)
    await superuser.execute(
        "INSERT INTO project_member (project_id, account_id, role) VALUES ($1, $2, 'viewer')",
        workspace.project, await account_id(superuser, squatter.member.email),
    )  # fmt: skip
    assert (await verify(squatter.member.client, await squatter.token())).status_code == 204
    assert (await workspace.shown(hook))["enabled"] is True


async def test_a_request_admitted_before_the_takeover_creates_no_webhook(
    squatter: Squatter, app: FastAPI, resources: Resources, superuser: asyncpg.Connection
) -> None:
    """The squatter's name server can delay the request as long as it likes."""
    asked, answer, client = asyncio.Event(), asyncio.Event(), squatter.member.client

    async def slowly(_: str, __: int) -> list[str]:
        asked.set()
        await answer.wait()
        return ["8.8.8.8"]

    outgoing = Outgoing.open(Destinations(), slowly)
    app.state.resources = replace(resources, outgoing=outgoing)
    try:
        async with asyncio.TaskGroup() as group:
            wanted = {"url": "https://trap.example/"}
            making = group.create_task(client.post(squatter.url, json=wanted, headers=squatter.headers))
            await asked.wait()
            assert (await verify(client, await squatter.token())).status_code == 204
            answer.set()
    finally:
        app.state.resources = resources
        await outgoing.client.aclose()
    assert making.result().status_code == 401
    assert await superuser.fetchval("SELECT count(*) FROM webhook WHERE project_id = $1", squatter.project) == 0


async def test_confirming_waits_for_a_webhook_being_created_and_disables_it(
    squatter: Squatter, resources: Resources, superuser: asyncpg.Connection
) -> None:
    principal = Principal.user(await account_id(superuser, squatter.member.email))
    token = await squatter.token()
    async with asyncio.TaskGroup() as group, resources.sessions.begin() as session:
        scope = await lock_membership(session, await open_scope(session, principal, squatter.project))
        made = (await WebhookWriter(session, scope).add("https://trap.example/", None, None, b"sealed")).id
        confirming = group.create_task(verify(squatter.member.client, token))
        await asyncio.sleep(0.2)
        assert not confirming.done()
    assert confirming.result().status_code == 204
    query = "SELECT disabled_reason FROM webhook_progress WHERE webhook_id = $1"
    assert await superuser.fetchval(query, made) == "reclaimed"


async def test_a_revoked_session_makes_nothing_that_outlives_it(
    squatter: Squatter, users: Users, receiver: Receiver
) -> None:
    """Another process revoked it: reads still accept the cached token for seconds, but these writes do not."""
    hook, client, headers = await squatter.hook(receiver.url), squatter.member.client, squatter.headers
    own = await account_id(squatter.account_jobs.superuser, squatter.member.email)
    project = f"{PROJECTS}/{squatter.project}"
    assert (await client.get(hook, headers=headers)).status_code == 200
    await users.execute("UPDATE account SET email_verified_at = now() WHERE id = $1", own)
    await users.execute("UPDATE session SET revoked_at = now() WHERE account_id = $1", own)
    assert (await client.get(hook, headers=headers)).status_code == 200
    for answer in (
        await client.post(squatter.url, json={"url": receiver.url}, headers=headers),
        await client.patch(hook, json={"enabled": False}, headers=headers),
        await client.post(f"{hook}/rotate-secret", headers=headers),
        await client.delete(hook, headers=headers),
        await client.post(f"{project}/api-keys", json={"name": "Back", "role": "admin"}, headers=headers),
        await client.post(f"{project}/invitations", json={"email": "e@example.com", "role": "admin"}, headers=headers),
    ):
        assert answer.status_code == 401, answer.text
    await users.execute("DELETE FROM webhook WHERE project_id = $1", squatter.project)
