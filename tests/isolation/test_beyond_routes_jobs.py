"""A job's payload proves nothing: whatever it names, it can neither read nor change another project."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import pytest
from fastapi import FastAPI

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scopes import open_scope
from partywall.core.ids import new_id
from partywall.core.jobs.payloads import JobPayload, ProjectJobPayload
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, PrincipalKind, ProjectNotFoundError
from partywall.features.documents.index_queue import WorkKind
from partywall.features.documents.jobs import DeleteEntries, DeleteMatching, PurgeDocument, ReadFile, ReleaseBlobs
from partywall.features.projects.jobs import ProjectDeleted, ProjectLanguageChanged, SendInvitation
from partywall.features.runs.jobs import RunAgent
from partywall.features.search.jobs import (
    BuildIndex,
    ClearIndex,
    EmbedChunks,
    PromoteVectors,
    RecheckDocuments,
    SweepChunks,
)
from partywall.features.webhooks.jobs import DeliverWebhook
from partywall.testing.engines import DatabaseUrls
from partywall.testing.isolation import rows
from partywall.testing.users import Users
from tests.isolation.job_runner import HANDLERS, index_once, run_job
from tests.isolation.plain_logs import plain_logs
from tests.isolation.seeded_project import RETIRED, SeededProject, seed


@dataclass(frozen=True, slots=True)
class Things:
    """What jobs can work on: a retired index with a vector, and an unreferenced blob."""

    seeded_project: SeededProject
    index: UUID
    blob: str


type Forge = Callable[[UUID, str, Things], JobPayload]

# Builds a payload for a project, in a principal's name, about another project's resources.
PAYLOADS: Final[Mapping[str, Forge]] = {
    "build_index": lambda project, by, _: BuildIndex(project_id=project, principal=by),
    "clear_index": lambda project, by, of: ClearIndex(project_id=project, principal=by, index=of.index),
    "delete_entries": lambda project, by, of: DeleteEntries(
        project_id=project, principal=by, archive_id=of.seeded_project.document
    ),
    "delete_matching": lambda project, by, of: DeleteMatching(
        project_id=project, principal=by, deletion_id=UUID(of.seeded_project.ids["deletion_id"])
    ),
    "deliver_webhook": lambda project, by, of: DeliverWebhook(
        project_id=project, principal=by, webhook_id=UUID(of.seeded_project.ids["webhook_id"])
    ),
    "embed_chunks": lambda project, by, of: EmbedChunks(project_id=project, principal=by, index=of.index),
    "promote_vectors": lambda project, by, of: PromoteVectors(project_id=project, principal=by, index=of.index),
    "purge_document": lambda project, by, of: PurgeDocument(
        project_id=project, principal=by, document_id=of.seeded_project.document
    ),
    "read_file": lambda project, by, of: ReadFile(
        project_id=project, principal=by, document_id=of.seeded_project.document
    ),
    "project_language_changed": lambda project, by, _: ProjectLanguageChanged(project_id=project, principal=by),
    "recheck_documents": lambda project, by, of: RecheckDocuments(project_id=project, principal=by, index=of.index),
    "release_blobs": lambda project, by, of: ReleaseBlobs(project_id=project, principal=by, keys=[of.blob]),
    "run_agent": lambda project, by, of: RunAgent(
        project_id=project, principal=by, run_id=UUID(of.seeded_project.ids["run_id"])
    ),
    "send_invitation": lambda project, by, of: SendInvitation(
        project_id=project, principal=by, invitation_id=UUID(of.seeded_project.ids["invitation_id"])
    ),
    "sweep_chunks": lambda project, by, of: SweepChunks(
        project_id=project, principal=by, document_id=of.seeded_project.document
    ),
}
# Jobs that always change something in their own project; the others do so only while a model is being changed.
EFFECTIVE: Final = ("clear_index", "release_blobs")
OF_NO_PROJECT: Final = {
    "confirm_address", "forgotten_password", "locked_login", "mail_account_token", "password_changed",
    "project_deleted", "resend_confirmation",
}  # fmt: skip


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with plain_logs():
        yield


async def equip(users: Users, resources: Resources, seeded_project: SeededProject) -> Things:
    index = new_id()
    await users.execute(RETIRED, seeded_project.project, index)
    scope = await ScopedReader(resources.reads, seeded_project.owner.principal).scope(seeded_project.project)
    blob = await resources.blobs.put(scope, partial(_bytes, seeded_project.word.encode()), max_bytes=100)
    return Things(seeded_project, index, blob.key)


async def _bytes(data: bytes) -> AsyncIterator[bytes]:
    yield data


@dataclass(frozen=True, slots=True)
class State:
    """All data of a project: rows, files and waiting jobs."""

    rows: Mapping[str, str]
    files: tuple[str, ...]
    jobs: int


@dataclass(frozen=True, slots=True)
class TwoProjects:
    users: Users
    resources: Resources
    database: DatabaseUrls
    blobs: Path
    mine: SeededProject
    foreign: SeededProject
    things: Things

    async def state(self, seeded_project: SeededProject) -> State:
        connection = await asyncpg.connect(DatabaseUrls.dsn(self.database.superuser))
        try:
            sums = await rows.checksums(connection, seeded_project.project)
            query = "SELECT count(*) FROM job WHERE payload::text LIKE '%' || $1 || '%'"
            jobs = await connection.fetchval(query, str(seeded_project.project))
        finally:
            await connection.close()
        files = (self.blobs / str(seeded_project.project)).rglob("*")
        return State(sums, tuple(sorted(path.name for path in files if path.is_file())), jobs)

    async def run(self, kind: str, payload: JobPayload) -> None:
        await run_job(self.users, self.resources, kind, payload)


async def seed_two_projects(users: Users, resources: Resources, database: DatabaseUrls) -> TwoProjects:
    mine, foreign = [await seed(users, resources, database, word) for word in ("amber", "bittern")]
    things = await equip(users, resources, foreign)
    return TwoProjects(users, resources, database, resources.settings.blob_directory, mine, foreign, things)


@pytest.fixture(scope="module")
async def two_projects(app: FastAPI, resources: Resources, database: DatabaseUrls) -> AsyncIterator[TwoProjects]:
    async with Users(app, resources, database) as users:
        yield await seed_two_projects(users, resources, database)


def test_every_kind_of_job_has_an_entry() -> None:
    assert set(PAYLOADS) | OF_NO_PROJECT == set(HANDLERS)
    for kind, handler in HANDLERS.items():
        assert issubclass(handler.kind.payload, ProjectJobPayload) == (kind in PAYLOADS)


def outsiders(mine: SeededProject) -> list[str]:
    """Principals that exist in a project of their own, and a user that does not exist."""
    return [str(mine.owner.principal), f"service:{mine.project}", f"key:{mine.ids['key_id']}", f"user:{uuid4()}"]


async def obeyed(two_projects: TwoProjects, kind: str) -> list[str]:
    """The outsiders in whose name such a job changed the foreign project."""
    found = []
    for outsider in outsiders(two_projects.mine):
        before = await two_projects.state(two_projects.foreign)
        payload = PAYLOADS[kind](two_projects.foreign.project, outsider, two_projects.things)
        with contextlib.suppress(ProjectNotFoundError):
            await two_projects.run(kind, payload)
        if await two_projects.state(two_projects.foreign) != before:
            found.append(outsider)
    return found


@pytest.mark.parametrize("kind", PAYLOADS)
async def test_a_job_in_an_outsiders_name_does_nothing(two_projects: TwoProjects, kind: str) -> None:
    assert await obeyed(two_projects, kind) == []


@pytest.mark.parametrize("kind", PAYLOADS)
async def test_a_job_of_ones_own_about_foreign_things_does_nothing_to_them(
    two_projects: TwoProjects, kind: str
) -> None:
    before = await two_projects.state(two_projects.foreign)
    for principal in (str(two_projects.mine.owner.principal), f"service:{two_projects.mine.project}"):
        await two_projects.run(kind, PAYLOADS[kind](two_projects.mine.project, principal, two_projects.things))
    assert await two_projects.state(two_projects.foreign) == before
    held = await two_projects.users.fetch(
        "SELECT 1 FROM chunk WHERE project_id = $1 AND (text LIKE $2 OR context LIKE $2)",
        two_projects.mine.project,
        f"%{two_projects.foreign.word}%",
    )
    assert held == []


async def test_the_right_is_looked_up_again_when_the_job_runs(two_projects: TwoProjects) -> None:
    member, seeded_project = await two_projects.users.person(), two_projects.mine
    await two_projects.users.join(seeded_project.project, member, "editor")
    index = (await equip(two_projects.users, two_projects.resources, seeded_project)).index
    payload = ClearIndex(project_id=seeded_project.project, principal=str(member.principal), index=index)
    await two_projects.users.execute("DELETE FROM project_member WHERE account_id = $1", member.id)
    before = await two_projects.state(seeded_project)
    with pytest.raises(ProjectNotFoundError):
        await two_projects.run("clear_index", payload)
    assert await two_projects.state(seeded_project) == before
    await two_projects.users.join(seeded_project.project, member, "editor")
    await two_projects.run("clear_index", payload)
    assert await two_projects.state(seeded_project) != before, "the control: by right it works"


@pytest.mark.parametrize("kind", ["service", "key"])
async def test_a_projects_own_principal_enters_no_other(two_projects: TwoProjects, kind: str) -> None:
    mine, foreign = two_projects.mine, two_projects.foreign
    own = mine.project if kind == "service" else UUID(mine.ids["key_id"])
    principal = Principal(PrincipalKind(kind), own)
    async with two_projects.resources.sessions.read() as session:
        assert (await open_scope(session, principal, mine.project)).project_id == mine.project
        with pytest.raises(ProjectNotFoundError):
            await open_scope(session, principal, foreign.project)


@pytest.mark.parametrize("kind", EFFECTIVE)
async def test_the_same_jobs_work_by_right(two_projects: TwoProjects, kind: str) -> None:
    """The control, after all other tests: these jobs do have an effect."""
    before = await two_projects.state(two_projects.foreign)
    await two_projects.run(
        kind,
        PAYLOADS[kind](two_projects.foreign.project, f"service:{two_projects.foreign.project}", two_projects.things),
    )
    assert await two_projects.state(two_projects.foreign) != before


async def test_indexing_one_project_leaves_the_other_as_it_is(two_projects: TwoProjects) -> None:
    mine, foreign = two_projects.mine, two_projects.foreign
    for seeded_project in (mine, foreign):
        await two_projects.users.execute(
            "UPDATE document SET index_status = CASE id WHEN $2 THEN 'pending' ELSE 'indexed' END"
            " WHERE project_id = $1",
            seeded_project.project,
            seeded_project.document,
        )
    before = await two_projects.state(foreign)
    assert await index_once(two_projects.resources, mine.project, WorkKind.SMALL) == [mine.document]
    assert await two_projects.state(foreign) == before
    assert await index_once(two_projects.resources, foreign.project, WorkKind.SMALL) == [foreign.document], (
        "the control"
    )


async def test_the_end_of_a_project_that_goes_on_is_not_believed(two_projects: TwoProjects) -> None:
    seeded_project = two_projects.foreign
    before = await two_projects.state(seeded_project)
    await two_projects.run("project_deleted", ProjectDeleted(project_id=seeded_project.project))
    assert await two_projects.state(seeded_project) == before
    assert before.files
    assert (await seeded_project.owner.client.delete(seeded_project.url)).status_code == 204
    await two_projects.run("project_deleted", ProjectDeleted(project_id=seeded_project.project))
    assert (await two_projects.state(seeded_project)).files == ()
