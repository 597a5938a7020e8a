"""Projects with webhooks, and workers that deliver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from partywall.core.db.scopes import open_shared_scope
from partywall.core.events.log import EventDraft, publish
from partywall.core.jobs.runner import JobRunner
from partywall.core.outgoing.guarded_transport import Outgoing
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal
from partywall.features.webhooks.feature import feature
from partywall.settings import JobSettings
from partywall.settings.outgoing import WebhookSettings
from partywall.testing.users import Person, Users

# Shorter delays than the settings permit, to keep tests fast.
AT_ONCE = WebhookSettings(timeout=timedelta(seconds=30)).model_copy(
    update={"first_retry": timedelta(milliseconds=1), "poll_interval": timedelta(milliseconds=20)}
)
OFTEN = JobSettings(poll_interval=timedelta(milliseconds=100))


@dataclass(frozen=True, slots=True)
class Hook:
    id: UUID
    secret: str
    url: str


@dataclass(frozen=True, slots=True)
class WebhookWorkspace:
    """A project whose events are delivered to webhooks."""

    users: Users
    resources: Resources
    owner: Person
    project: UUID

    @property
    def url(self) -> str:
        return f"/api/v1/projects/{self.project}/webhooks"

    async def hook(self, url: str, **more: object) -> Hook:
        answer = await self.owner.client.post(self.url, json={"url": url, "types": ["document.*"], **more})
        assert answer.status_code == 201, answer.text
        made = answer.json()
        return Hook(UUID(made["id"]), made["secret"], f"{self.url}/{made['id']}")

    async def happen(self, *types: str) -> None:
        """Writes events, each in its own transaction."""
        for type_ in types:
            async with self.resources.sessions.begin() as session:
                scope = await open_shared_scope(session, Principal.service(self.project), self.project)
                event_drafts = EventDraft(type_, "document", str(self.project), {"title": "Größe \u2028 5"})
                publish(session, scope, event_drafts)

    async def shown(self, hook: Hook) -> dict[str, object]:
        found: dict[str, object] = (await self.owner.client.get(hook.url)).json()
        return found

    async def deliveries(self, hook: Hook) -> list[dict[str, object]]:
        answer = await self.owner.client.get(f"{hook.url}/deliveries", params={"sort": "created_at"})
        items: list[dict[str, object]] = answer.json()["items"]
        return items

    async def statuses(self, hook: Hook) -> list[object]:
        return [each["status"] for each in await self.deliveries(hook)]

    async def all_are(self, hook: Hook, wanted: str) -> bool:
        found = await self.statuses(hook)
        return bool(found) and set(found) == {wanted}


@asynccontextmanager
async def dispatching(
    resources: Resources, *, outgoing: Outgoing | None = None, **changed: object
) -> AsyncIterator[None]:
    """A worker with changed settings; on exit it finishes its work in progress."""
    stop = asyncio.Event()
    webhooks = AT_ONCE.model_copy(update=changed)
    settings = resources.settings.model_copy(update={"webhooks": webhooks, "jobs": OFTEN})
    changed_resources = replace(resources, settings=settings, outgoing=outgoing or resources.outgoing)
    async with asyncio.TaskGroup() as group:
        group.create_task(JobRunner(changed_resources, feature.jobs).run(stop))
        try:
            yield
        finally:
            stop.set()


async def numbered(*workspaces: WebhookWorkspace) -> None:
    """Numbers the pending events and enqueues the requested jobs, instead of a process of the service."""
    for workspace in workspaces:
        await workspace.users.fetch("SELECT wall.catch_up_events($1, 1000)", workspace.project)
    while (await workspaces[0].users.fetch("SELECT wall.pass_requests_on() AS is_left"))[0]["is_left"]:
        await asyncio.sleep(0.01)


async def lose(workspace: WebhookWorkspace, hook: Hook) -> None:
    """Expires the heartbeat of the webhook's job."""
    sql = "UPDATE job SET heartbeat_at = now() - interval '1 hour' WHERE state = 'running' AND dedupe_key = $1"
    assert await workspace.users.execute(sql, f"deliver_webhook:{hook.id}") == "UPDATE 1"


async def hasten(workspace: WebhookWorkspace, hook: Hook) -> None:
    """Makes the webhook's delayed job due now."""
    sql = "UPDATE job SET due_at = now() WHERE state = 'delayed' AND dedupe_key = $1"
    await workspace.users.execute(sql, f"deliver_webhook:{hook.id}")
