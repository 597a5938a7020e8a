"""Failing receivers: retries, failed deliveries, and when the webhook is disabled."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from partywall.core.outgoing.destinations import Destinations
from partywall.core.outgoing.guarded_transport import Outgoing
from partywall.core.resources import Resources
from partywall.features.webhooks.sender import NOT_DELIVERED
from partywall.testing.conditions import until
from tests.features.webhooks.receiver import Arrived, Receiver, status
from tests.features.webhooks.webhook_workspace import Hook, WebhookWorkspace, dispatching, hasten

LATER = timedelta(hours=1)
# The timeout for attempts without an answer.
SHORT = timedelta(seconds=0.2)


async def test_a_failed_attempt_is_repeated_under_the_same_id_until_it_succeeds(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    receiver.codes = [500, 429, 302, 204]
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created")
    async with dispatching(resources):
        await until(lambda: has(workspace, hook, "succeeded"))
    assert len(receiver.arrived) == 4
    assert len({each.id for each in receiver.arrived}) == 1
    assert len({each.body for each in receiver.arrived}) == 1
    for each in receiver.arrived:
        each.verify(hook.secret)
    [delivery] = await workspace.deliveries(hook)
    assert (delivery["attempts"], delivery["status_code"], delivery["error"]) == (4, 204, None)


async def test_a_failed_delivery_is_retried_later_and_delays_no_other(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    receiver.codes = [503, 204]
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created", "document.updated", "document.deleted")
    async with dispatching(resources, first_retry=LATER):
        await until(lambda: len(receiver.arrived) == 3)
        await until(lambda: has(workspace, hook, "succeeded", 2))
    assert receiver.types == ["document.created", "document.updated", "document.deleted"]
    failed = (await workspace.deliveries(hook))[0]
    assert (failed["status"], failed["attempts"], failed["status_code"], failed["error"]) == (
        "pending", 1, 503, "answered 503",
    )  # fmt: skip
    assert str(failed["next_attempt_at"]) > str(failed["created_at"])


@pytest.mark.parametrize("code", [429, 503])
async def test_a_receiver_that_wants_time_gets_it_for_all_its_events(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources, code: int
) -> None:
    async def answer(_: Arrived) -> bytes:
        return status(code, "Retry-After: 7200" if code == 429 else "Retry-After: 2h")

    receiver.answer = answer
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created", "document.updated")
    async with dispatching(resources):
        await until(lambda: asked_to_wait(workspace, hook))
        await workspace.happen("document.deleted")
    assert len(receiver.arrived) == 1


async def asked_to_wait(workspace: WebhookWorkspace, hook: Hook) -> bool:
    """Whether both the delivery and the whole webhook wait as long as the receiver asked."""
    sql = """
        SELECT 1 FROM webhook_delivery AS d JOIN webhook_progress AS p USING (project_id, webhook_id)
        WHERE d.webhook_id::text = $1 AND d.attempts = 1 AND d.next_attempt_at > now() + interval '7100 seconds'
            AND p.paused_until BETWEEN now() + interval '7100 seconds' AND now() + interval '7201 seconds'
    """
    return bool(await workspace.users.fetch(sql, str(hook.id)))


async def test_after_its_last_attempt_a_delivery_has_failed(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    receiver.codes = [500]
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created")
    async with dispatching(resources, attempts=3):
        await until(lambda: has(workspace, hook, "failed"))
    assert len(receiver.arrived) == 3
    [delivery] = await workspace.deliveries(hook)
    assert (delivery["attempts"], delivery["next_attempt_at"]) == (3, None)
    assert delivery["finished_at"] is not None


async def test_a_receiver_that_answers_too_late_has_failed(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    async def drip(_: Arrived) -> bytes:
        await asyncio.sleep(5)
        return status(200)

    receiver.answer = drip
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created")
    async with dispatching(resources, timeout=SHORT, attempts=1):
        await until(lambda: has(workspace, hook, "failed"))
    [delivery] = await workspace.deliveries(hook)
    assert (delivery["status_code"], delivery["error"]) == (None, NOT_DELIVERED)


async def garbage(_: Arrived) -> bytes:
    return b"SSH-2.0-<script>alert(1)</script>\r\n\r\n"


async def test_what_a_receiver_says_is_not_kept(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    receiver.answer = garbage
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created")
    async with dispatching(resources, timeout=SHORT, attempts=1):
        await until(lambda: has(workspace, hook, "failed"))
    assert (await workspace.deliveries(hook))[0]["error"] == NOT_DELIVERED


async def test_a_receiver_that_is_not_there_has_failed(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    hook = await workspace.hook("http://127.0.0.1:1024/")
    await workspace.happen("document.created")
    async with dispatching(resources, timeout=SHORT, attempts=2):
        await until(lambda: has(workspace, hook, "failed"))
    assert (await workspace.deliveries(hook))[0]["error"] == NOT_DELIVERED


async def test_an_address_that_is_no_longer_allowed_is_not_called(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    """The address is allowed when the webhook is created and not when it is called."""
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created")
    outgoing = Outgoing.open(Destinations(plain_http=True), _loopback)
    async with outgoing.client, dispatching(resources, outgoing=outgoing, timeout=SHORT, attempts=1):
        await until(lambda: has(workspace, hook, "failed"))
    assert receiver.arrived == []
    assert (await workspace.deliveries(hook))[0]["error"] == NOT_DELIVERED


async def test_410_disables_it_at_once(workspace: WebhookWorkspace, receiver: Receiver, resources: Resources) -> None:
    receiver.codes = [410]
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created", "document.updated")
    async with dispatching(resources):
        await until(lambda: _disabled(workspace, hook))
        await asyncio.sleep(0.1)
    assert len(receiver.arrived) == 1
    shown = await workspace.shown(hook)
    assert (shown["enabled"], shown["disabled_reason"]) == (False, "gone")
    [event] = await workspace.users.fetch(
        "SELECT subject_id, data::text, actor FROM event WHERE project_id = $1 AND type = 'project.webhook_disabled'"
        " AND subject_id = $2", workspace.project, str(hook.id),
    )  # fmt: skip
    assert (event["data"], event["actor"]) == ('{"reason": "gone"}', f"service:{workspace.project}")


async def test_lasting_failure_disables_it_and_users_can_enable_it(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    receiver.codes = [500]
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created")
    async with dispatching(resources, disable_after=timedelta(milliseconds=50)):
        await until(lambda: _disabled(workspace, hook))
    assert (await workspace.shown(hook))["disabled_reason"] == "failing"
    tried = len(receiver.arrived)
    assert tried > 1
    receiver.codes = [204]
    await workspace.happen("document.updated")
    async with dispatching(resources):
        await asyncio.sleep(0.1)
        assert len(receiver.arrived) == tried
        await workspace.owner.client.patch(hook.url, json={"enabled": True})
        await until(lambda: has(workspace, hook, "succeeded", 2))
    assert len({each.id for each in receiver.arrived[:tried]} | {receiver.arrived[tried].id}) == 1
    assert (await workspace.shown(hook))["disabled_reason"] is None


async def test_one_success_resets_the_failures(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    """The first failure is dated back a day after it is stored and before the retry."""
    receiver.codes = [500, 204, 500, 204]
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created")
    async with dispatching(resources, first_retry=LATER):
        await until(lambda: failed_a_day_ago(workspace, hook))
    async with dispatching(resources, disable_after=LATER):
        await workspace.users.execute(
            "UPDATE webhook_delivery SET next_attempt_at = now() WHERE webhook_id::text = $1", str(hook.id)
        )
        await hasten(workspace, hook)
        await until(lambda: has(workspace, hook, "succeeded"))
        await workspace.happen("document.updated")
        await until(lambda: has(workspace, hook, "succeeded", 2))
    assert len(receiver.arrived) == 4


async def failed_a_day_ago(workspace: WebhookWorkspace, hook: Hook) -> bool:
    """Dates the failure back a day; False while there is none."""
    sql = """
        UPDATE webhook_progress SET failing_at = now() - interval '1 day'
        WHERE webhook_id::text = $1 AND failing_at IS NOT NULL
    """
    return await workspace.users.execute(sql, str(hook.id)) == "UPDATE 1"


async def test_a_dead_receiver_is_tried_rarely_and_no_delivery_fails(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    receiver.codes = [500]
    hook = await workspace.hook(receiver.url)
    await workspace.happen(*["document.created"] * 30)
    async with dispatching(resources, first_retry=LATER, attempts=2):
        await until(lambda: len(receiver.arrived) == 5)
        await asyncio.sleep(0.3)
        assert len(receiver.arrived) == 5
        [row] = await workspace.users.fetch(
            "SELECT failures, extract(epoch FROM paused_until - now()) AS pause FROM webhook_progress"
            " WHERE webhook_id = $1", hook.id,
        )  # fmt: skip
        assert row["failures"] == 5
        assert 200 < row["pause"] < 400
        assert set(await workspace.statuses(hook)) == {"pending"}
        receiver.codes = [204]
        await workspace.users.execute("UPDATE webhook_progress SET paused_until = now() WHERE webhook_id = $1", hook.id)
        await until(lambda: hastened(workspace, hook))


async def hastened(workspace: WebhookWorkspace, hook: Hook) -> bool:
    """Hastens the job, which may just have started to wait; returns whether all deliveries succeeded."""
    await hasten(workspace, hook)
    return await has(workspace, hook, "succeeded", 25)


async def test_hanging_receivers_only_delay_webhooks_behind_them(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    """As many webhooks as the worker has slots hang until the timeout; another waits behind them."""

    async def hang(arrived: Arrived) -> bytes:
        if arrived.path == "/hang":
            await asyncio.sleep(60)
        return status(204)

    receiver.answer = hang
    for _ in range(6):
        await workspace.hook(receiver.url.replace("/hook", "/hang"))
    neighbour = await workspace.hook(receiver.url)
    await workspace.happen("document.created")
    async with dispatching(resources, timeout=timedelta(seconds=1), concurrency=6, first_retry=LATER):
        await until(lambda: has(workspace, neighbour, "succeeded"))


async def _loopback(_: str, __: int) -> list[str]:
    return ["127.0.0.1"]


async def _disabled(workspace: WebhookWorkspace, hook: Hook) -> bool:
    return (await workspace.shown(hook))["enabled"] is False


async def has(workspace: WebhookWorkspace, hook: Hook, wanted: str, times: int = 1) -> bool:
    return (await workspace.statuses(hook)).count(wanted) == times


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
async def test_any_2xx_is_success(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources, code: int
) -> None:
    receiver.codes = [code]
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created")
    async with dispatching(resources):
        await until(lambda: has(workspace, hook, "succeeded"))
    assert (await workspace.deliveries(hook))[0]["status_code"] == code
