from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from httpx2 import AsyncClient

from partywall.testing.users import Users

URL = "/api/v1/projects"


async def test_every_route_refuses_the_anonymous(anonymous: AsyncClient) -> None:
    for method, path in [("POST", URL), ("GET", URL)] + [(m, f"{URL}/{uuid4()}") for m in ("GET", "PATCH", "DELETE")]:
        answer = await anonymous.request(method, path, json={"name": "x"} if method in ("POST", "PATCH") else None)
        assert answer.status_code == 401, (method, path, answer.text)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"


async def test_another_persons_project_does_not_exist(users: Users) -> None:
    owner, outsider = await users.person(), await users.person()
    project = await owner.project()
    unknown = await outsider.client.get(f"{URL}/{uuid4()}")
    for method, body in [("GET", None), ("PATCH", {"name": "mine"}), ("DELETE", None)]:
        answer = await outsider.client.request(method, f"{URL}/{project}", json=body)
        assert answer.status_code == 404
        assert answer.json()["code"] == unknown.json()["code"] == "project_not_found"
    assert (await outsider.client.get(URL)).json()["items"] == []
    assert (await owner.client.get(f"{URL}/{project}")).json()["name"] == "A project"


async def test_create_answers_with_location_tag_and_role(users: Users) -> None:
    owner = await users.person()
    made = await owner.client.post(URL, json={"name": "  Contracts ", "description": " as sent "})
    assert made.status_code == 201
    body = made.json()
    assert (body["name"], body["description"], body["role"]) == ("Contracts", " as sent ", "owner")
    assert made.headers["location"] == f"{URL}/{body['id']}"
    assert body["created_at"].endswith("Z")
    again = await owner.client.get(made.headers["location"])
    assert again.json() == body
    unchanged = await owner.client.get(made.headers["location"], headers={"If-None-Match": again.headers["etag"]})
    assert unchanged.status_code == 304


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": "   "}, "/name"),
        ({"name": 5}, "/name"),
        ({"name": "x", "owner": "me"}, "/owner"),
        ({"name": "x" * 201}, "/name"),
    ],
)
async def test_a_bad_body_is_refused(users: Users, body: dict[str, object], pointer: str) -> None:
    owner = await users.person()
    answer = await owner.client.post(URL, json=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "validation_failed"
    assert pointer in [each["pointer"] for each in answer.json()["errors"]]
    assert (await owner.client.get(URL)).json()["items"] == []


async def test_patch_merges_and_honours_if_match(users: Users) -> None:
    owner = await users.person()
    made = await owner.client.post(URL, json={"name": "Old", "description": "kept"})
    url, tag = made.headers["location"], made.headers["etag"]
    changed = await owner.client.patch(url, json={"name": "New"}, headers={"If-Match": tag})
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["description"]) == ("New", "kept")
    late = await owner.client.patch(url, json={"name": "Late"}, headers={"If-Match": tag})
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    cleared = await owner.client.patch(url, json={"description": None})
    assert cleared.json()["description"] is None


async def test_the_language_is_a_tag_that_can_be_removed(users: Users) -> None:
    owner = await users.person()
    made = await owner.client.post(URL, json={"name": "Verträge", "language": "de-AT"})
    url = made.headers["location"]
    assert made.json()["language"] == (await owner.client.get(url)).json()["language"] == "de-AT"
    assert (await owner.client.patch(url, json={"name": "Kept"})).json()["language"] == "de-AT"
    for tag in ("not a tag", "xx", "zz-ZZ-zz", "und", "german"):
        refused = await owner.client.patch(url, json={"language": tag})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/language"), tag
    assert (await owner.client.patch(url, json={"language": "DEU"})).status_code == 200
    assert (await owner.client.patch(url, json={"language": None})).json()["language"] is None


async def test_a_viewer_may_see_but_not_change(users: Users) -> None:
    owner, viewer = await users.person(), await users.person()
    project = await owner.project()
    await users.join(project, viewer, "viewer")
    seen = await viewer.client.get(f"{URL}/{project}")
    assert seen.json()["role"] == "viewer"
    refused = await viewer.client.patch(f"{URL}/{project}", json={"name": "x"})
    assert (refused.status_code, refused.json()["right"]) == (403, "project.update")
    assert (await viewer.client.delete(f"{URL}/{project}")).status_code == 403


async def test_delete_takes_everything_with_it(users: Users) -> None:
    owner = await users.person()
    project = await owner.project()
    assert (await owner.client.delete(f"{URL}/{project}")).status_code == 204
    assert (await owner.client.get(f"{URL}/{project}")).status_code == 404


async def test_the_list_walks_by_cursor_without_loss(users: Users) -> None:
    owner = await users.person()
    names = [f"P{number}" for number in range(7)]
    for name in names:
        await owner.project(name)
    for sort in ("-created_at", "created_at", "title", "-title", "updated_at", "-updated_at"):
        seen: list[str] = []
        cursor: str | None = None
        while True:
            params = {"limit": "3", "sort": sort} | ({"cursor": cursor} if cursor else {})
            page = (await owner.client.get(URL, params=params)).json()
            seen += [item["name"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == sorted(names, reverse=sort.startswith("-"))
    offset = (await owner.client.get(URL, params={"offset": 5})).json()
    assert (len(offset["items"]), offset["total"]) == (2, 7)


@pytest.mark.parametrize(
    "query", ["cursor=nonsense", "cursor=", "limit=0", "limit=101", "sort=email", "offset=-1", "cursor=a&offset=1"]
)
async def test_a_bad_page_is_refused(users: Users, query: str) -> None:
    owner = await users.person()
    answer = await owner.client.get(f"{URL}?{query}")
    assert answer.status_code == 422, answer.text


async def test_a_cursor_opens_only_its_own_list(users: Users) -> None:
    one, other = await users.person(), await users.person()
    for person in (one, other):
        for _ in range(2):
            await person.project()
    cursor = (await one.client.get(URL, params={"limit": 1})).json()["next_cursor"]
    assert (await other.client.get(URL, params={"limit": 1, "cursor": cursor})).status_code == 422
    assert (await one.client.get(URL, params={"cursor": cursor, "sort": "title"})).status_code == 422


async def test_an_idempotency_key_replays_the_first_success(users: Users) -> None:
    owner = await users.person()
    headers = {"Idempotency-Key": "k1"}
    first = await owner.client.post(URL, json={"name": "Once"}, headers=headers)
    again = await owner.client.post(URL, json={"name": "Once"}, headers=headers)
    assert first.content == again.content
    assert again.status_code == 201
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    other = await owner.client.post(URL, json={"name": "Twice"}, headers={"Idempotency-Key": "\tk1 "})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len((await owner.client.get(URL)).json()["items"]) == 1


async def test_requests_under_one_key_at_once_make_one_project(users: Users) -> None:
    owner = await users.person()
    answers = await asyncio.gather(
        *(owner.client.post(URL, json={"name": "Race"}, headers={"Idempotency-Key": "race"}) for _ in range(5))
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len((await owner.client.get(URL)).json()["items"]) == 1


async def test_a_failure_is_not_kept_under_the_key(users: Users) -> None:
    owner = await users.person()
    headers = {"Idempotency-Key": "later"}
    assert (await owner.client.post(URL, json={"name": ""}, headers=headers)).status_code == 422
    assert (await owner.client.post(URL, json={"name": "Now"}, headers=headers)).status_code == 201
