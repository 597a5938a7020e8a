from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from uuid import UUID

import pytest

from partywall.core.resources import Resources
from partywall.core.tenant import Tenant
from partywall.core.text_process.processes import TextLimits
from partywall.features.documents import version_diff
from partywall.features.documents.constants import LARGEST_INLINE_PAGE
from partywall.testing.users import Users
from tests.features.documents.conftest import Workspace

DIFF = "--- version 1: A title\n+++ version 2: A title\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"


async def edited(workspace: Workspace, *changes: dict[str, str]) -> str:
    id_ = str((await workspace.document(content="one\ntwo\nthree\n"))["id"])
    for change in changes:
        assert (await workspace.client.patch(f"{workspace.url}/{id_}", json=change)).status_code == 200
    return id_


async def test_only_members_compare(workspace: Workspace, users: Users) -> None:
    path = f"{workspace.url}/{await edited(workspace)}/versions/1/diff/1"
    assert (await workspace.client.get(path, headers={"Authorization": ""})).status_code == 401
    assert (await (await users.person()).client.get(path)).status_code == 404


@pytest.mark.parametrize("inline", [True, False], ids=["in a thread", "in a process"])
async def test_a_unified_diff_of_two_versions(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, inline: bool
) -> None:
    if not inline:
        monkeypatch.setattr(version_diff, "LARGEST_INLINE_PAGE", 1)
    id_ = await edited(workspace, {"content": "one\n2\nthree\n"}, {"title": "Other\ttitle"}, {"content": "é\n"})
    answer = await workspace.get(f"/{id_}/versions/1/diff/2")
    assert (answer.status_code, answer.text) == (200, DIFF)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    back = (await workspace.get(f"/{id_}/versions/2/diff/1?context=0")).text
    assert back == "--- version 2: A title\n+++ version 1: A title\n@@ -2 +2 @@\n-2\n+two\n"
    titles = (await workspace.get(f"/{id_}/versions/2/diff/3")).text
    assert titles == "--- version 2: A title\n+++ version 3: Other title\n"
    assert (await workspace.get(f"/{id_}/versions/3/diff/3")).text == ""
    assert (await workspace.get(f"/{id_}/versions/1/diff/4")).text.endswith("-one\n-two\n-three\n+é\n")


async def test_what_does_not_exist_or_is_deleted_is_not_compared(workspace: Workspace) -> None:
    id_ = await edited(workspace)
    missing = await workspace.get(f"/{id_}/versions/1/diff/2")
    assert (missing.status_code, missing.json()["code"]) == (404, "version_not_found")
    assert (await workspace.get(f"/{UUID(int=5)}/versions/1/diff/1")).json()["code"] == "document_not_found"
    for path in ("0/diff/1", "1/diff/0", "1/diff/1?context=-1", "1/diff/1?context=1001"):
        assert (await workspace.get(f"/{id_}/versions/{path}")).status_code == 422
    await workspace.client.delete(f"{workspace.url}/{id_}")
    assert (await workspace.get(f"/{id_}/versions/1/diff/1")).status_code == 404


async def test_a_costly_comparison_takes_no_process_from_uploads(
    workspace: Workspace, users: Users, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one account's diff waits for a process, another one's large page is read at once."""
    monkeypatch.setattr(version_diff, "LARGEST_INLINE_PAGE", 1)
    id_, other = await edited(workspace, {"content": "x"}), await users.person()
    page = ("page.html", b"<p>" + b"words " * LARGEST_INLINE_PAGE, "text/html")
    async with AsyncExitStack() as held, asyncio.TaskGroup() as group:
        await held.enter_async_context(resources.diffs.turns.hold(Tenant("greedy")))
        diff = group.create_task(workspace.get(f"/{id_}/versions/1/diff/2"))
        async with asyncio.timeout(30):
            while not resources.diffs.turns.waiting:
                await asyncio.sleep(0.01)
        url = f"/api/v1/projects/{await other.project()}/documents/upload"
        assert (await other.client.post(url, files={"file": page})).status_code == 201
        assert not diff.done()
        await held.aclose()
    assert diff.result().status_code == 200


async def test_a_comparison_that_is_too_costly_is_a_problem(
    workspace: Workspace, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = str((await workspace.document(content="a\n" * 200_000))["id"])
    await workspace.client.patch(f"{workspace.url}/{id_}", json={"content": "b\n" * 200_000})
    found = await workspace.get(f"/{id_}/versions/1/diff/2")
    assert (found.status_code, found.text.count("\n-a"), found.text.count("\n+b")) == (200, 200_000, 200_000)
    monkeypatch.setattr(resources.diffs, "_limits", TextLimits(1, 60, 8 * 1024 * 1024))
    refused = await workspace.get(f"/{id_}/versions/1/diff/2")
    assert (refused.status_code, refused.json()["code"]) == (422, "text_too_costly")
