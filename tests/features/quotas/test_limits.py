"""Every way to add data stops at its quota; the answer has the quota, usage and limit."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from uuid import UUID

import pytest

from partywall.core.resources import Resources
from partywall.features.projects.jobs import PROJECT_DELETED, ProjectDeleted
from partywall.testing.users import Person, Users
from tests.features.quotas.conftest import Limited, exceeded
from tests.isolation.job_runner import run_job


async def own_at_most(users: Users, person: Person, projects: int) -> None:
    await users.execute(
        "INSERT INTO account_quota (account_id, quota, most) VALUES ($1, 'projects', $2)", person.id, projects
    )


async def test_documents(limited: Limited) -> None:
    await limited.limit(documents=2)
    assert (await limited.document()).status_code == 201
    assert (await limited.document()).status_code == 201
    assert exceeded(await limited.document()) == (403, "documents", 2, 2)
    keyed = await limited.client.post(
        f"{limited.url}/documents", json={"title": "t", "content": ""}, headers={"Idempotency-Key": "k"}
    )
    assert exceeded(keyed) == (403, "documents", 2, 2)
    [first, _] = (await limited.client.get(f"{limited.url}/documents")).json()["items"]
    assert (await limited.client.delete(f"{limited.url}/documents/{first['id']}?permanent=true")).status_code == 204
    assert (await limited.document()).status_code == 201


async def test_a_batch_that_crosses_the_quota_makes_nothing(limited: Limited) -> None:
    await limited.limit(documents=3)
    batch = {"documents": [{"title": "t", "content": "c"}] * 2}
    assert (await limited.post("/documents/batch", batch)).status_code == 201
    assert exceeded(await limited.post("/documents/batch", batch)) == (403, "documents", 2, 3)
    assert await limited.used("documents") == 2


async def test_bytes_are_those_of_all_versions(limited: Limited) -> None:
    await limited.limit(bytes=100)
    made = (await limited.document("a" * 40)).json()
    path = f"{limited.url}/documents/{made['id']}"
    assert (await limited.client.patch(path, json={"content": "b" * 40})).status_code == 200
    assert await limited.used("bytes") == 82
    for change in ({"content": "c" * 40}, {"metadata": {"k": "v" * 40}}):
        refused = await limited.client.patch(path, json=change)
        assert exceeded(refused) == (403, "bytes", 82, 100)
    replaced = await limited.client.put(path, json={"title": "t", "content": "c" * 40})
    assert exceeded(replaced) == (403, "bytes", 82, 100)
    assert (await limited.client.get(path)).json()["content"] == "b" * 40
    assert (await limited.client.patch(path, json={"title": "Another"})).status_code == 200
    assert exceeded(await limited.document("d" * 20)) == (403, "bytes", 82, 100)


async def test_a_restore_takes_no_more_room(limited: Limited) -> None:
    await limited.limit(bytes=100)
    made = (await limited.document("a" * 50)).json()
    path = f"{limited.url}/documents/{made['id']}"
    await limited.client.patch(path, json={"content": "b"})
    await limited.limit(bytes=60)
    assert (await limited.client.post(f"{path}/versions/1/restore")).status_code == 200
    assert await limited.used("bytes") == 53
    assert exceeded(await limited.client.patch(path, json={"content": "c" * 8})) == (403, "bytes", 53, 60)


async def test_an_upload_is_refused_before_it_is_stored(limited: Limited, resources: Resources) -> None:
    await limited.limit(bytes=100)
    file = {"file": ("a.txt", b"x" * 101, "text/plain")}
    refused = await limited.client.post(f"{limited.url}/documents/upload", files=file)
    assert exceeded(refused) == (403, "bytes", 0, 100)
    # The file alone fits, but not with its text.
    file = {"file": ("a.txt", b"x" * 60, "text/plain")}
    refused = await limited.client.post(f"{limited.url}/documents/upload", files=file)
    assert exceeded(refused) == (403, "bytes", 0, 100)
    kept = [each for each in Path(resources.settings.blob_directory).rglob("*") if each.is_file()]
    assert not [each for each in kept if str(limited.project) in str(each)]
    assert await limited.used("documents") == 0


async def test_answers_that_are_kept_for_their_keys_count(limited: Limited) -> None:
    """A stored answer may be as large as its document. Deleting the document frees both."""
    await limited.limit(bytes=5_000)
    body, url = {"title": "t", "content": "c" * 600}, f"{limited.url}/documents"
    keys = [{"Idempotency-Key": f"k{number}"} for number in range(9)]
    answers = [await limited.client.post(url, json=body, headers=key) for key in keys]
    made = [each for each in answers if each.status_code == 201]
    assert exceeded(answers[len(made)])[:2] == (403, "bytes")
    used = sum(600 + len("{}") + len(each.content) for each in made)
    assert await limited.used("bytes") == used > 5_000 - 2 * 600 - len(made[0].content)
    for each in made:
        at = f"{limited.url}/documents/{each.json()['id']}"
        assert (await limited.client.delete(f"{at}?permanent=true")).status_code == 204
    assert (await limited.used("documents"), await limited.used("bytes")) == (0, 0)


async def test_revoked_keys_are_deleted_beyond_a_limit(limited: Limited) -> None:
    await limited.users.execute(
        "INSERT INTO api_key (project_id, name, prefix, secret_hash, role, created_by, revoked_at)"
        " SELECT $1, 'n', gen_random_uuid(), ''::bytea, 'viewer', 'user:x', now() FROM generate_series(1, 1003)",
        limited.project,
    )
    assert (await limited.post("/api-keys", {"name": "k", "role": "viewer"})).status_code == 201
    rows = await limited.users.fetch("SELECT FROM api_key WHERE project_id = $1", limited.project)
    assert len(rows) == 1001


@pytest.mark.parametrize(
    ("path", "quota", "body"),
    [
        ("/api-keys", "keys", {"name": "k", "role": "viewer"}),
        ("/webhooks", "webhooks", {"url": "http://127.0.0.1:1024/"}),
        ("/invitations", "members", {"role": "viewer"}),
    ],
)
async def test_keys_webhooks_and_members_have_quotas(
    limited: Limited, path: str, quota: str, body: dict[str, str]
) -> None:
    limit = 2 if quota == "members" else 1  # the owner is a member
    await limited.limit(**{quota: limit})
    emails = [{"email": f"{secrets.token_hex(8)}@example.com"} if quota == "members" else {} for _ in range(2)]
    assert (await limited.post(path, body | emails[0])).status_code == 201
    assert exceeded(await limited.post(path, body | emails[1])) == (403, quota, limit, limit)


@pytest.mark.parametrize("what", ["documents", "bytes"])
async def test_what_is_deleted_counts_until_it_is_gone(limited: Limited, what: str) -> None:
    """Otherwise a loop of creating and deleting fills the disk faster than the purge empties it."""
    await limited.limit(documents=5, bytes=10_000)
    made = await limited.document("some text")
    assert (
        await limited.client.delete(f"{limited.url}/documents/{made.json()['id']}?permanent=true")
    ).status_code == 204
    assert (await limited.document()).status_code == 201, "the quota is free at once while the purge keeps up"
    most = {"documents": 1000, "bytes": 256 * 1024 * 1024}[what]
    pretend = {
        "documents": "UPDATE project_usage SET marked_documents = marked_documents + $1 WHERE project_id = $2",
        "bytes": "UPDATE project_usage SET marked_bytes = marked_bytes + $1 WHERE project_id = $2",
    }[what]
    await limited.users.execute(pretend, most, limited.project)
    refused = (await limited.document()).json()
    assert (refused["status"], refused["quota"], refused["limit"]) == (403, f"{what}_being_deleted", most)
    await limited.users.execute(pretend, -most, limited.project)
    assert (await limited.document()).status_code == 201


async def test_projects_that_are_deleted_count_until_they_are_gone(users: Users, resources: Resources) -> None:
    person = await users.person()
    await own_at_most(users, person, 1)
    deleted: list[UUID] = []
    for _ in range(10):
        deleted.append(await person.project())
        assert (await person.client.delete(f"/api/v1/projects/{deleted[-1]}")).status_code == 204
    refused = await person.client.post("/api/v1/projects", json={"name": "p"})
    assert exceeded(refused) == (403, "projects_being_deleted", 10, 10)
    await run_job(users, resources, PROJECT_DELETED.name, ProjectDeleted(project_id=deleted[0]))
    assert (await person.client.post("/api/v1/projects", json={"name": "p"})).status_code == 201


async def test_projects_of_an_account(users: Users) -> None:
    person = await users.person()
    await own_at_most(users, person, 2)
    answers = await asyncio.gather(*(person.client.post("/api/v1/projects", json={"name": "p"}) for _ in range(6)))
    made = [answer for answer in answers if answer.status_code == 201]
    assert len(made) == 2
    assert {exceeded(answer) for answer in answers if answer not in made} == {(403, "projects", 2, 2)}
    [first, _] = made
    assert (await person.client.delete(f"/api/v1/projects/{first.json()['id']}")).status_code == 204
    assert (await person.client.post("/api/v1/projects", json={"name": "p"})).status_code == 201


async def test_a_project_cannot_be_transferred_to_an_outsider(limited: Limited, users: Users) -> None:
    outsider = await users.person()
    assert (await limited.post("/transfer", {"user_id": str(outsider.id)})).status_code == 404


async def test_a_limit_below_what_is_used_stops_growth_alone(limited: Limited) -> None:
    made = (await limited.document("a" * 50)).json()
    path = f"{limited.url}/documents/{made['id']}"
    await limited.limit(documents=0, bytes=0)
    assert (await limited.client.patch(path, json={"title": "New", "status": "published"})).status_code == 200
    assert (await limited.client.get(path)).status_code == 200
    assert exceeded(await limited.document())[:2] == (403, "documents")
    assert (await limited.client.delete(f"{path}?permanent=true")).status_code == 204
    assert await limited.used("bytes") == 0


async def test_many_at_once_pass_a_quota_by_one_request_each_at_most(limited: Limited) -> None:
    await limited.limit(documents=5)
    answers = await asyncio.gather(*(limited.document() for _ in range(30)))
    made = sum(answer.status_code == 201 for answer in answers)
    # The tests' pool has five connections; each may be in the middle of a request.
    assert 5 <= made <= 10
    assert await limited.used("documents") == made
    assert exceeded(await limited.document()) == (403, "documents", made, 5)


async def test_no_tenant_changes_a_limit(limited: Limited, resources: Resources) -> None:
    """The runtime role may not change limits."""
    pool = resources.reads
    for sql in (
        "INSERT INTO project_quota (project_id, quota, most) VALUES (gen_random_uuid(), 'documents', 1)",
        "UPDATE project_quota SET most = 9",
        "DELETE FROM account_quota",
        "UPDATE project_usage SET documents = 0",
        "SELECT wall.add_usage(gen_random_uuid(), -5, 0)",
        "SELECT wall.recount_usage(gen_random_uuid())",
    ):
        with pytest.raises(Exception, match="permission denied"):
            await pool.fetch(sql)
