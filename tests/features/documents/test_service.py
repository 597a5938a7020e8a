from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import orjson
import pytest
from sqlalchemy import inspect

from partywall.core.db.session import AsyncSession
from partywall.core.errors import MissingRightError
from partywall.core.resources import Resources
from partywall.core.tenancy import enter_to_write
from partywall.features.documents.exceptions import DocumentNotFoundError, VersionNotFoundError
from partywall.features.documents.reading import Shown
from partywall.features.documents.repository import DocumentRepository
from partywall.features.documents.schemas import DocumentCreate, DocumentPatch
from partywall.features.documents.service import DocumentService
from tests.features.documents.conftest import Inside, Shelf
from tests.people import Person


async def service(resources: Resources, session: AsyncSession, shelf: Shelf, person: Person) -> DocumentService:
    scope = await enter_to_write(session, person.principal, shelf.project)
    return DocumentService(session, scope, resources.announcer)


@asynccontextmanager
async def serving(resources: Resources, shelf: Shelf) -> AsyncIterator[DocumentService]:
    async with resources.sessions.begin() as session:
        yield await service(resources, session, shelf, shelf.owner)


async def made(resources: Resources, shelf: Shelf) -> UUID:
    async with serving(resources, shelf) as documents:
        return await documents.create(DocumentCreate(title="A title", content="Text.", metadata={"a": 1}))


async def patch(resources: Resources, shelf: Shelf, document: UUID, wanted: DocumentPatch) -> Shown:
    async with serving(resources, shelf) as documents:
        return await documents.patch(await documents.lock(document), wanted)


def version(shown: Shown) -> object:
    return orjson.loads(shown.body)["version"]


async def test_what_changes_nothing_is_no_change(resources: Resources, shelf: Shelf, inside: Inside) -> None:
    document = await made(resources, shelf)
    same = await patch(resources, shelf, document, DocumentPatch(title="A title", metadata={"a": 1, "b": None}))
    assert (same.revision, version(same)) == (1, 1)
    assert [type_ for type_, *_ in await inside.events()] == ["document.created"]


async def test_a_change_does_not_read_the_text_that_is_there(resources: Resources, shelf: Shelf) -> None:
    """It may be large, and there is a digest of it."""
    document = await made(resources, shelf)
    async with serving(resources, shelf) as documents:
        row = await DocumentRepository(documents.session, documents.scope).lock(document)
        assert "content" in inspect(row, raiseerr=True).unloaded
        locked = await documents.lock(document)
        assert locked.current.content is None
        assert locked.has_text("A title", "Text.")
        assert not locked.has_text("A title", "Text")
        assert not locked.has_text("Another", "Text.")
    again = await patch(resources, shelf, document, DocumentPatch(content="Text."))
    assert (again.revision, version(again)) == (1, 1)
    other = await patch(resources, shelf, document, DocumentPatch(content="Text"))
    assert (other.revision, version(other)) == (2, 2)


async def test_metadata_alone_makes_no_version_and_indexes_nothing(
    resources: Resources, shelf: Shelf, inside: Inside
) -> None:
    document = await made(resources, shelf)
    await inside.people.execute("UPDATE document SET index_status = 'indexed' WHERE project_id = $1", shelf.project)
    changed = await patch(resources, shelf, document, DocumentPatch(metadata={"a": 1.0}))
    assert (changed.revision, version(changed)) == (2, 1)
    assert await inside.pending() == []


async def test_an_earlier_text_becomes_the_newest_version(resources: Resources, shelf: Shelf) -> None:
    document = await made(resources, shelf)
    await patch(resources, shelf, document, DocumentPatch(content="Other.", metadata={"a": 2}))
    async with serving(resources, shelf) as documents:
        restored = orjson.loads((await documents.restore(await documents.lock(document), 1)).body)
        with pytest.raises(VersionNotFoundError):
            await documents.restore(await documents.lock(document), 4)
    assert (restored["version"], restored["content"], restored["metadata"]) == (3, "Text.", {"a": 2})


async def test_a_document_that_is_gone_is_neither_changed_nor_deleted_nor_indexed(
    resources: Resources, shelf: Shelf
) -> None:
    async with serving(resources, shelf) as documents:
        document = await documents.create(DocumentCreate(title="A title", content="Text."))
        await documents.delete(await documents.lock_to_delete(document))
        for refused in (documents.lock, documents.lock_to_delete, documents.reindex):
            with pytest.raises(DocumentNotFoundError):
                await refused(document)
        assert await documents.missing([document, other := uuid4()]) == {document, other}


async def test_who_may_not_write_locks_nothing(resources: Resources, shelf: Shelf, inside: Inside) -> None:
    viewer = await inside.people.person()
    await inside.people.join(shelf.project, viewer, "viewer")
    async with resources.sessions.begin() as session:
        documents = await service(resources, session, shelf, viewer)
        for refused in (documents.lock, documents.lock_to_delete, documents.reindex):
            with pytest.raises(MissingRightError):
                await refused(uuid4())
