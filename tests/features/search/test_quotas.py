from __future__ import annotations

import asyncpg
import pytest

from tests.features.search.search_workspace import SearchWorkspace

LONG = "\n\n".join(
    f"Paragraph {number}. " + "The supplier delivers what was agreed upon. " * 20 for number in range(12)
)


async def limit(workspace: SearchWorkspace, passages: int | None) -> None:
    await workspace.users.execute(
        "INSERT INTO project_quota (project_id, quota, most) VALUES ($1, 'passages', $2)"
        " ON CONFLICT (project_id, quota) DO UPDATE SET most = excluded.most",
        workspace.project, passages,
    )  # fmt: skip


async def status(workspace: SearchWorkspace, document: object) -> tuple[object, object]:
    [row] = await workspace.users.fetch("SELECT index_status, index_error FROM document WHERE id = $1", document)
    return row["index_status"], row["index_error"]


async def test_a_document_above_the_quota_of_passages_fails_and_says_why(workspace: SearchWorkspace) -> None:
    small, large = await workspace.put("Small", "The supplier."), await workspace.put("Large", LONG)
    await limit(workspace, 2)
    await workspace.index(small, large)
    assert await status(workspace, small) == ("indexed", None)
    failed, reason = await status(workspace, large)
    assert failed == "failed"
    assert str(reason).startswith("quota_exceeded: The quota of passages is used up.")
    assert await workspace.count("chunk") == 1
    assert await workspace.titles("supplier") == ["Small"]
    # With a higher limit it can be indexed on request.
    await limit(workspace, None)
    await workspace.index(large)
    assert (await status(workspace, large))[0] == "indexed"


async def test_what_is_indexed_again_takes_no_more_than_it_has(workspace: SearchWorkspace) -> None:
    large = await workspace.put("Large", LONG)
    await workspace.index(large)
    chunks = await workspace.value("SELECT count(*)::integer FROM chunk WHERE project_id = $1", workspace.project)
    assert isinstance(chunks, int)
    await limit(workspace, chunks)
    await workspace.index(large)
    assert await status(workspace, large) == ("indexed", None)
    assert await workspace.count("chunk") == chunks


async def test_the_database_refuses_passages_that_the_earlier_check_missed(workspace: SearchWorkspace) -> None:
    """Two workers that index at once may both pass the check."""
    small = await workspace.put("Small", "The supplier.")
    await workspace.index(small)
    await limit(workspace, 1)
    copied = (
        "INSERT INTO chunk"
        " (project_id, document_id, first, last, length, configuration, context, text, text_hash, passage_hash, begins)"
        " SELECT project_id, document_id, 99, 100, 1, configuration, context, text, text_hash, 1, false FROM chunk"
        " WHERE project_id = $1"
    )
    with pytest.raises(asyncpg.CheckViolationError, match="quota exceeded"):
        await workspace.users.execute(copied, workspace.project)
    assert await workspace.count("chunk") == 1
