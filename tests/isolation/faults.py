"""Planted faults: each is put into a copy of the application and removed again.

A fault is an asynchronous context manager over the attacked copy; it yields the application to attack.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Final, cast
from uuid import UUID

import orjson
import pytest
from fastapi import Depends, FastAPI
from sqlalchemy import ColumnElement, and_, text
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from partywall.core.cache_keys import CacheKey
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scoped_query import ScopedQuery
from partywall.core.db.scopes import open_scope
from partywall.core.db.session import AsyncReadSession
from partywall.core.errors import ForeignCursorError, MissingRightError
from partywall.core.http import dependencies
from partywall.core.http.dependencies import PrincipalDep, ReadSessionDep, get_read_project_scope, require_principal
from partywall.core.http.idempotency import Idempotency
from partywall.core.idempotency.models import IdempotencyKey
from partywall.core.pagination import Cursors
from partywall.core.resources import Resources
from partywall.core.security.credential_cache import CredentialCache
from partywall.core.tenancy import Principal, ProjectNotFoundError, ProjectScope, Role, make_scope
from partywall.features.documents import reader as reader_module
from partywall.features.documents import reader_repository
from partywall.features.documents.exceptions import DocumentNotFoundError
from partywall.features.documents.reader import DocumentJson
from partywall.features.documents.reader_repository import Listing
from partywall.testing.isolation.world import World
from tests.isolation.unfiltered import unfiltered


@dataclass(frozen=True, slots=True)
class AttackedApp:
    """The copy: its application, its resources and the two projects in it."""

    app: FastAPI
    resources: Resources
    world: World

    @asynccontextmanager
    async def altered(self, *statements: str, undo: tuple[str, ...]) -> AsyncIterator[None]:
        """Runs statements as the superuser."""
        for statement in statements:
            await self.world.superuser.execute(statement)
        try:
            yield
        finally:
            for statement in undo:
                await self.world.superuser.execute(statement)

    def without_policies(self, table: str) -> AbstractAsyncContextManager[None]:
        switch = f"ALTER TABLE {table} {{}} ROW LEVEL SECURITY"
        return self.altered(switch.format("DISABLE"), undo=(switch.format("ENABLE"),))

    async def as_worker(self, session: AsyncReadSession, project_id: UUID) -> ProjectScope:
        """Opens the scope of the project's own worker, which nothing refuses."""
        return await open_scope(session, Principal.service(project_id), project_id)


type Fault = Callable[[AttackedApp], AbstractAsyncContextManager[FastAPI]]


