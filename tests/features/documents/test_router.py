from __future__ import annotations

import asyncio
import hashlib
from uuid import UUID, uuid4

import pytest
from httpx2 import AsyncClient

from partywall.testing.users import Users
from tests.features.documents.conftest import Workspace

ROUTES = [
    ("POST", ""),
    ("POST", "/batch"),
    ("POST", "/upload"),
    ("GET", ""),
    ("GET", "/stats"),
    *((method, "/{id}") for method in ("GET", "PATCH", "PUT", "DELETE")),
    ("GET", "/{id}/content"),
    ("POST", "/{id}/reindex"),
    ("GET", "/{id}/versions"),
    ("GET", "/{id}/versions/1"),
    ("POST", "/{id}/versions/1/restore"),
]
WRITES = [(method, path) for method, path in ROUTES if method != "GET"]
BODY = {"title": "Mine", "content": "Now mine"}


def options(method: str, path: str) -> dict[str, object]:
    if path == "/upload":
        return {"files": {"file": ("a.txt", b"text", "text/plain")}}
    if method == "GET" or method == "DELETE" or path.startswith("/{id}/"):
        return {}
    return {"json": {"documents": [BODY]} if path == "/batch" else BODY}


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_the_anonymous_are_refused(anonymous: AsyncClient, method: str, path: str) -> None:
    url = f"/api/v1/projects/{uuid4()}/documents{path.format(id=uuid4())}"
    answer = await anonymous.request(method, url, **options(method, path))  # type: ignore[arg-type]  # httpx2's own
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_another_projects_documents_do_not_exist(
    workspace: Workspace, users: Users, method: str, path: str
) -> None:
    """Neither at their own URL nor under a project of the caller."""
    made = await workspace.document(external_id="theirs")
    outsider = await users.person()
    own = await outsider.project()
    for project, code in ((workspace.project, "project_not_found"), (own, "document_not_found")):
        url = f"/api/v1/projects/{project}/documents{path.format(id=made['id'])}"
        answer = await outsider.client.request(method, url, **options(method, path))  # type: ignore[arg-type]  # as above
        if project == own and "{id}" not in path:
            assert answer.status_code in (200, 201)
            assert "theirs" not in answer.text
        else:
            assert (answer.status_code, answer.json()["code"]) == (404, code)
    assert (await workspace.get(f"/{made['id']}")).json() == made
    assert len((await workspace.get()).json()["items"]) == 1


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_a_viewer_reads_but_does_not_write(workspace: Workspace, users: Users, method: str, path: str) -> None:
    made = await workspace.document()
    viewer = await users.person()
    await users.join(workspace.project, viewer, "viewer")
    for headers in ({}, {"Idempotency-Key": "k"}):
        url = workspace.url + path.format(id=made["id"])
        answer = await viewer.client.request(method, url, headers=headers, **options(method, path))  # type: ignore[arg-type]  # as above
        assert (answer.status_code, answer.json()["right"]) == (403, "document.write")
    assert (await viewer.client.get(f"{workspace.url}/{made['id']}")).json() == made
    assert len((await workspace.get()).json()["items"]) == 1


