"""Creation under an Idempotency-Key."""

from __future__ import annotations

import asyncio

from partywall.testing.users import Users
from tests.features.documents.conftest import Workspace
from tests.features.documents.test_router import BODY


async def test_a_key_replays_the_first_creation(workspace: Workspace) -> None:
    for path, body, other in (
        ("", BODY, {**BODY, "title": "Other"}),
        ("/batch", {"documents": [BODY, BODY]}, {"documents": [BODY]}),
    ):
        headers = {"Idempotency-Key": "same"}
        first = await workspace.post(path, json=body, headers=headers)
        again = await workspace.post(path, json=body, headers=headers)
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.content == first.content
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers.get("location") == first.headers.get("location")
        reused = await workspace.post(path, json=other, headers=headers)
        assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    assert len((await workspace.get()).json()["items"]) == 3


async def test_a_large_answer_is_replayed_without_being_stored(workspace: Workspace, users: Users) -> None:
    large = {**BODY, "content": "words " * 50_000}
    batch = [{**BODY, "metadata": {"note": "n" * 60_000}} for _ in range(5)]
    file = {"file": ("a.txt", b"line " * 60_000, "text/plain")}
    for key, path, sent in (("a", "", {"json": large}), ("b", "/batch", {"json": {"documents": batch}}),
                            ("c", "/upload", {"files": file})):  # fmt: skip
        headers = {"Idempotency-Key": key}
        first = await workspace.post(path, headers=headers, **sent)
        again = await workspace.post(path, headers=headers, **sent)
        assert (first.status_code, again.status_code) == (201, 201), first.text
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers.get("location") == first.headers.get("location")
        assert again.json() == first.json()
    [row] = await users.fetch(
        "SELECT sum(octet_length(body)) FROM idempotency_key WHERE project_id = $1", workspace.project
    )
    assert row[0] == 0
    made = (await workspace.get()).json()["items"]
    assert len(made) == 7
    for each in made:
        await workspace.client.delete(f"{workspace.url}/{each['id']}")
    assert (await workspace.post(json=large, headers={"Idempotency-Key": "a"})).status_code == 404


async def test_a_member_who_was_removed_gets_no_replay(workspace: Workspace, users: Users) -> None:
    editor = await users.person()
    await users.join(workspace.project, editor, "editor")
    headers = {"Idempotency-Key": "mine"}
    assert (await editor.client.post(workspace.url, json=BODY, headers=headers)).status_code == 201
    await users.execute("DELETE FROM project_member WHERE account_id = $1", editor.id)
    assert (await editor.client.post(workspace.url, json=BODY, headers=headers)).status_code == 404


async def test_of_many_under_one_key_one_is_made(workspace: Workspace) -> None:
    answers = await asyncio.gather(*(workspace.post(json=BODY, headers={"Idempotency-Key": "race"}) for _ in range(6)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len((await workspace.get()).json()["items"]) == 1
