from __future__ import annotations

import asyncpg
import pytest

from tests.features.search.library import Shelf

LONG = "\n\n".join(
    f"Paragraph {number}. " + "The supplier delivers what was agreed upon. " * 20 for number in range(12)
)


async def limit(shelf: Shelf, passages: int | None) -> None:
    await shelf.people.execute(
        "INSERT INTO project_quota (project_id, quota, most) VALUES ($1, 'passages', $2)"
        " ON CONFLICT (project_id, quota) DO UPDATE SET most = excluded.most",
        shelf.project, passages,
    )  # fmt: skip


async def status(shelf: Shelf, document: object) -> tuple[object, object]:
    [row] = await shelf.people.fetch("SELECT index_status, index_error FROM document WHERE id = $1", document)
    return row["index_status"], row["index_error"]


async def test_a_document_above_the_quota_of_passages_fails_and_says_why(shelf: Shelf) -> None:
    small, large = await shelf.put("Small", "The supplier."), await shelf.put("Large", LONG)
    await limit(shelf, 2)
    await shelf.index(small, large)
    assert await status(shelf, small) == ("indexed", None)
    failed, reason = await status(shelf, large)
    assert failed == "failed"
    assert str(reason).startswith("quota_exceeded: The quota of passages is used up.")
    assert await shelf.count("chunk") == 1
    assert await shelf.titles("supplier") == ["Small"]
    # With more room it is indexed, when somebody asks for it.
    await limit(shelf, None)
    await shelf.index(large)
    assert (await status(shelf, large))[0] == "indexed"


async def test_what_is_indexed_again_takes_no_more_than_it_has(shelf: Shelf) -> None:
    large = await shelf.put("Large", LONG)
    await shelf.index(large)
    chunks = await shelf.value("SELECT count(*)::integer FROM chunk WHERE project_id = $1", shelf.project)
    assert isinstance(chunks, int)
    await limit(shelf, chunks)
    await shelf.index(large)
    assert await status(shelf, large) == ("indexed", None)
    assert await shelf.count("chunk") == chunks


async def test_the_database_refuses_what_the_check_before_has_not_seen(shelf: Shelf) -> None:
    """Two workers that index at once both see room."""
    small = await shelf.put("Small", "The supplier.")
    await shelf.index(small)
    await limit(shelf, 1)
    copied = (
        "INSERT INTO chunk (project_id, document_id, first, last, length, configuration, context, text)"
        " SELECT project_id, document_id, 99, 100, 1, configuration, context, text FROM chunk WHERE project_id = $1"
    )
    with pytest.raises(asyncpg.CheckViolationError, match="quota exceeded"):
        await shelf.people.execute(copied, shelf.project)
    assert await shelf.count("chunk") == 1
