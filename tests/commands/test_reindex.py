from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from partywall.cli import run
from partywall.features.documents import operations
from partywall.testing.users import Person, Users

pytestmark = pytest.mark.usefixtures("servers")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "AT_ONCE", 2)


async def command(*arguments: str) -> int:
    """In a thread: a command runs its own event loop."""
    return await asyncio.to_thread(run, ("reindex", *arguments))


async def project_with_failures(users: Users, person: Person) -> UUID:
    """Three failed documents, one of them for another reason, and an indexed one."""
    project = await person.project()
    batch = [{"title": f"T{number}", "content": "C"} for number in range(4)]
    path = f"/api/v1/projects/{project}/documents/batch"
    assert (await person.client.post(path, json={"documents": batch})).status_code == 201
    await users.execute(
        "UPDATE document SET index_status = CASE title WHEN 'T3' THEN 'indexed' ELSE 'failed' END,"
        " index_error = CASE title WHEN 'T3' THEN NULL WHEN 'T2' THEN 'it took 100%' ELSE 'answered 422' END"
        " WHERE project_id = $1", project,
    )  # fmt: skip
    return project


async def waiting(users: Users, project: UUID) -> str:
    rows = await users.fetch(
        "SELECT title FROM document WHERE project_id = $1 AND index_status = 'pending' AND index_error IS NULL"
        " ORDER BY id", project,
    )  # fmt: skip
    return " ".join(row["title"] for row in rows)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--failed"], "T0 T1 T2"),
        (["--failed", "--error", "422"], "T0 T1"),
        (["--error", "100%"], "T2"),
        (["--error", "%"], "T2"),
        (["--all"], "T0 T1 T2 T3"),
    ],
)
async def test_documents_are_queued_again(
    users: Users, capsys: pytest.CaptureFixture[str], arguments: list[str], found: str
) -> None:
    person = await users.person()
    project, other = await project_with_failures(users, person), await project_with_failures(users, person)
    assert await command(*arguments, "--project", str(project)) == 0
    assert capsys.readouterr().out.endswith(f"{len(found.split())} documents queued\n")
    assert (await waiting(users, project), await waiting(users, other)) == (found, "")


async def test_without_a_project_it_covers_all_of_them(users: Users) -> None:
    """Once: the projects do not depend on what is chosen in them, and other tests have left many."""
    person = await users.person()
    projects = [await project_with_failures(users, person) for _ in range(2)]
    assert await command("--error", "422") == 0
    assert [await waiting(users, each) for each in projects] == ["T0 T1", "T0 T1"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--all", "--failed"],
        ["--all", "--error", "x"],
        ["--failed", "--project", "x"],
        ["--failed", "--project", ""],
        ["--error", ""],
        ["--failed", "--error", ""],
        ["--error", " \t"],
        ["--all", "--error", ""],
        ["--error", "\udcff"],
    ],
)
async def test_invalid_arguments_are_refused(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert await command(*arguments) == 2
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    assert printed.out == "", "nothing was asked for"


async def test_a_project_that_is_named_twice_counts_once(users: Users, capsys: pytest.CaptureFixture[str]) -> None:
    project = str(await project_with_failures(users, await users.person()))
    assert await command("--all", "--project", project, "--project", project.upper()) == 0
    assert capsys.readouterr().out.endswith("\n4 documents queued\n")


async def test_a_project_that_is_not_there_is_named(users: Users, capsys: pytest.CaptureFixture[str]) -> None:
    missing = uuid4()
    assert await command("--failed", "--project", str(missing)) == 2
    assert capsys.readouterr().err == f"partywall: there is no project {missing}\n"


async def test_existing_projects_are_reindexed_despite_a_missing_one(
    users: Users, capsys: pytest.CaptureFixture[str]
) -> None:
    project, missing = await project_with_failures(users, await users.person()), uuid4()
    assert await command("--all", "--project", str(missing), "--project", str(project)) == 1
    printed = capsys.readouterr()
    assert printed.out.endswith("4 documents queued\n")
    assert printed.err == f"there is no project {missing}\n"
    assert await waiting(users, project) == "T0 T1 T2 T3"
