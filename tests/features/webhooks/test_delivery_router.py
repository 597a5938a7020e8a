"""The routes of deliveries."""

from __future__ import annotations

from uuid import UUID

from partywall.testing.users import Users
from tests.features.webhooks.webhook_workspace import WebhookWorkspace


async def deliver(
    users: Users, workspace: WebhookWorkspace, webhook: UUID, event: int = 1, status: str = "failed"
) -> UUID:
    """Inserts a delivery as a worker leaves it."""
    [row] = await users.fetch(
        "INSERT INTO webhook_delivery (project_id, webhook_id, event_id, event_type, status, attempts, finished_at)"
        " VALUES ($1, $2, $3, 'document.created', $4, 10, now()) RETURNING id",
        workspace.project, webhook, event, status,
    )  # fmt: skip
    return UUID(str(row["id"]))


async def test_deliveries_are_listed_by_status_and_in_pages(users: Users, workspace: WebhookWorkspace) -> None:
    hook = await workspace.hook("http://127.0.0.1:1024/")
    made = [str(await deliver(users, workspace, hook.id, number, "failed")) for number in (1, 2, 3)]
    done = str(await deliver(users, workspace, hook.id, 4, "succeeded"))
    listed = f"{hook.url}/deliveries"
    by_status = await workspace.owner.client.get(listed, params={"status": "succeeded"})
    assert [each["id"] for each in by_status.json()["items"]] == [done]
    params: dict[str, str | int] = {"limit": 2, "sort": "created_at", "status": "failed"}
    first = (await workspace.owner.client.get(listed, params=params)).json()
    rest = await workspace.owner.client.get(listed, params={**params, "cursor": first["next_cursor"]})
    assert [each["id"] for each in first["items"] + rest.json()["items"]] == made
    other = await workspace.owner.client.get(listed, params={"limit": 2, "cursor": first["next_cursor"]})
    assert other.status_code == 422
    assert (await workspace.owner.client.get(listed, params={"offset": 0, "status": "failed"})).json()["total"] == 3
    assert (await workspace.owner.client.get(listed, params={"status": "lost"})).status_code == 422


async def test_a_delivery_of_another_webhook_is_not_found_in_this_one(
    users: Users, workspace: WebhookWorkspace
) -> None:
    one, other = await workspace.hook("http://127.0.0.1:1024/"), await workspace.hook("http://127.0.0.1:1024/")
    delivery = await deliver(users, workspace, other.id)
    answer = await workspace.owner.client.post(f"{one.url}/deliveries/{delivery}/redeliver")
    assert (answer.status_code, answer.json()["code"]) == (404, "delivery_not_found")


async def test_redelivering_makes_it_due_with_all_its_retries(users: Users, workspace: WebhookWorkspace) -> None:
    hook = await workspace.hook("http://127.0.0.1:1024/")
    delivery = await deliver(users, workspace, hook.id)
    await users.execute(
        "UPDATE webhook_progress SET paused_until = now() + interval '1 h', failures = 7 WHERE webhook_id = $1", hook.id
    )
    answer = await workspace.owner.client.post(f"{hook.url}/deliveries/{delivery}/redeliver")
    assert answer.status_code == 202
    body = answer.json()
    assert (body["id"], body["status"], body["attempts"], body["finished_at"]) == (str(delivery), "pending", 10, None)
    assert body["next_attempt_at"] is not None
    [row] = await users.fetch(
        "SELECT attempts_before, paused_until, failures FROM webhook_delivery AS d JOIN webhook_progress AS p"
        " USING (project_id, webhook_id) WHERE d.id = $1", delivery,
    )  # fmt: skip
    assert tuple(row) == (10, None, 7)


async def test_what_cannot_be_delivered_again_says_why(users: Users, workspace: WebhookWorkspace) -> None:
    hook = await workspace.hook("http://127.0.0.1:1024/")
    delivery = await deliver(users, workspace, hook.id)
    again = f"{hook.url}/deliveries/{delivery}/redeliver"
    for change in ({"enabled": False}, {"enabled": True}):
        await workspace.owner.client.patch(hook.url, json=change)
        if change["enabled"]:
            await users.execute("UPDATE webhook_progress SET disabled_reason = 'gone' WHERE webhook_id = $1", hook.id)
        answer = await workspace.owner.client.post(again)
        assert (answer.status_code, answer.json()["code"]) == (409, "webhook_disabled")
    await workspace.owner.client.patch(hook.url, json={"enabled": True})
    await users.execute("UPDATE event_counter SET oldest = 2 WHERE project_id = $1", workspace.project)
    answer = await workspace.owner.client.post(again)
    assert (answer.status_code, answer.json()["code"]) == (409, "event_not_kept")
