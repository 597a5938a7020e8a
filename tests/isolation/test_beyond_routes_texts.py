"""Log lines, error texts and file names contain nothing of another project."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from httpx2 import Response

from partywall.core.resources import Resources
from partywall.settings import Settings
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users
from tests.isolation.drive import operations
from tests.isolation.plain_logs import plain_logs
from tests.isolation.seeded_project import SeededProject, seed
from tests.server import environment_of, free_port, program, until_ready

type Line = dict[str, Any]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with plain_logs():
        yield


@dataclass(frozen=True, slots=True)
class TwoProjects:
    mine: SeededProject
    foreign: SeededProject


@pytest.fixture(scope="module")
async def two_projects(app: FastAPI, resources: Resources, database: DatabaseUrls) -> AsyncIterator[TwoProjects]:
    async with Users(app, resources, database) as users:
        mine, foreign = [await seed(users, resources, database, word) for word in ("amber", "bittern")]
        yield TwoProjects(mine, foreign)


async def _drive(app: FastAPI, url: str, two_projects: TwoProjects) -> None:
    """Calls every operation with foreign ids, from outside and from the caller's own project."""
    headers = {"Authorization": f"Bearer {two_projects.mine.owner.token}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
        for operation in operations(app):
            for inside in (two_projects.foreign, two_projects.mine):
                if inside is two_projects.mine and (operation.takes_the_project_away or operation.streams):
                    continue
                await client.send(operation.request(client, inside, two_projects.foreign))


def told(line: Line, foreign: SeededProject) -> list[str]:
    """The foreign project's secrets in a log line, except the ids in the request's own path."""
    asked = str(line.get("path", ""))
    return [secret for secret in foreign.secrets() if secret in json.dumps(line) and secret not in asked]


async def test_a_requests_log_lines_name_nothing_foreign(
    app: FastAPI, settings: Settings, two_projects: TwoProjects, tmp_path: Path
) -> None:
    log, port = tmp_path / "api.log", free_port()
    url = f"http://127.0.0.1:{port}"
    async with program("api", "--port", str(port), environment=environment_of(settings), log=log):
        await until_ready(url)
        await _drive(app, url, two_projects)
    lines: list[Line] = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    mine = [line for line in lines if line.get("principal") == str(two_projects.mine.owner.principal)]
    assert len(mine) > 30
    assert [line for line in mine if told(line, two_projects.foreign)] == []
    assert [line for line in mine if str(line["project_id"]) not in line["path"]] == []
    assert two_projects.foreign.word not in log.read_text(), "content of a request"


def test_a_line_that_names_something_foreign_is_found(two_projects: TwoProjects) -> None:
    foreign = two_projects.foreign
    assert told({"event": "x", "path": f"/documents/{foreign.document}"}, foreign) == []
    assert told({"event": "x", "document_id": str(foreign.document)}, foreign)
    assert told({"event": "x", "error": f"Key (title)=({foreign.word})"}, foreign)


async def _conflicts(seeded_project: SeededProject) -> AsyncIterator[tuple[str, Response]]:
    """Every way to use an external id that another document has."""
    client, url = seeded_project.owner.client, f"{seeded_project.url}/documents"
    body = {"title": "mine", "content": "mine", "external_id": seeded_project.external_id}
    yield "create", await client.post(url, json=body)
    yield "batch", await client.post(f"{url}/batch", json={"documents": [{"title": "a", "content": "b"}, body]})
    free = (await client.post(url, json={"title": "free", "content": "free"})).json()["id"]
    yield "patch", await client.patch(f"{url}/{free}", json={"external_id": seeded_project.external_id})
    yield "put", await client.put(f"{url}/{free}", json=body)


async def test_a_conflict_does_not_quote_the_row_that_it_met(two_projects: TwoProjects) -> None:
    """The conflict does not reveal the other document: no title, content or id."""
    seeded_project = two_projects.foreign
    async for how, answer in _conflicts(seeded_project):
        assert (answer.status_code, answer.json()["code"]) == (409, "external_id_taken"), how
        assert [
            secret for secret in (seeded_project.word, str(seeded_project.document)) if secret in answer.text
        ] == [], how


async def test_what_another_project_has_is_no_conflict(two_projects: TwoProjects) -> None:
    """External ids are unique per project, so a conflict cannot reveal another project's."""
    client = two_projects.mine.owner.client
    url = f"/api/v1/projects/{await two_projects.mine.owner.project()}/documents"
    taken, free = two_projects.foreign.external_id, "of nobody"
    for external_id in (taken, free):
        made = await client.post(url, json={"title": "T", "content": "C", "external_id": external_id})
        assert made.status_code == 201, made.text
        again = await client.post(url, json={"title": "T", "content": "C", "external_id": external_id})
        assert (again.status_code, again.json()["code"]) == (409, "external_id_taken"), "now it is taken here"


@pytest.mark.parametrize("missing", ["documents/{id}", "documents/{id}/versions/1", "documents/{id}/content"])
async def test_what_exists_elsewhere_and_what_does_not_are_refused_alike(
    two_projects: TwoProjects, missing: str
) -> None:
    client = two_projects.mine.owner.client
    unknown = "01a1fd2f-0000-7000-8000-000000000000"
    answers = []
    for id_ in (str(two_projects.foreign.document), unknown):
        answer = await client.get(f"{two_projects.mine.url}/{missing.replace('{id}', id_)}")
        body = answer.json() | {"request_id": "", "instance": ""}
        answers.append((answer.status_code, body, sorted(set(answer.headers) - {"x-request-id"})))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404


@pytest.mark.parametrize(
    "name", ["../{foreign}/{blob}", "..\\..\\{foreign}\\{blob}", "/{foreign}/{blob}", "{blob}", "%2e%2e%2f{foreign}"]
)
async def test_a_files_name_is_no_way_into_another_projects_folder(
    two_projects: TwoProjects, settings: Settings, name: str
) -> None:
    mine, foreign = two_projects.mine, two_projects.foreign
    folder = settings.blob_directory / str(foreign.project)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    given = name.format(foreign=foreign.project, blob=foreign.blob)
    sent = {"file": (given, b"mine", "text/plain")}
    made = await mine.owner.client.post(f"{mine.url}/documents/upload", files=sent)
    assert made.status_code == 201, made.text
    shown = await mine.owner.client.get(f"{mine.url}/documents/{made.json()['id']}/content?original=true")
    assert shown.content == b"mine"
    assert not set("/\\") & set(shown.headers["content-disposition"].removeprefix("attachment"))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
