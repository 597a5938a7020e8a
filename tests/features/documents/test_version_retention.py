from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from partywall.core.clock import utc_now
from partywall.core.resources import Resources
from partywall.features.documents import version_retention
from partywall.features.documents.version_retention import prune_versions
from partywall.settings import Settings
from partywall.settings.documents import DocumentSettings
from partywall.testing.engines import Urls
from partywall.testing.users import Users
from tests.features.documents.conftest import Workspace
from tests.isolation.app_copies import Copy, open_copy
from tests.slow_calls import HELD


@pytest.fixture(scope="module")
async def copy(engines: Urls, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Copy]:
    """Without the projects of other tests: each pruning goes through all projects, one by one."""
    async with open_copy(engines, settings, "pruned", tmp_path_factory.mktemp("pruned")) as copy:
        with HELD.watch(copy.resources.engine):
            yield copy


@pytest.fixture
def users(copy: Copy) -> Users:
    return copy.users


@pytest.fixture
def resources(copy: Copy) -> Resources:
    return copy.resources


async def numbers(workspace: Workspace, id_: object) -> list[int]:
    return [each["number"] for each in (await workspace.get(f"/{id_}/versions")).json()["items"]]


async def edited(workspace: Workspace, *texts: str) -> object:
    made = await workspace.document(content=texts[0])
    for text in texts[1:]:
        answer = await workspace.client.patch(f"{workspace.url}/{made['id']}", json={"content": text})
        assert answer.status_code == 200
    return made["id"]


async def aged(users: Users, id_: object, number: int, days: int) -> None:
    await users.execute(
        "UPDATE document_version SET created_at = now() - $3 * interval '1 day'"
        " WHERE document_id = $1::text::uuid AND number = $2", str(id_), number, days,
    )  # fmt: skip


def a_week(resources: Resources) -> Resources:
    """With a retention of a week."""
    settings = DocumentSettings(version_retention=timedelta(days=7))
    return replace(resources, settings=resources.settings.model_copy(update={"documents": settings}))


async def test_a_version_is_kept_for_the_retention_after_it_was_replaced(
    workspace: Workspace, users: Users, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version_retention, "VERSIONS_AT_ONCE", 2)
    monkeypatch.setattr(version_retention, "PROJECTS_AT_ONCE", 1)
    old, single = await edited(workspace, "a", "b", "a", "c", "d"), await edited(workspace, "x")
    for number, days in ((1, 30), (2, 20), (3, 8), (4, 6)):
        await aged(users, old, number, days)
    await aged(users, single, 1, 30)
    await prune_versions(a_week(resources))
    assert (await numbers(workspace, old), await numbers(workspace, single)) == ([5, 4, 3], [1])
    assert (await workspace.get(f"/{old}/versions/3")).json()["content"] == "a"
    [row] = await users.fetch(
        "SELECT history_bytes, (SELECT count(*) FROM document_text WHERE document_id = d.id) AS texts"
        " FROM document AS d WHERE id = $1::text::uuid", str(old),
    )  # fmt: skip
    assert tuple(row) == (2, 2)
    assert await version_usage(users, workspace) == await true_usage(users, workspace)


async def test_the_clock_says_what_is_old(
    workspace: Workspace, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await edited(workspace, "a", "b")
    await prune_versions(a_week(resources))
    assert await numbers(workspace, id_) == [2, 1]
    monkeypatch.setattr(version_retention, "utc_now", lambda: utc_now() + timedelta(days=8))
    await prune_versions(a_week(resources))
    assert await numbers(workspace, id_) == [2]


async def test_without_a_retention_all_are_kept(workspace: Workspace, users: Users, resources: Resources) -> None:
    id_ = await edited(workspace, "a", "b", "c")
    for number in (1, 2, 3):
        await aged(users, id_, number, 30_000)
    await prune_versions(resources)
    assert await numbers(workspace, id_) == [3, 2, 1]


async def version_usage(users: Users, workspace: Workspace) -> int:
    [row] = await users.fetch(
        "SELECT sum(bytes)::int AS bytes FROM project_usage WHERE project_id = $1", workspace.project
    )
    return int(row["bytes"])


async def true_usage(users: Users, workspace: Workspace) -> int:
    [row] = await users.fetch(
        "SELECT (SELECT sum(size + octet_length(metadata::text)) FROM document WHERE project_id = $1)"
        " + (SELECT coalesce(sum(size), 0) FROM document_text WHERE project_id = $1) AS bytes", workspace.project,
    )  # fmt: skip
    return int(row["bytes"])