@contextmanager
def patched(*places: tuple[object, str, object]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for owner, name, value in places:
            patch.setattr(owner, name, value)
        yield


def without_filter(read: ScopedQuery) -> ScopedQuery:
    """The same statement for all projects."""
    broken = replace(read, sql=unfiltered(read.sql))
    assert broken.sql != read.sql
    return broken


@asynccontextmanager
async def a_repository_method_without_its_filter(at: AttackedApp) -> AsyncIterator[FastAPI]:
    """The table's policies are gone, too."""
    broken = without_filter(reader_repository.ONE)
    async with at.without_policies("document"):
        with patched((reader_repository, "ONE", broken)):
            yield at.app


@asynccontextmanager
async def a_policy_beside_the_wall_that_lets_all_through(at: AttackedApp) -> AsyncIterator[FastAPI]:
    """The list's filter is missing, too. One permissive policy is enough to undo all others."""
    page_of = reader_repository.page_of

    def unfiltered_page(listing: Listing) -> ScopedQuery:
        return without_filter(page_of(listing))

    generous = "CREATE POLICY generous ON document FOR SELECT USING (true)"
    async with at.altered(generous, undo=("DROP POLICY generous ON document",)):
        with patched((reader_repository, "page_of", unfiltered_page)):
            yield at.app


@asynccontextmanager
async def a_scope_made_without_asking(at: AttackedApp) -> AsyncIterator[FastAPI]:
    """A scope resolver that does not check the path's project."""

    async def unasked(project_id: UUID, session: ReadSessionDep, principal: PrincipalDep) -> ProjectScope:
        await at.as_worker(session, project_id)
        return make_scope(project_id, principal, Role.OWNER)

    at.app.dependency_overrides[get_read_project_scope] = unasked
    try:
        yield at.app
    finally:
        del at.app.dependency_overrides[get_read_project_scope]


@asynccontextmanager
async def a_new_route_without_the_scope_dependency(at: AttackedApp) -> AsyncIterator[FastAPI]:
    """The route requires a principal, but no access to the project."""

    async def glance(project_id: UUID, session: ReadSessionDep) -> dict[str, str]:
        scope = await at.as_worker(session, project_id)
        name = await session.scalar(text("SELECT name FROM project WHERE id = :id"), {"id": project_id})
        return {"project_id": str(scope.project_id), "name": str(name)}

    async with _with_route(at.app, glance, [Depends(require_principal)]):
        yield at.app


@asynccontextmanager
async def a_new_route_without_authentication(at: AttackedApp) -> AsyncIterator[FastAPI]:
    """The route requires no principal."""

    async def glance(project_id: UUID) -> dict[str, str]:
        return {"project_id": str(project_id), "plan": "free"}

    async with _with_route(at.app, glance, []):
        yield at.app


@asynccontextmanager
async def _with_route(app: FastAPI, endpoint: Callable[..., object], guards: list[object]) -> AsyncIterator[None]:
    routes, schema = list(app.router.routes), app.openapi_schema
    app.openapi_schema = None
    app.add_api_route("/api/v1/projects/{project_id}/glance", endpoint, operation_id="glance", dependencies=guards)  # type: ignore[arg-type]  # as `Depends` makes them
    try:
        yield
    finally:
        app.router.routes[:] = routes
        app.openapi_schema = schema


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


_STILL_GOOD: Final = "AND key.revoked_at IS NULL AND (key.expires_at IS NULL OR key.expires_at > now())"
_OF_KEYS: Final = ("wall.key_credential(text)", "wall.role_of(text, uuid)", "wall.memberships()")


@asynccontextmanager
async def a_key_resolver_that_ignores_revocation_and_expiry(at: AttackedApp) -> AsyncIterator[FastAPI]:
    query = "SELECT pg_get_functiondef($1::text::regprocedure)"
    good = [str(await at.world.superuser.value(query, name)) for name in _OF_KEYS]
    broken = [" ".join(each.split()).replace(_STILL_GOOD, "") for each in good]
    assert all(len(each) < len(" ".join(was.split())) for each, was in zip(broken, good, strict=True))
    async with at.altered(*broken, undo=tuple(good)):
        # Cache nothing, so that the fault's effect ends with the fault.
        with patched((CredentialCache, "put", lambda *_: None)):
            yield at.app


@asynccontextmanager
async def a_role_remembered_from_before_it_was_lowered(at: AttackedApp) -> AsyncIterator[FastAPI]:
    remembered: dict[tuple[Principal, UUID], Role] = {}

    async def remembering(
        session: AsyncReadSession, principal: Principal, project_id: UUID, *, accepting: bool = False
    ) -> ProjectScope:
        """For reading and writing."""
        scope = await open_scope(session, principal, project_id)
        return make_scope(project_id, principal, remembered.setdefault((principal, project_id), scope.role))

    viewer, superuser = at.world.foreign.users["viewer"], at.world.superuser
    change = "UPDATE project_member SET role = $2 WHERE account_id = $1"
    await superuser.execute(change, viewer.id, "editor")
    async with at.resources.sessions.read() as session:
        await remembering(session, Principal.user(viewer.id), at.world.foreign.project)
    await superuser.execute(change, viewer.id, "viewer")
    with patched((dependencies, "open_scope", remembering), (dependencies, "open_shared_scope", remembering)):
        yield at.app
