"""Writers lock the project and their membership: deletions and removals wait, without deadlocks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from uuid import UUID

import asyncpg
import pytest
from httpx2 import Response

from partywall.core.db.scopes import open_scope, open_shared_scope
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, ProjectNotFoundError, Role
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Person, Users
from tests.features.api_keys.conftest import MakeKey, make_key

__all__ = ["make_key"]

DOCUMENT = {"title": "Lease", "content": "The tenant pays."}


def url(project: UUID, rest: str = "") -> str:
    return f"/api/v1/projects/{project}{rest}"


async def repeatedly(act: Callable[[], Awaitable[Response]], until: asyncio.Event) -> Counter[int]:
    """Repeats `act` until the event, then once more after everything else."""
    statuses: Counter[int] = Counter()
    while not until.is_set():
        statuses[(await act()).status_code] += 1
    statuses[(await act()).status_code] += 1
    return statuses


def posting(person: Person, path: str, body: dict[str, str] = DOCUMENT) -> Callable[[], Awaitable[Response]]:
    return partial(person.client.post, path, json=body)


async def index_like_a_worker(resources: Resources, project: UUID, until: asyncio.Event) -> int:
    """Locks rows first and the event counter last, like the indexing jobs."""
    rounds = 0
    while not until.is_set():
        async with resources.reads.acquire() as connection, connection.transaction():
            await connection.execute("SELECT wall.open_shared_scope($1, $2)", f"service:{project}", project)
            await connection.execute("UPDATE document SET state = state + 1 WHERE project_id = $1", project)
            await asyncio.sleep(0.005)
            await connection.execute(
                "SELECT wall.append_events($1, 'service', "
                """'[{"type": "t", "subject_kind": "k", "subject_id": "i", "data": {}}]')""",
                project,
            )
            rounds += 1
    return rounds


async def test_a_project_is_renamed_while_documents_are_written(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        writers = [group.create_task(repeatedly(posting(owner, url(project, "/documents")), stop)) for _ in range(2)]
        worker = group.create_task(index_like_a_worker(resources, project, stop))
        renamed = [(await owner.client.patch(url(project), json={"name": f"n{n}"})).status_code for n in range(15)]
        stop.set()
    assert renamed == [200] * 15
    assert all(set(each.result()) == {201} for each in writers)
    assert worker.result() > 0


async def test_a_project_is_deleted_while_it_is_written(users: Users, resources: Resources) -> None:
    """Every answer is in the contract: written before the deletion, or not found after it."""
    owner = await users.person()
    for _ in range(6):
        project, stop = await owner.project(), asyncio.Event()
        await owner.client.post(url(project, "/documents"), json=DOCUMENT)
        async with asyncio.TaskGroup() as group:
            writers = [
                group.create_task(repeatedly(posting(owner, url(project, "/documents")), stop)) for _ in range(2)
            ]
            group.create_task(index_like_a_worker(resources, project, stop))
            await asyncio.sleep(0.05)
            deleted = await owner.client.delete(url(project))
            stop.set()
        assert deleted.status_code == 204, deleted.text
        assert all(set(each.result()) <= {201, 404} for each in writers)


async def test_two_who_delete_the_same_project_do_not_wait_for_each_other(users: Users) -> None:
    owner = await users.person()
    for _ in range(4):
        project = await owner.project()
        answers = await asyncio.gather(*(owner.client.delete(url(project)) for _ in range(3)))
        assert sorted(each.status_code for each in answers) == [204, 404, 404]


@pytest.mark.parametrize("ending", ["removed", "lowered"])
async def test_a_removal_waits_for_what_was_begun_and_nothing_comes_after(
    users: Users, database: DatabaseUrls, ending: str
) -> None:
    owner, member = await users.person(), await users.person()
    project = await owner.project()
    await users.join(project, member, "editor")
    at = url(project, f"/members/{member.id}")
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.runtime))
    try:
        writing = connection.transaction()
        await writing.start()
        entered = await connection.fetchval("SELECT wall.open_shared_scope($1, $2)", str(member.principal), project)
        assert entered == "editor"
        change = owner.client.delete(at) if ending == "removed" else owner.client.patch(at, json={"role": "viewer"})
        ended = asyncio.create_task(change)
        done, _ = await asyncio.wait({ended}, timeout=0.3)
        assert not done, "the removal must wait for the writer"
        await connection.execute(
            "INSERT INTO document (project_id, title, content, size, content_sha256, created_by)"
            " VALUES ($1, 't', 'c', 1, 'x', 'u')",
            project,
        )
        await writing.commit()
        assert (await ended).is_success
        async with connection.transaction():
            after = await connection.fetchval("SELECT wall.open_shared_scope($1, $2)", str(member.principal), project)
        assert after == (None if ending == "removed" else "viewer")
    finally:
        await connection.close()


async def until_waiting(users: Users, count: int) -> None:
    """Waits until `count` connections wait for a lock."""
    query = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(60):
        while (await users.fetch(query))[0]["n"] < count:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("ending", ["deleted", "removed", "revoked"])
async def test_a_later_writer_does_not_overtake_a_waiting_end(
    users: Users, database: DatabaseUrls, make_key: MakeKey, ending: str
) -> None:
    """Otherwise an uninterrupted series of writers could delay it for ever."""
    owner, member = await users.person(), await users.person()
    project = await owner.project()
    await users.join(project, member, "editor")
    key = await make_key(owner, project, "editor")
    writer = str(Principal.key(key.id) if ending == "revoked" else member.principal)
    at = {"deleted": "", "removed": f"/members/{member.id}", "revoked": f"/api-keys/{key.id}"}[ending]
    entering = ("SELECT wall.open_shared_scope($1, $2)", writer, project)
    first, second = [await asyncpg.connect(DatabaseUrls.dsn(database.runtime)) for _ in range(2)]
    try:
        writing = first.transaction()
        await writing.start()
        assert await first.fetchval(*entering) == "editor"
        ended = asyncio.create_task(owner.client.delete(url(project, at)))
        await until_waiting(users, 1)
        late = asyncio.create_task(second.fetchval(*entering))
        await until_waiting(users, 2)
        await writing.commit()
        assert (await ended).is_success
        assert await late is None
    finally:
        await first.close()
        await second.close()


async def writes_while_ending(writer: Callable[[], Awaitable[Response]], end: Awaitable[Response]) -> Counter[int]:
    begun, stop = asyncio.Event(), asyncio.Event()

    async def write() -> Response:
        answer = await writer()
        begun.set()
        return answer

    writing = asyncio.create_task(repeatedly(write, stop))
    await begun.wait()
    assert (await end).is_success
    stop.set()
    return await writing


async def test_a_member_removed_in_the_middle_of_writing_is_refused_properly(users: Users) -> None:
    owner = await users.person()
    project = await owner.project()
    for role, act in (("editor", "/documents"), ("admin", "/api-keys")):
        member = await users.person()
        await users.join(project, member, role)
        body = DOCUMENT if role == "editor" else {"name": "k", "role": "viewer"}
        statuses = await writes_while_ending(
            posting(member, url(project, act), body),
            owner.client.delete(url(project, f"/members/{member.id}")),
        )
        assert set(statuses) <= {201, 404, 409}, statuses
        assert statuses[404] > 0


async def test_a_key_revoked_in_the_middle_of_writing_is_refused_properly(users: Users, make_key: MakeKey) -> None:
    owner = await users.person()
    project = await owner.project()
    key = await make_key(owner, project, "editor")
    statuses = await writes_while_ending(
        partial(key.client.post, url(project, "/documents"), json=DOCUMENT),
        owner.client.delete(url(project, f"/api-keys/{key.id}")),
    )
    assert set(statuses) <= {201, 401, 404}, statuses


async def test_the_write_scope_checks_access_like_the_read_scope(users: Users, resources: Resources) -> None:
    owner, outsider = await users.person(), await users.person()
    project = await owner.project()
    async with resources.sessions.begin() as session:
        assert (await open_shared_scope(session, owner.principal, project)).role is Role.OWNER
        assert (await open_shared_scope(session, Principal.service(project), project)).role is Role.SERVICE
        assert (await open_scope(session, owner.principal, project)).role is Role.OWNER
    for principal in (outsider.principal, Principal.key(owner.id), Principal.service(owner.id)):
        async with resources.sessions.begin() as session:
            with pytest.raises(ProjectNotFoundError):
                await open_shared_scope(session, principal, project)


async def test_an_outsider_holds_no_lock(users: Users, database: DatabaseUrls) -> None:
    owner, outsider = await users.person(), await users.person()
    project = await owner.project()
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.runtime))
    try:
        async with connection.transaction():
            assert (
                await connection.fetchval("SELECT wall.open_shared_scope($1, $2)", str(outsider.principal), project)
                is None
            )
            async with asyncio.timeout(60):
                assert (await owner.client.delete(url(project))).status_code == 204
    finally:
        await connection.close()


async def owner_with_keys(users: Users, count: int) -> tuple[Person, UUID]:
    owner = await users.person()
    project = await owner.project()
    await users.execute(
        "INSERT INTO api_key (project_id, name, prefix, secret_hash, role, created_by)"
        " SELECT $1, 'n', gen_random_uuid(), ''::bytea, 'viewer', 'user:x' FROM generate_series(1, $2)",
        project, count,
    )  # fmt: skip
    return owner, project


async def test_the_limit_of_keys_is_not_raced(users: Users) -> None:
    owner, project = await owner_with_keys(users, 48)
    bodies = ({"name": f"k{n}", "role": "viewer"} for n in range(6))
    answers = await asyncio.gather(*(owner.client.post(url(project, "/api-keys"), json=body) for body in bodies))
    assert Counter(each.status_code for each in answers) == {201: 2, 403: 4}
