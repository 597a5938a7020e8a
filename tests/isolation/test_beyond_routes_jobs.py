"""A job's payload is no proof: whatever it names, another project is neither read nor changed by it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import pytest
from fastapi import FastAPI

from partywall.core.db.scoped_read import ScopedReader
from partywall.core.ids import new_id
from partywall.core.jobs.kinds import JobPayload, ProjectJobPayload
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, PrincipalKind, ProjectNotFoundError, enter_project
from partywall.features.agents.jobs import RunAgent
from partywall.features.documents.indexing import Kind
from partywall.features.documents.jobs import PurgeDocument, ReleaseBlobs
from partywall.features.projects.jobs import ProjectDeleted, SendInvitation
from partywall.features.search.jobs import BuildIndex, ClearIndex, EmbedChunks, PromoteVectors, SweepChunks
from partywall.features.webhooks.jobs import DeliverWebhook
from tests.engines import DatabaseUrls
from tests.isolation import rows
from tests.isolation.quiet import quiet_logs
from tests.isolation.rooms import RETIRED, Room, furnish
from tests.isolation.work import HANDLERS, index_once, run_job
from tests.people import People


@dataclass(frozen=True, slots=True)
class Things:
    """What a room has for jobs to do: a retired index with a vector, and a blob that nothing refers to."""

    room: Room
    index: UUID
    blob: str


type Forge = Callable[[UUID, str, Things], JobPayload]

# A payload for a project, in a principal's name, about another's things.
PAYLOADS: Final[Mapping[str, Forge]] = {
    "build_index": lambda project, by, _: BuildIndex(project_id=project, principal=by),
    "clear_index": lambda project, by, of: ClearIndex(project_id=project, principal=by, index=of.index),
    "deliver_webhook": lambda project, by, of: DeliverWebhook(
        project_id=project, principal=by, webhook_id=UUID(of.room.ids["webhook_id"])
    ),
    "embed_chunks": lambda project, by, of: EmbedChunks(project_id=project, principal=by, index=of.index),
    "promote_vectors": lambda project, by, of: PromoteVectors(project_id=project, principal=by, index=of.index),
    "purge_document": lambda project, by, of: PurgeDocument(
        project_id=project, principal=by, document_id=of.room.document
    ),
    "release_blobs": lambda project, by, of: ReleaseBlobs(project_id=project, principal=by, keys=[of.blob]),
    "run_agent": lambda project, by, of: RunAgent(project_id=project, principal=by, run_id=UUID(of.room.ids["run_id"])),
    "send_invitation": lambda project, by, of: SendInvitation(
        project_id=project, principal=by, invitation_id=UUID(of.room.ids["invitation_id"])
    ),
    "sweep_chunks": lambda project, by, of: SweepChunks(project_id=project, principal=by, document_id=of.room.document),
}
# What is sure to change something where it is done by right; the others do so only while a model is being changed.
EFFECTIVE: Final = ("clear_index", "release_blobs")
OF_NO_PROJECT: Final = {"confirm_address", "project_deleted", "resend_confirmation"}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with quiet_logs():
        yield


async def equip(people: People, resources: Resources, room: Room) -> Things:
    index = new_id()
    await people.execute(RETIRED, room.project, index)
    scope = await ScopedReader(resources.reads, room.owner.principal).scope(room.project)
    blob = await resources.blobs.put(scope, _bytes(room.word.encode()), max_bytes=100)
    return Things(room, index, blob.key)


async def _bytes(data: bytes) -> AsyncIterator[bytes]:
    yield data


@dataclass(frozen=True, slots=True)
class State:
    """All that there is of a project: rows, the files beside them, and the jobs that wait."""

    rows: Mapping[str, str]
    files: tuple[str, ...]
    jobs: int


@dataclass(frozen=True, slots=True)
class Rooms:
    people: People
    resources: Resources
    database: DatabaseUrls
    blobs: Path
    mine: Room
    foreign: Room
    things: Things

    async def state(self, room: Room) -> State:
        connection = await asyncpg.connect(DatabaseUrls.dsn(self.database.superuser))
        try:
            sums = await rows.checksums(connection, room.project)
            query = "SELECT count(*) FROM job WHERE payload::text LIKE '%' || $1 || '%'"
            jobs = await connection.fetchval(query, str(room.project))
        finally:
            await connection.close()
        files = (self.blobs / str(room.project)).rglob("*")
        return State(sums, tuple(sorted(path.name for path in files if path.is_file())), jobs)

    async def run(self, kind: str, payload: JobPayload) -> None:
        await run_job(self.people, self.resources, kind, payload)


async def two_rooms(people: People, resources: Resources, database: DatabaseUrls) -> Rooms:
    mine, foreign = [await furnish(people, resources, database, word) for word in ("amber", "bittern")]
    things = await equip(people, resources, foreign)
    return Rooms(people, resources, database, resources.settings.blob_directory, mine, foreign, things)


@pytest.fixture(scope="module")
async def rooms(app: FastAPI, resources: Resources, database: DatabaseUrls) -> AsyncIterator[Rooms]:
    async with People(app, resources, database) as people:
        yield await two_rooms(people, resources, database)


def test_every_kind_of_job_has_an_entry() -> None:
    assert set(PAYLOADS) | OF_NO_PROJECT == set(HANDLERS)
    for kind, handler in HANDLERS.items():
        assert issubclass(handler.kind.payload, ProjectJobPayload) == (kind in PAYLOADS)


def strangers(mine: Room) -> list[str]:
    """Who may be somebody in a project of their own."""
    return [str(mine.owner.principal), f"service:{mine.project}", f"key:{mine.ids['key_id']}", f"user:{uuid4()}"]


async def obeyed(rooms: Rooms, kind: str) -> list[str]:
    """The strangers in whose name such a job has changed the foreign project."""
    found = []
    for stranger in strangers(rooms.mine):
        before = await rooms.state(rooms.foreign)
        payload = PAYLOADS[kind](rooms.foreign.project, stranger, rooms.things)
        with contextlib.suppress(ProjectNotFoundError):
            await rooms.run(kind, payload)
        if await rooms.state(rooms.foreign) != before:
            found.append(stranger)
    return found


@pytest.mark.parametrize("kind", PAYLOADS)
async def test_a_job_in_a_strangers_name_does_nothing(rooms: Rooms, kind: str) -> None:
    assert await obeyed(rooms, kind) == []


@pytest.mark.parametrize("kind", PAYLOADS)
async def test_a_job_of_ones_own_about_foreign_things_does_nothing_to_them(rooms: Rooms, kind: str) -> None:
    before = await rooms.state(rooms.foreign)
    for principal in (str(rooms.mine.owner.principal), f"service:{rooms.mine.project}"):
        await rooms.run(kind, PAYLOADS[kind](rooms.mine.project, principal, rooms.things))
    assert await rooms.state(rooms.foreign) == before
    held = await rooms.people.fetch(
        "SELECT 1 FROM chunk WHERE project_id = $1 AND (text LIKE $2 OR context LIKE $2)",
        rooms.mine.project,
        f"%{rooms.foreign.word}%",
    )
    assert held == []


async def test_the_right_is_looked_up_again_when_the_job_runs(rooms: Rooms) -> None:
    member, room = await rooms.people.person(), rooms.mine
    await rooms.people.join(room.project, member, "editor")
    index = (await equip(rooms.people, rooms.resources, room)).index
    payload = ClearIndex(project_id=room.project, principal=str(member.principal), index=index)
    await rooms.people.execute("DELETE FROM project_member WHERE account_id = $1", member.id)
    before = await rooms.state(room)
    with pytest.raises(ProjectNotFoundError):
        await rooms.run("clear_index", payload)
    assert await rooms.state(room) == before
    await rooms.people.join(room.project, member, "editor")
    await rooms.run("clear_index", payload)
    assert await rooms.state(room) != before, "the control: by right it works"


@pytest.mark.parametrize("kind", ["service", "key"])
async def test_a_projects_own_principal_enters_no_other(rooms: Rooms, kind: str) -> None:
    mine, foreign = rooms.mine, rooms.foreign
    own = mine.project if kind == "service" else UUID(mine.ids["key_id"])
    principal = Principal(PrincipalKind(kind), own)
    async with rooms.resources.sessions.read() as session:
        assert (await enter_project(session, principal, mine.project)).project_id == mine.project
        with pytest.raises(ProjectNotFoundError):
            await enter_project(session, principal, foreign.project)


@pytest.mark.parametrize("kind", EFFECTIVE)
async def test_the_same_jobs_work_by_right(rooms: Rooms, kind: str) -> None:
    """The control, after all else: what did nothing above was no idle job."""
    before = await rooms.state(rooms.foreign)
    await rooms.run(kind, PAYLOADS[kind](rooms.foreign.project, f"service:{rooms.foreign.project}", rooms.things))
    assert await rooms.state(rooms.foreign) != before


async def test_indexing_one_project_leaves_the_other_as_it_is(rooms: Rooms) -> None:
    mine, foreign = rooms.mine, rooms.foreign
    for room in (mine, foreign):
        await rooms.people.execute("UPDATE document SET index_status = 'pending' WHERE id = $1", room.document)
    before = await rooms.state(foreign)
    assert await index_once(rooms.resources, mine.project, Kind.SMALL) == [mine.document]
    assert await rooms.state(foreign) == before
    assert await index_once(rooms.resources, foreign.project, Kind.SMALL) == [foreign.document], "the control"


async def test_the_end_of_a_project_that_goes_on_is_not_believed(rooms: Rooms) -> None:
    room = rooms.foreign
    before = await rooms.state(room)
    await rooms.run("project_deleted", ProjectDeleted(project_id=room.project))
    assert await rooms.state(room) == before
    assert before.files
    assert (await room.owner.client.delete(room.url)).status_code == 204
    await rooms.run("project_deleted", ProjectDeleted(project_id=room.project))
    assert (await rooms.state(room)).files == ()
