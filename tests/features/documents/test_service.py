from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import orjson
import pytest
from sqlalchemy import inspect

from partywall.core.db.scopes import open_shared_scope
from partywall.core.db.session import AsyncSession
from partywall.core.errors import MissingRightError
from partywall.core.resources import Resources
from partywall.features.documents.exceptions import DocumentNotFoundError, VersionNotFoundError
from partywall.features.documents.reader import DocumentJson
from partywall.features.documents.repository import DocumentWriter
from partywall.features.documents.schemas import DocumentCreate, DocumentPatch
from partywall.features.documents.service import DocumentService, missing
from partywall.features.documents.trash import Trash
from partywall.testing.users import Person
from tests.features.documents.conftest import Inside, Workspace


async def service(resources: Resources, session: AsyncSession, workspace: Workspace, person: Person) -> DocumentService:
    scope = await open_shared_scope(session, person.principal, workspace.project)
    return DocumentService(session, scope)


@asynccontextmanager
async def serving(resources: Resources, workspace: Workspace) -> AsyncIterator[DocumentService]:
    async with resources.sessions.begin() as session:
        yield await service(resources, session, workspace, workspace.owner)


async def made(resources: Resources, workspace: Workspace) -> UUID:
    async with serving(resources, workspace) as documents:
        return await documents.create(DocumentCreate(title="A title", content="Text.", metadata={"a": 1}))


async def patch(resources: Resources, workspace: Workspace, document: UUID, wanted: DocumentPatch) -> DocumentJson:
    async with serving(resources, workspace) as documents:
        return await documents.update(document, wanted)


def version(shown: DocumentJson) -> object:
    return orjson.loads(shown.body)["version"]


async def test_what_changes_nothing_is_no_change(resources: Resources, workspace: Workspace, inside: Inside) -> None:
    document = await made(resources, workspace)
    same = await patch(resources, workspace, document, DocumentPatch(title="A title", metadata={"a": 1, "b": None}))
    assert (same.revision, version(same)) == (1, 1)
    assert [type_ for type_, *_ in await inside.events()] == ["document.created"]


async def test_a_change_does_not_read_the_text_that_is_there(resources: Resources, workspace: Workspace) -> None:
    """The text may be large; its digest is enough."""
    document = await made(resources, workspace)
    async with serving(resources, workspace) as documents:
        row = await DocumentWriter(documents.session, documents.scope).lock(document)
        assert "content" in inspect(row, raiseerr=True).unloaded
        locked = await documents.lock(document)
        assert locked.current.content is None
        assert locked.has_text("A title", "Text.")
        assert not locked.has_text("A title", "Text")
        assert not locked.has_text("Another", "Text.")
    again = await patch(resources, workspace, document, DocumentPatch(content="Text."))
    assert (again.revision, version(again)) == (1, 1)
    other = await patch(resources, workspace, document, DocumentPatch(content="Text"))
    assert (other.revision, version(other)) == (2, 2)


async def test_metadata_alone_makes_no_version_and_indexes_nothing(
    resources: Resources, workspace: Workspace, inside: Inside
) -> None:
    document = await made(resources, workspace)
    await inside.users.execute("UPDATE document SET index_status = 'indexed' WHERE project_id = $1", workspace.project)
    changed = await patch(resources, workspace, document, DocumentPatch(metadata={"a": 1.0}))
    assert (changed.revision, version(changed)) == (2, 1)
    assert await inside.pending() == []


async def test_an_earlier_text_becomes_the_newest_version(resources: Resources, workspace: Workspace) -> None:
    document = await made(resources, workspace)
    await patch(resources, workspace, document, DocumentPatch(content="Other.", metadata={"a": 2}))
    async with serving(resources, workspace) as documents:
        restored = orjson.loads((await documents.restore(document, 1)).body)
        with pytest.raises(VersionNotFoundError):
            await documents.restore(document, 4)
    assert (restored["version"], restored["content"], restored["metadata"]) == (3, "Text.", {"a": 2})


async def test_a_document_that_is_gone_is_neither_changed_nor_deleted_nor_indexed(
    resources: Resources, workspace: Workspace
) -> None:
    async with serving(resources, workspace) as documents:
        document = await documents.create(DocumentCreate(title="A title", content="Text."))
        trash = Trash(documents.session, documents.scope, timedelta(days=1))
        await trash.delete(document, None)
        for refused in (documents.lock, partial(trash.delete, if_match=None), documents.reindex):
            with pytest.raises(DocumentNotFoundError):
                await refused(document)
        assert await missing(documents.session, documents.scope, [document, other := uuid4()]) == {document, other}


async def test_who_may_not_write_locks_nothing(resources: Resources, workspace: Workspace, inside: Inside) -> None:
    viewer = await inside.users.person()
    await inside.users.join(workspace.project, viewer, "viewer")
    async with resources.sessions.begin() as session:
        documents = await service(resources, session, workspace, viewer)
        trash = Trash(session, documents.scope, timedelta(days=1))
        delete, purge = [partial(trash.delete, if_match=None, permanent=permanent) for permanent in (False, True)]
        calls: list[Callable[[UUID], Awaitable[object]]]
        calls = [documents.lock, delete, purge, trash.restore, documents.reindex]
        for refused in calls:
            with pytest.raises(MissingRightError):
                await refused(uuid4())