async def test_create_answers_with_the_whole_document(workspace: Workspace) -> None:
    content = "  Zażółć\r\n🦊 "
    metadata = {"b": [1, 2.5, None, True], "a": {"ü": "x"}}
    sent = {"title": "  Contract ", "content": content, "external_id": " a/b.md", "metadata": metadata}
    answer = await workspace.post(json=sent)
    made = answer.json()
    raw = content.encode()
    assert answer.status_code == 201
    assert made == {
        "id": made["id"],
        "external_id": " a/b.md",
        "title": "Contract",
        "metadata": metadata,
        "status": "draft",
        "index_status": "pending",
        "index_error": None,
        "media_type": "text/plain",
        "size": len(raw),
        "content_sha256": hashlib.sha256(raw).hexdigest(),
        "revision": 1,
        "version": 1,
        "created_by": str(workspace.owner.id),
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
        "warnings": [],
        "content": content,
    }
    assert UUID(made["id"]).version == 7
    assert made["created_at"].endswith("Z")
    assert answer.headers["location"] == f"{workspace.url}/{made['id']}"
    again = await workspace.client.get(answer.headers["location"])
    assert again.json() == made
    assert again.headers["etag"] == answer.headers["etag"]
    unchanged = await workspace.client.get(answer.headers["location"], headers={"If-None-Match": again.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"content": "x"}, "/title"),
        ({"title": "x"}, "/content"),
        ({"title": "  ", "content": "x"}, "/title"),
        ({"title": "x" * 501, "content": "x"}, "/title"),
        ({"title": 5, "content": "x"}, "/title"),
        ({"title": "x", "content": ["x"]}, "/content"),
        ({"title": "x", "content": None}, "/content"),
        ({"title": "x", "content": "x", "id": str(uuid4())}, "/id"),
        ({"title": "x", "content": "x", "status": "deleted"}, "/status"),
        ({"title": "x", "content": "x", "external_id": ""}, "/external_id"),
        ({"title": "x", "content": "x", "external_id": "e" * 513}, "/external_id"),
        ({"title": "x", "content": "x", "metadata": []}, "/metadata"),
        ({"title": "x", "content": "x", "metadata": {"a": "y" * 65536}}, "/metadata"),
        ({"title": "x", "content": "a\x00b"}, ""),
        ({"title": "x", "content": "x", "metadata": {"a\x00": 1}}, ""),
    ],
)
async def test_a_bad_body_is_refused(workspace: Workspace, body: dict[str, object], pointer: str) -> None:
    for path, sent, prefix in (("", body, ""), ("/batch", {"documents": [BODY, body]}, "/documents/1")):
        answer = await workspace.post(path, json=sent)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), answer.text
        if pointer:
            assert prefix + pointer in [each["pointer"] for each in answer.json()["errors"]]
    assert (await workspace.get()).json()["items"] == []


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b'{"title": "x", "content": "\\ud800"}', 422),
        (b'{"title": "x", "content": "x", "metadata": {"a": NaN}}', 422),
        (b'{"title": "x", "content": "x", "metadata": {"a": 1e999}}', 422),
        (b'{"title": "x", "content": "\xff"}', 400),
        (b'{"title": "x"', 400),
        (b'{"title": "x", "content": "x", "metadata": ' + b'{"a":' * 100 + b"1" + b"}" * 100 + b"}", 422),
        (b'{"title": "x", "content": "x", "metadata": ' + b"[" * 40_000, 400),
        (b'{"title": "x", "content": "x", "metadata": {"a": ' + b"9" * 5000 + b"}}", 400),
    ],
)
async def test_a_body_that_is_no_storable_json_is_refused(workspace: Workspace, raw: bytes, status: int) -> None:
    answer = await workspace.post(content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_numbers_beyond_64_bits_are_kept(workspace: Workspace) -> None:
    made = await workspace.document(metadata={"big": 10**30 - 1, "float": 0.1})
    assert made["metadata"] == {"big": 10**30 - 1, "float": 0.1}


async def test_a_number_that_would_grow_in_answers_is_refused(workspace: Workspace) -> None:
    """PostgreSQL writes 1e308 with all its 308 zeros."""
    made = await workspace.document()
    long = {"title": "x", "content": "x", "metadata": {"a": [1e308]}}
    for method, path, sent, pointer in (
        ("POST", "", long, "/metadata/a/0"),
        ("POST", "/batch", {"documents": [BODY, long]}, "/documents/1/metadata/a/0"),
        ("PUT", f"/{made['id']}", long, "/metadata/a/0"),
        ("PATCH", f"/{made['id']}", {"metadata": {"b": 1e-300}}, "/metadata/b"),
        ("PATCH", f"/{made['id']}", {"metadata": {"b": 10**4000}}, "/metadata/b"),
    ):
        answer = await workspace.client.request(method, workspace.url + path, json=sent)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), answer.text
        assert answer.json()["errors"][0]["pointer"] == pointer


