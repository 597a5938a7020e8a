"""Delivery of events to the receiver."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from standardwebhooks import WebhookVerificationError

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.events.batches import read_batch
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal
from partywall.testing.conditions import until
from tests.features.webhooks.conftest import OpenWorkspace
from tests.features.webhooks.receiver import Arrived, Receiver, in_order, status
from tests.features.webhooks.webhook_workspace import WebhookWorkspace, dispatching


async def test_an_event_arrives_signed_and_as_it_stands_on_the_stream(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created")
    async with dispatching(resources):
        await until(lambda: len(receiver.arrived) == 1)
        await until(lambda: workspace.all_are(hook, "succeeded"))
    [arrived] = receiver.arrived
    arrived.verify(hook.secret)
    with pytest.raises(WebhookVerificationError):
        replace(arrived, body=arrived.body.replace(b"created", b"deleted")).verify(hook.secret)
    assert arrived.headers["content-type"] == "application/json"
    batch = await read_batch(
        ScopedReader(resources.reads, Principal.service(workspace.project)), workspace.project, after=0
    )
    [frame] = [event.frame for event in batch.events if event.type == "document.created"]
    assert b"\ndata: " + arrived.body + b"\n\n" in frame
    [delivery] = await workspace.deliveries(hook)
    assert (delivery["id"], delivery["attempts"], delivery["status_code"], delivery["next_attempt_at"]) == (
        arrived.id, 1, 204, None,
    )  # fmt: skip


async def test_the_first_event_of_a_webhook_for_all_types_is_its_own_creation(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    await workspace.happen("document.created")
    hook = await workspace.hook(receiver.url, types=None)
    await workspace.happen("document.updated")
    async with dispatching(resources):
        await until(lambda: len(receiver.arrived) == 2)
    assert receiver.types == ["project.webhook_created", "document.updated"]
    assert receiver.arrived[0].event["subject"] == {"kind": "webhook", "id": str(hook.id)}


async def test_only_the_types_asked_for_arrive_and_in_their_order(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    hook = await workspace.hook(receiver.url, types=["document.*", "run.started"])
    await workspace.happen("run.queued", "document.created", "run.started", "member.added", *["document.updated"] * 60)
    async with dispatching(resources):
        await until(lambda: len(receiver.arrived) == 62)
        await until(lambda: workspace.all_are(hook, "succeeded"))
    assert receiver.types == ["document.created", "run.started", *["document.updated"] * 60]
    assert in_order(receiver.arrived)
    assert len({each.id for each in receiver.arrived}) == 62
    assert receiver.most_open == 1


@pytest.mark.parametrize(
    ("types", "heard"),
    [
        (None, ["project.webhook_created", "run.started", "run.succeeded"]),
        (["run.*"], ["run.started", "run.token", "run.succeeded"]),
        (["run.token"], ["run.token"]),
    ],
)
async def test_token_events_go_only_to_webhooks_that_ask_for_them(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources, types: list[str] | None, heard: list[str]
) -> None:
    hook = await workspace.hook(receiver.url, types=types)
    await workspace.happen("run.started", "run.token", "run.succeeded")
    async with dispatching(resources):
        await until(lambda: len(receiver.arrived) >= len(heard))
        await until(lambda: workspace.all_are(hook, "succeeded"))
    assert receiver.types == heard


async def test_a_project_gets_no_events_of_another(
    open_workspace: OpenWorkspace, receiver: Receiver, second_receiver: Receiver, resources: Resources
) -> None:
    one, other = await open_workspace(), await open_workspace()
    await one.hook(receiver.url, types=None)
    await other.hook(second_receiver.url, types=None)
    async with dispatching(resources):
        await asyncio.gather(one.happen(*["document.created"] * 20), other.happen(*["document.deleted"] * 20))
        await until(lambda: len(receiver.arrived) == 21 and len(second_receiver.arrived) == 21)
    for workspace, heard in ((one, receiver), (other, second_receiver)):
        assert {each.event["project_id"] for each in heard.arrived} == {str(workspace.project)}


async def test_two_webhooks_each_get_every_event_under_ids_of_their_own(
    workspace: WebhookWorkspace, receiver: Receiver, second_receiver: Receiver, resources: Resources
) -> None:
    first, second = await workspace.hook(receiver.url), await workspace.hook(second_receiver.url)
    await workspace.happen("document.created")
    async with dispatching(resources):
        await until(lambda: len(receiver.arrived) == len(second_receiver.arrived) == 1)
    receiver.arrived[0].verify(first.secret)
    with pytest.raises(WebhookVerificationError):
        receiver.arrived[0].verify(second.secret)
    assert receiver.arrived[0].id != second_receiver.arrived[0].id


async def test_after_a_rotation_the_new_and_the_previous_secret_sign(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    hook = await workspace.hook(receiver.url)
    second = (await workspace.owner.client.post(f"{hook.url}/rotate-secret")).json()["secret"]
    await workspace.happen("document.created")
    async with dispatching(resources):
        await until(lambda: len(receiver.arrived) == 1)
        receiver.arrived[0].verify(hook.secret)
        receiver.arrived[0].verify(second)
        third = (await workspace.owner.client.post(f"{hook.url}/rotate-secret")).json()["secret"]
        await workspace.happen("document.updated")
        await until(lambda: len(receiver.arrived) == 2)
        receiver.arrived[1].verify(second)
        receiver.arrived[1].verify(third)
        with pytest.raises(WebhookVerificationError):
            receiver.arrived[1].verify(hook.secret)
        await workspace.users.execute("UPDATE webhook SET previous_until = now() WHERE id = $1", hook.id)
        await workspace.happen("document.deleted")
        await until(lambda: len(receiver.arrived) == 3)
    receiver.arrived[2].verify(third)
    with pytest.raises(WebhookVerificationError):
        receiver.arrived[2].verify(second)


async def test_a_slow_receiver_holds_up_nobody_else(
    open_workspace: OpenWorkspace, receiver: Receiver, second_receiver: Receiver, resources: Resources
) -> None:
    slow, quick = await open_workspace(), await open_workspace()
    release = asyncio.Event()

    async def wait(_: Arrived) -> bytes:
        await release.wait()
        return status(200)

    receiver.answer = wait
    late = await slow.hook(receiver.url)
    await quick.hook(second_receiver.url)
    async with dispatching(resources, timeout=timedelta(seconds=30)):
        await slow.happen(*["document.created"] * 5)
        await until(lambda: len(receiver.arrived) == 1)
        await quick.happen(*["document.created"] * 50)
        await until(lambda: len(second_receiver.arrived) == 50)
        assert len(receiver.arrived) == 1
        release.set()
        await until(lambda: len(receiver.arrived) == 5)
        await until(lambda: slow.all_are(late, "succeeded"))


async def test_an_answer_that_never_ends_is_not_read(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    async def endless(_: Arrived) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n" + b"x" * 10_000_000

    receiver.answer = endless
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created")
    async with dispatching(resources):
        await until(lambda: workspace.all_are(hook, "succeeded"))
    assert len(receiver.arrived) == 1


async def test_nothing_is_sent_while_it_is_disabled_and_what_was_missed_follows(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    hook = await workspace.hook(receiver.url)
    await workspace.owner.client.patch(hook.url, json={"enabled": False})
    await workspace.happen("document.created", "document.updated")
    async with dispatching(resources):
        await asyncio.sleep(0.2)
        assert receiver.arrived == []
        await workspace.owner.client.patch(hook.url, json={"enabled": True})
        await until(lambda: len(receiver.arrived) == 2)
    assert receiver.types == ["document.created", "document.updated"]


async def test_events_that_are_no_longer_kept_are_passed_over(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created", "document.updated", "document.deleted")
    await workspace.users.execute(
        "DELETE FROM event WHERE project_id = $1 AND type <> 'document.deleted'", workspace.project
    )
    await workspace.users.execute(
        "UPDATE event_counter SET oldest = (SELECT min(id) FROM event WHERE project_id = $1) WHERE project_id = $1",
        workspace.project,
    )
    async with dispatching(resources):
        await until(lambda: workspace.all_are(hook, "succeeded"))
    assert receiver.types == ["document.deleted"]


async def test_a_webhook_that_is_deleted_during_an_attempt_leaves_nothing(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    async def delete(_: Arrived) -> bytes:
        assert (await workspace.owner.client.delete(hook.url)).status_code == 204
        return status(500)

    receiver.answer = delete
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created")
    async with dispatching(resources):
        await until(lambda: len(receiver.arrived) == 1)
        await asyncio.sleep(0.2)
    assert len(receiver.arrived) == 1
    assert await workspace.users.fetch("SELECT FROM webhook_delivery WHERE project_id = $1", workspace.project) == []
