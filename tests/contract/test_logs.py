"""No log line contains user data or secrets: every route is called with secrets in every place."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx2
from pydantic import JsonValue

from partywall.settings import Settings
from partywall.testing.users import Users
from tests.contract.conftest import Served

PASSWORD = "Correct-Horse-8471-Battery"
ADDRESS = "canary.bird@leaky.example.com"
BEARER = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"
OPAQUE = "Zx9" * 15
CANARIES = (PASSWORD, "canary.bird", BEARER, OPAQUE)

type Operation = tuple[str, str, dict[str, JsonValue]]


def _operations(document: dict[str, dict[str, dict[str, dict[str, JsonValue]]]]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _fill(path: str, project: UUID) -> str:
    filled = path.replace("{project_id}", str(project))
    while "{" in filled:
        start, end = filled.index("{"), filled.index("}")
        filled = filled[:start] + str(uuid4()) + filled[end + 1 :]
    return filled


def _form() -> dict[str, str]:
    return {
        "grant_type": "password",
        "username": ADDRESS,
        "password": PASSWORD,
        "token": OPAQUE,
        "refresh_token": OPAQUE,
    }


async def _drive(client: httpx2.AsyncClient, method: str, url: str) -> None:
    """Validity does not matter here: errors are logged too."""
    body = {"email": ADDRESS, "password": PASSWORD, "full_name": ADDRESS, "title": PASSWORD, "content": OPAQUE,
            "name": PASSWORD, "token": OPAQUE, "secret": OPAQUE}  # fmt: skip
    query = f"?q={quote(PASSWORD)}&ticket={OPAQUE}&cursor={OPAQUE}&external_id={quote(ADDRESS)}&after=x"
    for request in (
        client.build_request(method, url + query),
        client.build_request(method, url + query, json=body),
        client.build_request(method, url, data=_form()),
        client.build_request(
            method, url, content=b"{" + PASSWORD.encode(), headers={"Content-Type": "application/json"}
        ),
        client.build_request(method, url, files={"file": (ADDRESS, PASSWORD.encode(), "text/plain")}),
        client.build_request(method, url, json=body, headers={"Idempotency-Key": OPAQUE, "If-Match": OPAQUE}),
        client.build_request(method, url, headers={"Authorization": f"Bearer {BEARER}", "X-Request-ID": ADDRESS}),
        client.build_request(method, url, headers={"Authorization": f"Basic {OPAQUE}", "Last-Event-ID": OPAQUE}),
    ):
        answer = await client.send(request, stream=True)
        await answer.aclose()


async def test_secrets_never_reach_the_log(served: Served, settings: Settings, users: Users) -> None:
    person = await users.person()
    project = await person.project()
    headers = {"Authorization": f"Bearer {person.token}"}
    async with httpx2.AsyncClient(base_url=served.url, headers=headers, timeout=60) as client:
        document = (await client.get("/openapi.json")).json()
        operations = [each for each in _operations(document) if each[:2] != ("DELETE", "/api/v1/projects/{project_id}")]
        assert len(operations) > 20
        for method, path, _ in operations:
            await _drive(client, method, _fill(path, project))
        tokens = await _log_in(client)
    logged = served.log.read_text()
    assert settings.secret_key is not None
    assert settings.database.url is not None
    database_password = settings.database.url.get_secret_value().split(":")[2].split("@")[0]
    entrusted = (*CANARIES, person.token, person.email, database_password, settings.secret_key.get_secret_value())
    for secret in (*entrusted, *tokens):
        assert secret not in logged, f"{secret[:12]}... is in the log"
    _assert_context(logged, project, person.id)


async def _log_in(client: httpx2.AsyncClient) -> tuple[str, str]:
    await client.post("/api/v1/auth/register", json={"email": ADDRESS, "password": PASSWORD})
    form = {"grant_type": "password", "username": ADDRESS, "password": PASSWORD}
    answer = await client.post("/api/v1/auth/token", data=form)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"], answer.json()["refresh_token"]


def _assert_context(logged: str, project: UUID, person: UUID) -> None:
    """Lines are JSON, and a request's line names the request, the caller and the project."""
    lines = [json.loads(line) for line in logged.splitlines() if line.startswith("{")]
    mine = [line for line in lines if line.get("project_id") == str(project) and line.get("event") == "request"]
    assert mine
    assert all(line["request_id"] for line in mine)
    assert any(line.get("principal") == f"user:{person}" for line in mine)


async def test_a_crash_is_logged_with_its_request_its_caller_and_its_project(served: Served, users: Users) -> None:
    """Provoked by dropping a table that every request expects."""
    person = await users.person()
    project = await person.project()
    document = await person.client.post(f"/api/v1/projects/{project}/documents", json={"title": "t", "content": "c"})
    url = f"/api/v1/projects/{project}/documents/{document.json()['id']}/versions"
    headers = {"Authorization": f"Bearer {person.token}", "X-Request-ID": f"asked-{uuid4()}"}
    async with httpx2.AsyncClient(base_url=served.url, headers=headers, timeout=60) as client:
        await users.execute("ALTER TABLE document_version RENAME TO mislaid")
        try:
            answer = await client.get(url)
        finally:
            await users.execute("ALTER TABLE mislaid RENAME TO document_version")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    lines: list[dict[str, object]] = []
    async with asyncio.timeout(60):  # the second is written after the answer
        while len(lines) < 2:
            await asyncio.sleep(0.02)
            logged = served.log.read_text().splitlines()
            lines = [json.loads(line) for line in logged if headers["X-Request-ID"] in line]
    assert [line["event"] for line in lines] == ["unhandled_error", "request"]
    assert "UndefinedTableError" in str(lines[0]["exception"])
    for line in lines:
        assert line["request_id"] == answer.headers["x-request-id"] == headers["X-Request-ID"]
        assert (line["principal"], line["project_id"]) == (f"user:{person.id}", str(project))
