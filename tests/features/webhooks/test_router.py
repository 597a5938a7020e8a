"""Creating, changing and deleting webhooks. test_delivery.py covers deliveries."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from partywall.core.outgoing.destinations import Destinations
from partywall.core.outgoing.guarded_transport import Outgoing
from partywall.core.resources import Resources
from partywall.features.projects.jobs import ProjectDeleted
from partywall.settings import Settings
from partywall.testing.users import Users
from tests.features.webhooks.test_delivery_router import deliver
from tests.features.webhooks.webhook_workspace import WebhookWorkspace
from tests.isolation.job_runner import run_job

URL = "http://127.0.0.1:1024/hook"

WANTED = {"url": URL, "types": ["document.*"], "description": "Our receiver"}


def url(project: UUID, webhook: object = "", rest: str = "") -> str:
    return f"/api/v1/projects/{project}/webhooks" + (f"/{webhook}" if webhook else "") + rest


def requests(project: UUID, webhook: object) -> list[tuple[str, str, dict[str, object] | None]]:
    return [
        ("POST", url(project), {**WANTED}),
        ("GET", url(project), None),
        ("GET", url(project, webhook), None),
        ("PATCH", url(project, webhook), {"enabled": False}),
        ("POST", url(project, webhook, "/rotate-secret"), None),
        ("GET", url(project, webhook, "/deliveries"), None),
        ("POST", url(project, webhook, f"/deliveries/{uuid4()}/redeliver"), None),
        ("DELETE", url(project, webhook), None),
    ]


async def test_the_anonymous_are_refused(anonymous: AsyncClient, workspace: WebhookWorkspace) -> None:
    for method, path, body in requests(workspace.project, uuid4()):
        answer = await anonymous.request(method, path, json=body)
        assert answer.status_code == 401, path


async def test_another_project_sees_nothing(users: Users, workspace: WebhookWorkspace) -> None:
    hook = await workspace.hook(URL)
    other = await users.person()
    own = await other.project()
    for method, path, body in requests(workspace.project, hook.id):
        answer = await other.client.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "project_not_found"), path
    for method, path, body in requests(own, hook.id)[2:]:
        answer = await other.client.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "webhook_not_found"), path
    assert (await other.client.get(url(own))).json()["items"] == []
    assert (await workspace.shown(hook))["enabled"] is True


@pytest.mark.parametrize("role", ["viewer", "editor"])
async def test_who_may_not_manage_webhooks_is_told_so(users: Users, workspace: WebhookWorkspace, role: str) -> None:
    hook = await workspace.hook("http://127.0.0.1:1024/")
    member = await users.person()
    await users.join(workspace.project, member, role)
    for method, path, body in requests(workspace.project, hook.id):
        answer = await member.client.request(method, path, json=body)
        assert (answer.status_code, answer.json()["right"]) == (403, "webhook.manage"), path


async def test_an_admin_may_and_a_key_of_the_role_may_not(users: Users, workspace: WebhookWorkspace) -> None:
    admin = await users.person()
    await users.join(workspace.project, admin, "admin")
    assert (await admin.client.post(url(workspace.project), json=WANTED)).status_code == 201
    key = await workspace.owner.client.post(
        f"/api/v1/projects/{workspace.project}/api-keys", json={"name": "admin", "role": "admin"}
    )
    headers = {"Authorization": f"Bearer {key.json()['secret']}"}
    for method, path, body in requests(workspace.project, uuid4()):
        answer = await admin.client.request(method, path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["right"]) == (403, "webhook.manage"), path


async def test_the_secret_is_shown_once_and_stored_sealed(users: Users, workspace: WebhookWorkspace) -> None:
    made = await workspace.owner.client.post(url(workspace.project), json=WANTED)
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    body = made.json()
    secret = body.pop("secret")
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert made.headers["location"] == url(workspace.project, body["id"])
    assert {**WANTED, "enabled": True, "disabled_reason": None}.items() <= body.items()
    shown = await workspace.owner.client.get(made.headers["location"])
    assert shown.json() == body
    assert shown.headers["etag"] == made.headers["etag"]
    assert (await workspace.owner.client.get(url(workspace.project))).json()["items"] == [body]
    for table in ("webhook", "webhook_progress", "idempotency_key", "event", "job"):
        rows = await users.fetch(f"SELECT to_jsonb(t)::text AS row FROM {table} AS t")  # noqa: S608 - constants
        assert all(secret.removeprefix("whsec_") not in row["row"] for row in rows)


async def test_a_replay_comes_without_the_secret(users: Users, workspace: WebhookWorkspace) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    first = await workspace.owner.client.post(url(workspace.project), json=WANTED, headers=headers)
    again = await workspace.owner.client.post(url(workspace.project), json=WANTED, headers=headers)
    assert (first.status_code, again.status_code, again.headers["idempotent-replayed"]) == (201, 201, "true")
    assert again.json() == {name: value for name, value in first.json().items() if name != "secret"}
    rotation = url(workspace.project, first.json()["id"], "/rotate-secret")
    new = await workspace.owner.client.post(rotation, headers=headers)
    replayed = await workspace.owner.client.post(rotation, headers=headers)
    assert new.json()["secret"] != first.json()["secret"]
    assert "secret" not in replayed.json()
    rows = await users.fetch("SELECT body FROM idempotency_key WHERE project_id = $1", workspace.project)
    assert len(rows) == 2
    assert all(made.json()["secret"].encode() not in row["body"] for row in rows for made in (first, new))


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"url": "ftp://example.com/"}, "/url"),
        ({"url": "https://user:pw@example.com/"}, "/url"),
        ({"url": "https://example.com:22/"}, "/url"),
        ({"url": ""}, "/url"),
        ({"url": " "}, "/url"),
        ({"url": "http://127.0.0.1:1024/a b"}, "/url"),
        ({"url": None}, "/url"),
        ({"url": "http://10.0.0.1/"}, "/url"),
        ({"url": "http://169.254.169.254/latest/meta-data/"}, "/url"),
        ({"url": "http://[::1]/"}, "/url"),
        ({"url": "http://[::ffff:127.0.0.1]/"}, "/url"),
        ({"url": "https://nobody.invalid/"}, "/url"),
        ({"url": "https://xn--/"}, "/url"),
        ({"url": "https://a..b/"}, "/url"),
        ({"url": "http://127.0.0.1:\uff11\uff10\uff12\uff14/"}, "/url"),
        ({"url": "http://127.0.0.1\\@example.com/"}, "/url"),
        ({"types": []}, "/types"),
        ({"types": ["*"]}, "/types/0"),
        ({"types": ["document.created", "document.created,member.*"]}, "/types/1"),
        ({"enabled": 1}, "/enabled"),
        ({"secret": "whsec_mine"}, "/secret"),
    ],
)
async def test_a_bad_body_is_refused(workspace: WebhookWorkspace, change: dict[str, object], pointer: str) -> None:
    hook = await workspace.hook(URL)
    for answer in (
        await workspace.owner.client.post(url(workspace.project), json=WANTED | change),
        await workspace.owner.client.patch(hook.url, json=change),
    ):
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == pointer
    [shown] = (await workspace.owner.client.get(url(workspace.project))).json()["items"]
    assert (shown["url"], shown["types"]) == (WANTED["url"], ["document.*"])


async def test_blanks_around_an_address_are_no_part_of_it(workspace: WebhookWorkspace) -> None:
    made = await workspace.owner.client.post(url(workspace.project), json=WANTED | {"url": f" {URL} "})
    assert (made.status_code, made.json()["url"]) == (201, URL)
    other = "http://127.0.0.1:1024/other"
    changed = await workspace.owner.client.patch(url(workspace.project, made.json()["id"]), json={"url": f"{other}\n"})
    assert (changed.status_code, changed.json()["url"]) == (200, other)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1024/", "https://127.0.0.1:1024/", "https://localhost:8000/"])
async def test_loopback_and_plain_http_are_refused_unless_the_settings_allow_them(
    workspace: WebhookWorkspace, app: FastAPI, resources: Resources, address: str
) -> None:
    outgoing = Outgoing.open(Destinations(), _loopback)
    app.state.resources = replace(resources, outgoing=outgoing)
    try:
        answer = await workspace.owner.client.post(url(workspace.project), json={"url": address})
    finally:
        app.state.resources = resources
        await outgoing.client.aclose()
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/url")


async def _loopback(_: str, __: int) -> list[str]:
    return ["127.0.0.1"]


async def test_a_merge_patch_changes_what_it_names(workspace: WebhookWorkspace) -> None:
    hook = await workspace.hook("http://127.0.0.1:1024/", description="Before")
    before = await workspace.owner.client.get(hook.url)
    nothing = await workspace.owner.client.patch(hook.url, json={})
    assert (nothing.json(), nothing.headers["etag"]) == (before.json(), before.headers["etag"])
    changed = await workspace.owner.client.patch(
        hook.url, json={"types": None, "description": None, "url": "http://127.0.0.2:1024/", "enabled": False},
        headers={"If-Match": before.headers["etag"]},
    )  # fmt: skip
    assert changed.status_code == 200, changed.text
    expected = {"types": None, "description": None, "url": "http://127.0.0.2:1024/", "enabled": False}
    assert expected.items() <= changed.json().items()
    assert changed.headers["etag"] != before.headers["etag"]
    stale = {"If-Match": before.headers["etag"]}
    assert (await workspace.owner.client.patch(hook.url, json={"enabled": True}, headers=stale)).status_code == 412
    assert (await workspace.owner.client.delete(hook.url, headers=stale)).status_code == 412
    unchanged = await workspace.owner.client.get(hook.url, headers={"If-None-Match": changed.headers["etag"]})
    assert unchanged.status_code == 304


async def test_a_webhook_that_its_receiver_ended_shows_another_tag(users: Users, workspace: WebhookWorkspace) -> None:
    hook = await workspace.hook("http://127.0.0.1:1024/")
    before = (await workspace.owner.client.get(hook.url)).headers["etag"]
    await users.execute("UPDATE webhook_progress SET disabled_reason = 'gone' WHERE webhook_id = $1", hook.id)
    answer = await workspace.owner.client.get(hook.url, headers={"If-None-Match": before})
    assert (answer.status_code, answer.json()["enabled"], answer.json()["disabled_reason"]) == (200, False, "gone")
    off = await workspace.owner.client.patch(hook.url, json={"enabled": False}, headers={"If-Match": before})
    assert (off.status_code, off.json()["disabled_reason"]) == (200, None)


async def test_a_project_has_so_many_and_no_more(workspace: WebhookWorkspace, settings: Settings) -> None:
    for _ in range(settings.quotas.webhooks or 0):
        await workspace.hook("http://127.0.0.1:1024/")
    answer = await workspace.owner.client.post(url(workspace.project), json=WANTED)
    assert (answer.status_code, answer.json()["code"]) == (403, "quota_exceeded")


async def test_webhooks_are_listed_in_pages(workspace: WebhookWorkspace) -> None:
    made = [str((await workspace.hook("http://127.0.0.1:1024/")).id) for _ in range(3)]
    params: dict[str, str | int] = {"limit": 2, "sort": "created_at"}
    first = (await workspace.owner.client.get(url(workspace.project), params=params)).json()
    rest = await workspace.owner.client.get(url(workspace.project), params={**params, "cursor": first["next_cursor"]})
    assert [each["id"] for each in first["items"] + rest.json()["items"]] == made
    counted = await workspace.owner.client.get(url(workspace.project), params={"offset": 1})
    assert (counted.json()["total"], len(counted.json()["items"])) == (3, 2)


async def test_what_is_done_to_a_webhook_is_an_event_without_its_secret(
    users: Users, workspace: WebhookWorkspace
) -> None:
    hook = await workspace.hook("http://127.0.0.1:1024/")
    await workspace.owner.client.patch(hook.url, json={"enabled": False, "types": None})
    await workspace.owner.client.post(f"{hook.url}/rotate-secret")
    await workspace.owner.client.delete(hook.url)
    rows = await users.fetch(
        "SELECT type, subject_id, data::text FROM event WHERE project_id = $1 AND type LIKE 'project.webhook%'"
        " ORDER BY id", workspace.project,
    )  # fmt: skip
    assert [(row["type"], row["data"]) for row in rows] == [
        ("project.webhook_created", "{}"),
        ("project.webhook_updated", '{"fields": ["enabled", "types"]}'),
        ("project.webhook_updated", '{"fields": ["secret"]}'),
        ("project.webhook_deleted", "{}"),
    ]
    assert {row["subject_id"] for row in rows} == {str(hook.id)}


async def test_a_webhook_goes_with_all_that_belongs_to_it(
    users: Users, workspace: WebhookWorkspace, resources: Resources
) -> None:
    kept, gone = await workspace.hook("http://127.0.0.1:1024/"), await workspace.hook("http://127.0.0.1:1024/")
    for hook in (kept, gone):
        await deliver(users, workspace, hook.id)
    assert (await workspace.owner.client.delete(gone.url)).status_code == 204
    assert (await workspace.owner.client.get(gone.url)).status_code == 404
    assert len(await workspace.deliveries(kept)) == 1
    for table in ("webhook_progress", "webhook_delivery"):
        rows = await users.fetch(f"SELECT webhook_id FROM {table} WHERE project_id = $1", workspace.project)  # noqa: S608 - constants
        assert [row["webhook_id"] for row in rows] == [kept.id]
    assert (await workspace.owner.client.delete(f"/api/v1/projects/{workspace.project}")).status_code == 204
    await run_job(users, resources, "project_deleted", ProjectDeleted(project_id=workspace.project))
    assert await users.fetch("SELECT FROM webhook WHERE project_id = $1", workspace.project) == []


async def test_an_admin_demoted_while_waiting_for_the_lock_creates_none(
    users: Users, workspace: WebhookWorkspace
) -> None:
    """The role counts that the caller has when the lock is granted."""
    admin = await users.person()
    await users.join(workspace.project, admin, "admin")
    async with users.transaction() as standing:
        await standing.execute("SELECT FROM project WHERE id = $1 FOR UPDATE", workspace.project)
        await standing.execute(
            "UPDATE project_member SET role = 'viewer' WHERE project_id = $1 AND account_id = $2",
            workspace.project, admin.id,
        )  # fmt: skip
        waiting = asyncio.create_task(admin.client.post(url(workspace.project), json=WANTED))
        await asyncio.sleep(0.3)
        assert not waiting.done()
    answer = await waiting
    assert (answer.status_code, answer.json()["right"]) == (403, "webhook.manage")
