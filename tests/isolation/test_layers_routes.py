"""With one layer removed from the whole deployment, every route of a project is called."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

import asyncpg
import pytest
from httpx2 import Response

from partywall.settings import Settings
from partywall.testing.engines import DatabaseUrls, Urls
from partywall.testing.isolation import rows
from tests.isolation.app_copies import Copy, open_copy
from tests.isolation.drive import ERRORS, leaked, listed, operations
from tests.isolation.plain_logs import plain_logs
from tests.isolation.seeded_project import SeededProject, seed
from tests.isolation.unfiltered import filters_taken_away, unfiltered


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with plain_logs():
        yield


@dataclass(frozen=True, slots=True)
class Damaged:
    """A copy that lacks one layer, with projects in it."""

    copy: Copy
    mine: SeededProject
    foreign: SeededProject
    third: SeededProject
    # A project that no other test needs; its owner may delete it.
    spare: SeededProject
    # The statements that have lost their filter so far; None if filters are active.
    statements: set[str] | None = None


async def seeded(copy: Copy) -> Damaged:
    mine, foreign, third, spare = [
        await seed(copy.users, copy.resources, copy.database, word) for word in ("amber", "bittern", "cobalt", "dunlin")
    ]
    return Damaged(copy, mine, foreign, third, spare)


@pytest.fixture(scope="module")
async def without_policies(
    engines: Urls, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Damaged]:
    directory = tmp_path_factory.mktemp("policies")
    async with open_copy(engines, settings, "policies", directory) as copy:
        assert await copy.row_security("DISABLE") > 15
        yield await seeded(copy)


@pytest.fixture(scope="module")
async def without_filters(
    engines: Urls, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Damaged]:
    directory = tmp_path_factory.mktemp("filters")
    async with open_copy(engines, settings, "filters", directory) as copy:
        damaged = await seeded(copy)
        async with filters_taken_away(copy) as statements:
            yield replace(damaged, statements=statements)


@pytest.fixture(params=["policies", "filters"])
def damaged(request: pytest.FixtureRequest) -> Damaged:
    found: Damaged = request.getfixturevalue(f"without_{request.param}")
    return found


async def checksums(at: Damaged, seeded_project: SeededProject) -> dict[str, str]:
    connection = await asyncpg.connect(DatabaseUrls.dsn(at.copy.database.superuser))
    try:
        return await rows.checksums(connection, seeded_project.project)
    finally:
        await connection.close()


def blobs(at: Damaged, seeded_project: SeededProject) -> list[str]:
    folder = at.copy.settings.blob_directory / str(seeded_project.project)
    return sorted(f"{path}:{path.stat().st_size}" for path in folder.rglob("*") if path.is_file())


async def test_no_route_reaches_a_foreign_project(damaged: Damaged) -> None:
    before = await checksums(damaged, damaged.foreign), blobs(damaged, damaged.foreign)
    for operation in operations(damaged.copy.app):
        request = operation.request(damaged.mine.owner.client, damaged.foreign, damaged.foreign)
        answer = await damaged.mine.owner.client.send(request)
        assert (answer.status_code, answer.json()["code"]) == (404, "project_not_found"), operation
        assert leaked(request, answer, damaged.foreign) == [], operation
    assert (await checksums(damaged, damaged.foreign), blobs(damaged, damaged.foreign)) == before


async def test_no_foreign_id_works_in_a_project_of_ones_own(damaged: Damaged) -> None:
    before = await checksums(damaged, damaged.foreign), blobs(damaged, damaged.foreign)
    for operation in operations(damaged.copy.app):
        if operation.streams or operation.takes_the_project_away:
            continue
        request = operation.request(damaged.mine.owner.client, damaged.mine, damaged.foreign)
        answer = await damaged.mine.owner.client.send(request)
        if operation.things:
            assert answer.status_code in ERRORS, (operation, answer.text)
        assert leaked(request, answer, damaged.foreign) == [], (operation, answer.text)
        assert answer.status_code != 409, (operation, "the other project's data must cause no conflict")
        if operation.method == "GET":
            assert damaged.foreign.word not in str(listed(answer)), operation
    assert damaged.statements is None or len(damaged.statements) > 20, "the planted fault affected hardly any statement"
    assert (await checksums(damaged, damaged.foreign), blobs(damaged, damaged.foreign)) == before


async def test_the_lists_of_ones_own_hold_nothing_else(damaged: Damaged) -> None:
    """Without filters, page by page, and with counts."""
    client, mine, other = damaged.mine.owner.client, damaged.mine, damaged.third
    for path in ("/documents?offset=0&limit=100", "/documents/stats", "/documents?limit=1&sort=title",
                 "/search?q=harbour&group=chunk&limit=100", f"/documents/{mine.document}/versions?offset=0",
                 f"/documents?external_id={other.external_id}"):  # fmt: skip
        answer = await client.get(mine.url + path)
        assert answer.status_code == 200, answer.text
        assert leaked(answer.request, answer, other) == [], path
    own = await _documents_of(damaged, mine)
    assert (await client.get(mine.url + "/documents?offset=0")).json()["total"] == own
    assert (await client.get(mine.url + "/documents/stats")).json()["total"] == own
    projects = (await client.get("/api/v1/projects?offset=0")).json()
    assert ([each["id"] for each in projects["items"]], projects["total"]) == ([str(mine.project)], 1)


async def _documents_of(damaged: Damaged, seeded_project: SeededProject) -> int:
    """The policies alone hide what is in the trash."""
    query = "SELECT count(*) AS documents FROM document WHERE project_id = $1 AND (deleted_at IS NULL OR $2)"
    without_policies = damaged.statements is None
    found: int = (await damaged.copy.users.fetch(query, seeded_project.project, without_policies))[0]["documents"]
    return found


async def test_with_both_away_there_is_no_wall(without_filters: Damaged) -> None:
    """The counter-test: without filters, the policies are what protects, not chance."""
    at = without_filters
    await at.copy.row_security("DISABLE")
    try:
        answer = await at.mine.owner.client.get(f"{at.mine.url}/documents?limit=100")
        assert at.third.word in answer.text
    finally:
        await at.copy.row_security("ENABLE")


async def test_the_same_questions_are_answered_at_home(damaged: Damaged) -> None:
    """The control: every operation refused above works in the caller's own project."""
    seeded_project = damaged.spare
    for operation in operations(damaged.copy.app):
        if operation.streams:
            continue
        answer = await seeded_project.owner.client.send(
            operation.request(seeded_project.owner.client, seeded_project, seeded_project)
        )
        assert answered(answer), (operation.name, answer.status_code, answer.text)
        if operation.things and answer.status_code == 204:
            assert (
                await seeded_project.owner.client.send(
                    operation.request(seeded_project.owner.client, seeded_project, seeded_project)
                )
            ).status_code == 404


def answered(answer: Response) -> bool:
    """Success, or a conflict with existing data, which only a member can get."""
    return answer.status_code < 300 or answer.status_code == 409


@pytest.mark.parametrize(
    ("sql", "left"),
    [
        (
            "SELECT 1 FROM document WHERE document.project_id = $2::UUID AND document.id = $3::UUID",
            "SELECT 1 FROM document WHERE $2::uuid IS NOT NULL AND document.id = $3::UUID",
        ),
        ("WHERE event.project_id = $2 AND", "WHERE $2::uuid IS NOT NULL AND"),
        ("WHERE project.id = $1::UUID", "WHERE $1::uuid IS NOT NULL"),
        ("SET x = 1 WHERE project_id = $2 AND y", "SET x = 1 WHERE $2::uuid IS NOT NULL AND y"),
        ("ON chunk.project_id = vectors.project_id", "ON chunk.project_id = vectors.project_id"),
    ],
)
def test_the_planted_loss_takes_the_filters_and_nothing_else(sql: str, left: str) -> None:
    assert unfiltered(sql) == left
