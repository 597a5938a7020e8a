"""The text that a document keeps when its new file cannot be read is found, whatever happens to the document."""

from __future__ import annotations

import pytest

from partywall.core.resources import Resources
from partywall.features.documents.constants import READING
from partywall.features.documents.feature import feature
from partywall.testing.engines import DatabaseUrls
from tests.features.documents.test_replaced_files import DAMAGED, OLD, Uploads, uploads
from tests.text_search import work_off

__all__ = ["uploads"]  # a fixture
WALRUS = "The walrus signs on Friday."


@pytest.fixture
async def thrown(uploads: Uploads, resources: Resources, database: DatabaseUrls) -> str:
    """Restored from the trash, after its passages were removed, and its file could not be read before."""
    _, made = await uploads.send(OLD, "a.docx")
    await uploads.read()
    await uploads.index()
    await uploads.send(DAMAGED, "a.pdf")
    await uploads.read()
    await uploads.workspace.client.delete(f"{uploads.workspace.url}/{made['id']}")
    await work_off(uploads.inside.users, resources, database, feature.jobs, uploads.workspace.project)
    assert (await uploads.workspace.post(f"/{made['id']}/restore")).status_code == 200
    return str(made["id"])


@pytest.mark.parametrize("reads_first", [True, False])
async def test_a_kept_text_is_found_after_the_trash(uploads: Uploads, thrown: str, reads_first: bool) -> None:
    del thrown
    for work in (uploads.read, uploads.index)[:: 1 if reads_first else -1]:
        await work()
    assert await uploads.found("walrus") == [WALRUS]
    current = await uploads.current()
    assert (current["index_status"], current["content"], current["version"]) == ("failed", WALRUS, 1)
    assert str(current["index_error"]).startswith("damaged: ")
    [*_, last] = [type_ for type_, _, _ in await uploads.inside.events()]
    assert last == "document.failed"


async def test_a_failed_document_that_is_not_in_the_index_is_indexed_again(uploads: Uploads, thrown: str) -> None:
    users = uploads.inside.users
    await users.execute("UPDATE document SET index_status = 'failed', index_error = 'damaged: x' WHERE id = $1", thrown)
    assert (await uploads.workspace.post(f"/{thrown}/reindex")).status_code in (200, 202)
    await uploads.index()
    assert (await uploads.current())["index_error"] == READING
    await uploads.read()
    assert (await uploads.current())["index_status"] == "failed"
    assert await uploads.found("walrus") == [WALRUS]


async def test_another_title_leaves_it_failed(uploads: Uploads, thrown: str) -> None:
    await uploads.read()
    await uploads.workspace.client.patch(f"{uploads.workspace.url}/{thrown}", json={"title": "Seals"})
    await uploads.index()
    assert (await uploads.current())["index_status"] == "failed"
    assert await uploads.found("seals") == [WALRUS]


async def test_a_restored_version_takes_the_place_of_the_unread_file(uploads: Uploads, thrown: str) -> None:
    await uploads.read()
    assert (await uploads.workspace.post(f"/{thrown}/versions/1/restore")).status_code == 200
    await uploads.index()
    current = await uploads.current()
    assert (current["index_status"], current["index_error"], current["version"]) == ("indexed", None, 2)
    assert await uploads.found("walrus") == [WALRUS]
