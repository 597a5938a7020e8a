"""Redelivery on request, and the retention of deliveries."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from partywall.core.resources import Resources
from partywall.features.webhooks.retention import prune_deliveries
from partywall.testing.conditions import until
from tests.features.webhooks.receiver import Arrived, Receiver, status
from tests.features.webhooks.webhook_workspace import Hook, WebhookWorkspace, dispatching, hasten


async def again(workspace: WebhookWorkspace, hook: Hook) -> None:
    [delivery] = await workspace.deliveries(hook)
    answer = await workspace.owner.client.post(f"{hook.url}/deliveries/{delivery['id']}/redeliver")
    assert answer.status_code == 202, answer.text


async def finished(workspace: WebhookWorkspace, hook: Hook) -> bool:
    found = await workspace.statuses(hook)
    return found != [] and "pending" not in found


async def test_what_has_succeeded_goes_out_again_under_the_same_id(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created")
    async with dispatching(resources):
        await until(lambda: finished(workspace, hook))
        await again(workspace, hook)
        await until(lambda: len(receiver.arrived) == 2)
        await until(lambda: finished(workspace, hook))
    first, second = receiver.arrived
    assert (first.id, first.body) == (second.id, second.body)
    second.verify(hook.secret)
    [delivery] = await workspace.deliveries(hook)
    assert (delivery["status"], delivery["attempts"]) == ("succeeded", 2)


async def test_what_had_failed_for_good_is_retried_like_a_new_one(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    receiver.codes = [500, 500, 500, 204]
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created")
    async with dispatching(resources, attempts=2):
        await until(lambda: finished(workspace, hook))
        assert await workspace.statuses(hook) == ["failed"]
        await again(workspace, hook)
        await until(lambda: len(receiver.arrived) == 4)
        await until(lambda: finished(workspace, hook))
    assert await workspace.statuses(hook) == ["succeeded"]
    assert len({each.id for each in receiver.arrived}) == 1


async def attempted(workspace: WebhookWorkspace, hook: Hook, times: int) -> bool:
    return any(int(str(each["attempts"])) >= times for each in await workspace.deliveries(hook))


@pytest.mark.parametrize("code", [204, 500])
async def test_a_redelivery_requested_during_an_attempt_is_sent(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources, code: int
) -> None:
    """At once, and with all the retries of a new delivery."""

    async def ask(arrived: Arrived) -> bytes:
        if len(receiver.arrived) == 1:
            await again(workspace, hook)
            return status(code)
        return status(500 if len(receiver.arrived) == 2 else 204)

    async def third_arrived() -> bool:
        await hasten(workspace, hook)  # the job may still wait for the pause that the test has ended
        return len(receiver.arrived) == 3

    receiver.answer = ask
    hook = await workspace.hook(receiver.url)
    await workspace.users.execute("UPDATE webhook_progress SET failures = 50 WHERE webhook_id = $1", hook.id)
    await workspace.happen("document.created")
    async with dispatching(resources, attempts=2):
        await until(lambda: attempted(workspace, hook, 2))
        await workspace.users.execute("UPDATE webhook_progress SET paused_until = NULL WHERE webhook_id = $1", hook.id)
        await until(third_arrived)
        await until(lambda: finished(workspace, hook))
    [delivery] = await workspace.deliveries(hook)
    assert (delivery["status"], delivery["attempts"]) == ("succeeded", 3)


async def test_a_pause_ends_with_the_request(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created")
    async with dispatching(resources):
        await until(lambda: finished(workspace, hook))
        await workspace.users.execute(
            "UPDATE webhook_progress SET failures = 50, paused_until = now() + interval '1 h' WHERE webhook_id = $1",
            hook.id,
        )
        await again(workspace, hook)
        await until(lambda: len(receiver.arrived) == 2)


async def test_deliveries_are_kept_for_as_long_as_the_settings_say(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created", "document.updated")
    async with dispatching(resources):
        await until(lambda: len(receiver.arrived) == 2)
        await until(lambda: finished(workspace, hook))
    await workspace.users.execute(
        "UPDATE webhook_delivery SET created_at = now() - interval '8 days'"
        " WHERE webhook_id = $1 AND event_type = 'document.created'", hook.id,
    )  # fmt: skip
    await prune_deliveries(resources)
    assert len(await workspace.deliveries(hook)) == 2
    webhooks = resources.settings.webhooks.model_copy(update={"retention": timedelta(days=7)})
    settings = resources.settings.model_copy(update={"webhooks": webhooks})
    await prune_deliveries(replace(resources, settings=settings))
    assert [each["event_type"] for each in await workspace.deliveries(hook)] == ["document.updated"]
    async with dispatching(resources):
        await workspace.happen("document.deleted")
        await until(lambda: len(receiver.arrived) == 3)
    assert receiver.types[2] == "document.deleted", "the pruned delivery must not be repeated"
