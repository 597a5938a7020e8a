"""Planted faults in what an answer says or repeats: caches, cursors, constraints, statuses and error texts."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast
from uuid import UUID

import orjson
from fastapi import FastAPI
from sqlalchemy import ColumnElement, and_
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from partywall.core.cache_keys import CacheKey
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scopes import open_scope
from partywall.core.db.session import AsyncReadSession
from partywall.core.errors import ForeignCursorError, MissingRightError
from partywall.core.http import dependencies
from partywall.core.http.idempotency import Idempotency
from partywall.core.idempotency.models import IdempotencyKey
from partywall.core.pagination import Cursors
from partywall.core.tenancy import Principal, ProjectNotFoundError, ProjectScope
from partywall.features.documents import reader as reader_module
from partywall.features.documents.exceptions import DocumentNotFoundError
from partywall.features.documents.reader import DocumentJson
from tests.isolation.faults import AttackedApp, patched


@asynccontextmanager
async def a_cache_key_without_its_project(at: AttackedApp) -> AsyncIterator[FastAPI]:
    """Documents are cached by their own ids; the caller may enter the project in the path."""
    get, cache = reader_module.get_whole, at.resources.cache
    made: set[CacheKey] = set()

    async def cached(reader: ScopedReader, project_id: UUID, document_id: UUID) -> DocumentJson:
        key = CacheKey(f"document:{document_id}")
        await reader.scope(project_id)
        kept = await cache.get(key)
        if isinstance(kept, bytes):
            return DocumentJson(kept, 1, 0)
        shown = await get(reader, project_id, document_id)
        made.add(key)
        await cache.set(key, shown.body, ex=600)
        return shown

    with patched((reader_module, "get", cached)):
        yield at.app
    for key in made:
        await cache.delete(key)


@asynccontextmanager
async def a_cursor_that_trusts_its_content(at: AttackedApp) -> AsyncIterator[FastAPI]:
    """The cursor's signature is not checked."""

    def trusting(_: Cursors, __: object, cursor: str, length: int) -> list[str]:
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            position = [str(part) for part in orjson.loads(raw[16:])]
        except ValueError:
            position = []
        if len(position) != length:
            raise ForeignCursorError
        return position

    with patched((Cursors, "decode", trusting)):
        yield at.app


@asynccontextmanager
async def idempotency_records_without_principal_and_project(at: AttackedApp) -> AsyncIterator[FastAPI]:
    def same(once: Idempotency) -> ColumnElement[bool]:
        return and_(IdempotencyKey.route == once.route, IdempotencyKey.key == once.key)

    async with at.without_policies("idempotency_key"):
        with patched((Idempotency, "_same", same)):
            yield at.app


@asynccontextmanager
async def an_external_id_that_is_unique_in_the_whole_deployment(at: AttackedApp) -> AsyncIterator[FastAPI]:
    """A constraint ignores all policies, so a conflict reveals the other project's row."""
    drop = "DROP INDEX document_external_id_key"
    create = "CREATE UNIQUE INDEX document_external_id_key ON document ({}) WHERE external_id IS NOT NULL"
    async with at.altered(drop, create.format("external_id"), undo=(drop, create.format("project_id, external_id"))):
        yield at.app


@asynccontextmanager
async def a_403_for_what_exists_elsewhere(at: AttackedApp) -> AsyncIterator[FastAPI]:
    async def talkative(session: AsyncReadSession, principal: Principal, project_id: UUID) -> ProjectScope:
        try:
            return await open_scope(session, principal, project_id)
        except ProjectNotFoundError:
            await at.as_worker(session, project_id)
            raise MissingRightError("project.read") from None

    with patched((dependencies, "open_scope", talkative)):
        yield at.app


@asynccontextmanager
async def a_304_before_the_scope(at: AttackedApp) -> AsyncIterator[FastAPI]:
    """A cache of entity tags that answers before authentication."""
    yield cast("FastAPI", _Front(at.app))


class _Front:
    def __init__(self, app: FastAPI) -> None:
        self._app: ASGIApp = app
        self._tags: set[bytes] = set()
        self.openapi = app.openapi

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def remember(message: Message) -> None:
            self._tags.update(value for name, value in message.get("headers", ()) if name == b"etag")
            await send(message)

        asked = dict(scope["headers"]).get(b"if-none-match")
        if asked is None or asked not in self._tags:
            await self._app(scope, receive, remember)
            return
        await send({"type": "http.response.start", "status": 304, "headers": [(b"etag", asked)]})
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def an_error_text_that_quotes_the_other_projects_row(at: AttackedApp) -> AsyncIterator[FastAPI]:
    """An error text, meant to help, that says where the requested document is."""
    get = reader_module.get_whole

    async def helpful(reader: ScopedReader, project_id: UUID, document_id: UUID) -> DocumentJson:
        try:
            return await get(reader, project_id, document_id)
        except DocumentNotFoundError:
            rows = await at.world.superuser.fetch("SELECT title FROM document WHERE id = $1", document_id)
            raise DocumentNotFoundError(f"{rows[0]['title']} is in another project." if rows else "") from None

    with patched((reader_module, "get", helpful)):
        yield at.app
