"""Every writer for a webhook locks the project first, so there are no deadlocks."""

from __future__ import annotations

import asyncio
from functools import partial

from structlog.testing import capture_logs

from partywall.testing.conditions import until
from partywall.testing.users import Users
from tests.features.projects.test_project_locks import posting, repeatedly, url, writes_while_ending
from tests.features.webhooks.conftest import OpenWorkspace
from tests.features.webhooks.receiver import Receiver
from tests.features.webhooks.webhook_workspace import WebhookWorkspace, dispatching

HOOK: dict[str, str] = {"url": "http://127.0.0.1:1024/"}


async def test_an_admin_removed_in_the_middle_of_making_them_is_refused_properly(
    users: Users, workspace: WebhookWorkspace
) -> None:
    admin = await users.person()
    await users.join(workspace.project, admin, "admin")
    statuses = await writes_while_ending(
        posting(admin, workspace.url, HOOK),
        workspace.owner.client.delete(url(workspace.project, f"/members/{admin.id}")),
    )
    assert set(statuses) <= {201, 404, 409}, statuses
    assert statuses[404] > 0


async def test_an_admin_removed_in_the_middle_of_changing_one_is_refused_properly(
    users: Users, workspace: WebhookWorkspace
) -> None:
    admin, hook = await users.person(), await workspace.hook(HOOK["url"])
    await users.join(workspace.project, admin, "admin")
    statuses = await writes_while_ending(
        partial(admin.client.patch, hook.url, json={"description": "Changed."}),
        workspace.owner.client.delete(url(workspace.project, f"/members/{admin.id}")),
    )
    assert set(statuses) <= {200, 404}, statuses
    assert statuses[404] > 0


async def test_a_project_is_deleted_while_its_webhooks_are_served(
    open_workspace: OpenWorkspace, receiver: Receiver
) -> None:
    """Also while they are changed: every answer is in the contract, and no delivery job fails."""
    with capture_logs() as logs:
        for _ in range(2):
            await _delete_in_the_middle(await open_workspace(), receiver)
    assert receiver.arrived
    assert not {"job_failed", "job_dead_letter"} & {entry["event"] for entry in logs}


async def _delete_in_the_middle(workspace: WebhookWorkspace, receiver: Receiver) -> None:
    hook, stop = await workspace.hook(receiver.url), asyncio.Event()
    change = partial(workspace.owner.client.patch, hook.url, json={"description": "Changed."})
    async with dispatching(workspace.resources), asyncio.TaskGroup() as group:
        writers = [group.create_task(repeatedly(change, stop)) for _ in range(2)]
        writers.append(
            group.create_task(repeatedly(posting(workspace.owner, url(workspace.project, "/documents")), stop))
        )
        heard = len(receiver.arrived)
        await until(lambda: len(receiver.arrived) > heard)
        deleted = await workspace.owner.client.delete(url(workspace.project))
        stop.set()
    assert deleted.status_code == 204, deleted.text
    assert all(set(each.result()) <= {200, 201, 404} for each in writers)