async def test_metadata_is_measured_as_it_is_answered(workspace: Workspace) -> None:
    fits, grows = [1e20] * 2_900, [1e20] * 3_100
    assert (await workspace.post(json={**BODY, "metadata": {"a": fits}})).status_code == 201
    answer = await workspace.post(json={**BODY, "metadata": {"a": grows}})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/metadata")


async def test_the_longest_title_and_external_id_fit(workspace: Workspace) -> None:
    made = await workspace.document(title="🦊" * 500, external_id="🦊" * 512, content="")
    assert (made["size"], made["title"]) == (0, "🦊" * 500)


async def test_content_beyond_the_limit_is_refused(workspace: Workspace) -> None:
    answer = await workspace.post(json={"title": "x", "content": "ä" * (5 * 1024 * 1024 + 1)})
    assert (answer.status_code, answer.json()["code"]) == (413, "content_too_large")
    assert (await workspace.get()).json()["items"] == []


async def test_an_external_id_is_unique_in_its_project(workspace: Workspace, users: Users) -> None:
    await workspace.document(external_id="one")
    answer = await workspace.post(json={**BODY, "external_id": "one"})
    assert (answer.status_code, answer.json()["code"]) == (409, "external_id_taken")
    keyed = await workspace.post(json={**BODY, "external_id": "one"}, headers={"Idempotency-Key": "k"})
    assert (keyed.status_code, keyed.json()["code"]) == (409, "external_id_taken")
    other = Workspace(await workspace.owner.project(), workspace.owner)
    await other.document(external_id="one")


async def test_of_many_at_once_one_gets_the_external_id(workspace: Workspace) -> None:
    body = {**BODY, "external_id": "race"}
    answers = await asyncio.gather(*(workspace.post(json=body) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert len((await workspace.get()).json()["items"]) == 1


async def test_a_batch_is_answered_in_its_order(workspace: Workspace) -> None:
    documents = [{"title": f"T{n}", "content": f"C{n}", "external_id": f"e{n}"} for n in range(120)]
    answer = await workspace.post("/batch", json={"documents": documents})
    assert answer.status_code == 201
    items = answer.json()["items"]
    assert [item["external_id"] for item in items] == [f"e{n}" for n in range(120)]
    assert "content" not in items[0]
    stats = (await workspace.get("/stats")).json()
    assert stats == {
        "total": 120,
        "by_status": {"draft": 120, "published": 0},
        "by_index_status": {"pending": 120, "indexed": 0, "failed": 0},
        "size": sum(len(document["content"]) for document in documents),
        "chunks": 0,
    }
    assert (await workspace.get(f"/{items[7]['id']}")).json()["content"] == "C7"


async def test_a_batch_is_all_or_nothing(workspace: Workspace) -> None:
    await workspace.document(external_id="taken")
    fresh = [{**BODY, "external_id": f"e{n}"} for n in range(3)]
    for documents, index in (
        ([*fresh, {**BODY, "external_id": "taken"}], 3),
        ([fresh[0], fresh[1], fresh[0]], 2),
    ):
        answer = await workspace.post("/batch", json={"documents": documents})
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (409, "external_id_taken")
        assert (problem["index"], problem["pointer"]) == (index, f"/documents/{index}/external_id")
    assert len((await workspace.get()).json()["items"]) == 1


@pytest.mark.parametrize("size", [0, 501])
async def test_a_batch_has_1_to_500_documents(workspace: Workspace, size: int) -> None:
    answer = await workspace.post("/batch", json={"documents": [BODY] * size})
    assert answer.status_code == 422
