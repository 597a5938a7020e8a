"""A deleted project disappears at once for everybody and is then purged completely."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import asyncpg
import pytest

from partywall.core.cache_removal import remove_keys_of
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scopes import open_scope
from partywall.core.jobs.context import AnotherAttemptError, JobContext
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, ProjectNotFoundError
from partywall.features.projects import repository, service
from partywall.features.projects.feature import feature
from partywall.features.projects.jobs import ProjectDeleted
from partywall.features.projects.purge import purge_project, sweep_projects
from partywall.features.search.index_rebuild import notice_change
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Person, Users
from tests.features.projects.team import Team
from tests.features.projects.test_project_locks import until_waiting
from tests.isolation.seeded_project import SeededProject, seed
from tests.text_search import in_cache, in_files, in_tables, work_off

DOCUMENT = {"title": "Lease", "content": "The tenant pays."}


async def journal(users: Users, room: SeededProject) -> None:
    """A run with a journal, and a dead-letter job, as a worker leaves them."""
    run, said = UUID(room.ids["run_id"]), json.dumps({"said": room.word})
    for sql in (
        "UPDATE run SET output = $2, pending = $2, error_detail = $2::json::text WHERE project_id = $1",
        "UPDATE run_turn SET messages = $2 WHERE project_id = $1",
        "UPDATE run_step SET result = $2, effect = $2 WHERE project_id = $1",
        "UPDATE event SET data = $2 WHERE project_id = $1",
    ):
        await users.execute(sql, room.project, said)
    await users.execute(
        "INSERT INTO job (id, kind, project_id, payload, error, state, dead_letter_at)"
        " VALUES (-$1::bigint, 'run_agent', $4, $2, $3, 'dead_letter', now())",
        run.int % 2**40, json.dumps({"project_id": str(room.project)}), room.word, room.project,
    )  # fmt: skip


async def answers(room: SeededProject) -> None:
    """Creates stored answers under an Idempotency-Key, an invitation and a ticket."""
    client, key = room.owner.client, {"Idempotency-Key": "the-first"}
    body = {"title": room.word, "content": room.word}
    assert (await client.post(f"{room.url}/documents", json=body, headers=key)).status_code == 201
    batch = {"documents": [body, body]}
    assert (await client.post(f"{room.url}/documents/batch", json=batch, headers=key)).status_code == 201
    invited = {"email": f"{room.word}@example.com", "role": "viewer"}
    assert (await client.post(f"{room.url}/invitations", json=invited, headers=key)).status_code == 201
    assert (await client.post(f"{room.url}/events/ticket")).status_code == 200


async def test_nothing_remains(users: Users, resources: Resources, database: DatabaseUrls) -> None:
    room = await seed(users, resources, database, f"marker{uuid4().hex}")
    await journal(users, room)
    await answers(room)
    texts, files = (room.word, str(room.project)), resources.settings.data_dir
    (resources.settings.blob_directory / str(room.project) / "unfinished").write_text(room.word)
    before = await in_tables(users, *texts)
    assert before.keys() >= {"document", "chunk", "event", "run_step", "idempotency_key", "job"}
    assert len(in_files(files, *texts)) >= 3
    assert len(await in_cache(resources.cache, *texts)) >= 2

    assert (await room.owner.client.delete(room.url)).status_code == 204
    await work_off(users, resources, database, feature.jobs, room.project)
    assert await in_tables(users, *texts) == {}
    assert in_files(files, *texts) == []
    assert await in_cache(resources.cache, *texts) == []


async def test_unnumbered_events_are_deleted_as_well(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    path = f"/api/v1/projects/{project}"
    async with users.transaction() as holding:
        await holding.execute("SELECT FROM event_counter WHERE project_id = $1 FOR UPDATE", project)
        assert (await owner.client.post(f"{path}/documents", json=DOCUMENT)).status_code == 201
        assert await rows(users, project, "pending_event")
        assert (await owner.client.delete(path)).status_code == 204
    await purged(resources, project)
    assert await rows(users, project, "pending_event", "event", "event_counter") == 0


async def test_it_is_gone_at_once(team: Team, resources: Resources) -> None:
    key = await team.key("editor")
    await team.owner.client.post(f"{team.url}/documents", json=DOCUMENT)
    once = {"Idempotency-Key": "again"}
    assert (await team.owner.client.post(f"{team.url}/documents", json=DOCUMENT, headers=once)).status_code == 201
    ticket = (await team.owner.client.post(f"{team.url}/events/ticket")).json()["ticket"]
    assert (await team.owner.client.delete(team.url)).status_code == 204
    for person in (team.owner, team.admin, team.editor, team.viewer):
        for path in ("", "/documents", "/search?q=tenant", "/members", "/events", "/runs"):
            assert (await person.client.get(team.url + path)).status_code == 404, path
        assert (await person.client.get("/api/v1/projects")).json()["items"] == []
    replayed = await team.owner.client.post(f"{team.url}/documents", json=DOCUMENT, headers=once)
    assert replayed.status_code == 404
    assert (await team.owner.client.delete(team.url)).status_code == 404
    assert (await team.owner.client.get(f"{team.url}/documents", headers=key)).status_code in {401, 404}
    assert (await team.owner.client.get(f"{team.url}/events?ticket={ticket}")).status_code == 404
    with pytest.raises(ProjectNotFoundError):
        await ScopedReader(resources.reads, Principal.service(team.project)).scope(team.project)
    named = await team.users.fetch("SELECT name, description FROM project WHERE id = $1", team.project)
    assert [tuple(row) for row in named] == [("", None)]


async def test_the_answer_that_made_it_is_not_replayed(users: Users) -> None:
    owner = await users.person()
    asked = {"json": {"name": "Harbour 12"}, "headers": {"Idempotency-Key": "make-it"}}
    made = await owner.client.post("/api/v1/projects", **asked)  # type: ignore[arg-type]  # httpx2's own options
    project = UUID(made.json()["id"])
    assert (await owner.client.delete(f"/api/v1/projects/{project}")).status_code == 204
    again = await owner.client.post("/api/v1/projects", **asked)  # type: ignore[arg-type]  # as above
    assert (again.status_code, again.json()["code"]) == (404, "not_found")
    stored = await users.fetch("SELECT body, headers FROM idempotency_key WHERE principal = $1", str(owner.principal))
    assert [tuple(row) for row in stored] == [(b"", "{}")]
    assert (await owner.client.post("/api/v1/projects", json={"name": "Harbour 12"})).status_code == 201


async def purge(resources: Resources, project: UUID, most: int, size: int = 1 << 30) -> int | None:
    async with resources.reads.acquire() as connection:
        removed: int | None = await connection.fetchval("SELECT wall.purge_project($1, $2, $3)", project, most, size)
        return removed


async def purged(resources: Resources, project: UUID) -> None:
    context = JobContext(resources, uuid4(), job_id=1, attempt=2, last=False)
    await purge_project(context, ProjectDeleted(project_id=project))


TABLES = ("document", "document_text", "document_version", "event", "idempotency_key", "run", "chunk", "posting")


async def rows(users: Users, project: UUID, *tables: str) -> int:
    counts = [
        await users.fetch(f"SELECT count(*) FROM {name} WHERE project_id = $1", project)  # noqa: S608 - constants
        for name in tables or TABLES
    ]
    return sum(int(count) for [[count]] in counts)


async def test_a_purge_works_in_batches_and_only_on_deleted_projects(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    for start in range(3):
        batch = [{"title": f"{start}{n}", "content": "x" * 10_000} for n in range(20)]
        assert (
            await owner.client.post(f"/api/v1/projects/{project}/documents/batch", json={"documents": batch})
        ).is_success
    full = await rows(users, project)
    assert await purge(resources, project, 5) is None
    assert await rows(users, project) == full
    await owner.client.delete(f"/api/v1/projects/{project}")
    taken = await purge(resources, project, 100, 25_000)
    assert taken == 60  # the versions, which contain no text
    assert await purge(resources, project, 5, 25_000) == 3  # documents of 10 kB each, up to the byte limit
    taken += 3
    while some := await purge(resources, project, 5):
        assert some <= 50
        taken += some
    assert (taken, await rows(users, project)) == (full, 0)
    assert await purge(resources, uuid4(), 5) == 0


async def test_a_purge_that_was_killed_goes_on(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    await owner.client.post(f"/api/v1/projects/{project}/documents", json=DOCUMENT)
    await owner.client.delete(f"/api/v1/projects/{project}")
    context = JobContext(resources, uuid4(), job_id=1, attempt=1, last=False)
    context.stopping.set()
    with pytest.raises(AnotherAttemptError):
        await purge_project(context, ProjectDeleted(project_id=project))
    assert await rows(users, project) > 0
    await purged(resources, project)
    assert await users.fetch("SELECT FROM project WHERE id = $1", project) == []


async def test_a_purge_that_was_lost_is_enqueued_again_once(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    await owner.client.delete(f"/api/v1/projects/{project}")
    waiting = "SELECT id FROM job WHERE kind = 'project_deleted' AND project_id = $1"
    assert len(await users.fetch(waiting, project)) == 1
    await users.execute("DELETE FROM job WHERE kind = 'project_deleted'")
    for _ in range(2):
        await sweep_projects(resources)
        assert len(await users.fetch(waiting, project)) == 1


async def test_a_busy_project_is_not_waited_for_long(
    users: Users, database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "MAX_WAIT", timedelta(milliseconds=200))
    owner = await users.person()
    project = await owner.project()
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.runtime))
    try:
        async with connection.transaction():
            await connection.fetchval("SELECT wall.open_shared_scope($1, $2)", str(owner.principal), project)
            busy = await owner.client.delete(f"/api/v1/projects/{project}")
            assert (busy.status_code, busy.json()["code"]) == (503, "project_busy")
            assert busy.headers["retry-after"] == "1"
            assert (await owner.client.get(f"/api/v1/projects/{project}")).status_code == 200
        assert (await owner.client.delete(f"/api/v1/projects/{project}")).status_code == 204
    finally:
        await connection.close()


async def test_a_worker_that_waits_for_the_mark_is_not_let_in(users: Users, database: DatabaseUrls) -> None:
    """A worker has no membership whose removal would keep it out."""
    owner = await users.person()
    project = await owner.project()
    entering = ("SELECT wall.open_shared_scope($1, $2)", f"service:{project}", project)
    first, second = [await asyncpg.connect(DatabaseUrls.dsn(database.runtime)) for _ in range(2)]
    try:
        async with first.transaction():
            assert await first.fetchval(*entering) == "service"
            deleting = asyncio.create_task(owner.client.delete(f"/api/v1/projects/{project}"))
            await until_waiting(users, 1)
            late = asyncio.create_task(second.fetchval(*entering))
            await until_waiting(users, 2)
        assert (await deleting).status_code == 204
        assert await late is None
    finally:
        await first.close()
        await second.close()


async def _never_ending(first: bytes, then: asyncio.Event) -> AsyncIterator[bytes]:
    yield first
    await then.wait()
    yield first


async def test_an_upload_under_way_leaves_no_file(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    scope = await ScopedReader(resources.reads, owner.principal).scope(project)
    go_on = asyncio.Event()
    putting = asyncio.create_task(resources.blobs.put(scope, partial(_never_ending, b"x" * 10, go_on), max_bytes=100))
    directory = resources.settings.blob_directory / str(project)
    async with asyncio.timeout(60):
        while not directory.is_dir() or not any(directory.iterdir()):
            await asyncio.sleep(0.01)
    await owner.client.delete(f"/api/v1/projects/{project}")
    await purged(resources, project)
    go_on.set()
    with pytest.raises(ProjectNotFoundError):
        await putting
    assert not directory.exists()


async def test_a_deleted_project_gets_no_more_work(users: Users, resources: Resources) -> None:
    """No index is built, its invitations are invalid, and its owner may leave."""
    owner, guest = await users.person(), await users.person()
    project = await owner.project()
    await users.execute(
        "INSERT INTO search_index (project_id, model, dimension, status) VALUES ($1, 'an old model', 256, 'active')",
        project,
    )
    await users.join(project, guest, "owner")
    await owner.client.delete(f"/api/v1/projects/{project}")
    await notice_change(resources)
    query = "SELECT FROM job WHERE kind = 'build_index' AND project_id = $1"
    assert await users.fetch(query, project) == []
    assert await users.fetch("SELECT FROM project_member WHERE project_id = $1", project) == []


async def test_another_projects_keys_stay(users: Users, resources: Resources) -> None:
    owner = await users.person()
    one, two = await owner.project(), await owner.project()
    for project in (one, two):
        await owner.client.post(f"/api/v1/projects/{project}/events/ticket")
    await remove_keys_of(resources.cache, one)
    assert await in_cache(resources.cache, str(one)) == []
    assert len(await in_cache(resources.cache, str(two))) == 1


async def test_only_an_owner_marks(team: Team, database: DatabaseUrls) -> None:
    """The database enforces it, without the application's checks."""
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.runtime))
    try:
        for principal in (
            team.admin.principal,
            team.viewer.principal,
            Principal.service(team.project),
            Principal.user(uuid4()),
        ):
            async with connection.transaction():
                await connection.fetchval("SELECT wall.open_scope($1, $2)", str(principal), team.project)
                assert await connection.fetchval("SELECT wall.delete_project($1)", team.project) is False
    finally:
        await connection.close()
    assert (await team.owner.client.get(team.url)).status_code == 200


async def all_of(person: Person) -> list[str]:
    return [item["id"] for item in (await person.client.get("/api/v1/projects?limit=100")).json()["items"]]


async def test_many_are_deleted_at_once(users: Users) -> None:
    owner = await users.person()
    made = [await owner.project() for _ in range(12)]
    answers = await asyncio.gather(*(owner.client.delete(f"/api/v1/projects/{each}") for each in made[:10]))
    assert {each.status_code for each in answers} == {204}
    assert sorted(await all_of(owner)) == sorted(str(each) for each in made[10:])


async def test_a_read_that_has_started_completes(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project("Doomed")
    async with resources.sessions.read() as session:
        scope = await open_scope(session, owner.principal, project)
        assert (await asyncio.create_task(owner.client.delete(f"/api/v1/projects/{project}"))).status_code == 204
        assert (await service.get_project(session, scope)).project.name == "Doomed"
    assert (await owner.client.get(f"/api/v1/projects/{project}")).status_code == 404
