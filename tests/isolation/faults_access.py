"""Planted faults in who may enter: policies, scopes, routes, keys and roles."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from fastapi import Depends, FastAPI
from sqlalchemy import text

from partywall.core.db.scoped_query import ScopedQuery
from partywall.core.db.scopes import open_scope
from partywall.core.db.session import AsyncReadSession
from partywall.core.http import dependencies
from partywall.core.http.dependencies import PrincipalDep, ReadSessionDep, get_read_project_scope, require_principal
from partywall.core.security.credential_cache import CredentialCache
from partywall.core.tenancy import Principal, ProjectScope, Role, make_scope
from partywall.features.documents import list_repository, reader_repository
from partywall.features.documents.list_repository import Listing
from tests.isolation.faults import AttackedApp, patched, without_filter


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
    page_of = list_repository.page_of

    def unfiltered_page(listing: Listing) -> ScopedQuery:
        return without_filter(page_of(listing))

    generous = "CREATE POLICY generous ON document FOR SELECT USING (true)"
    async with at.altered(generous, undo=("DROP POLICY generous ON document",)):
        with patched((list_repository, "page_of", unfiltered_page)):
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
