"""The suite reports operations that it cannot exercise and leaks in copies with unprotected routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, Response
from fastapi.routing import APIRoute

from partywall.core.http.dependencies import PrincipalDep, ReadProjectScopeDep, require_principal
from partywall.main import create_app
from partywall.settings import Settings
from partywall.testing.isolation.app import open_app
from partywall.testing.isolation.suite import Report, attack
from partywall.testing.isolation.world import World

type Build = Callable[[APIRouter, World], None]
type AttackRoutes = Callable[[Build], Awaitable[Report]]


@pytest.fixture
def attack_routes(attacked_settings: Settings, world: World) -> AttackRoutes:
    """Attacks only the routes that were added to a copy of the application."""

    async def attacked(build: Build) -> Report:
        router = APIRouter(prefix="/api/v1", dependencies=[Depends(require_principal)])
        build(router, world)
        added = {route.path for route in router.routes if isinstance(route, APIRoute)}

        def create(settings: Settings) -> FastAPI:
            app = create_app(settings)
            app.include_router(router)
            return app

        async with open_app(attacked_settings, create) as app:
            return await attack(app, world, only=lambda each: each.path in added)

    return attacked


def unreachable(router: APIRouter, _: World) -> None:
    @router.get("/projects/{project_id}/notes/{note_id}")
    async def get_note(project_id: UUID, note_id: UUID) -> None: ...

    @router.post("/projects/{project_id}/riddles")
    async def solve_riddle(project_id: UUID, answer: Annotated[str, Body(embed=True)]) -> None:
        raise HTTPException(422, f"{answer} is wrong.")


async def test_a_route_that_cannot_be_exercised_fails(attack_routes: AttackRoutes) -> None:
    report = await attack_routes(unreachable)
    assert len(report.unexercised) == 2
    assert "no value for {note_id}: neither POST nor GET /api/v1/projects/{project_id}/notes" in str(report)
    assert "POST /api/v1/projects/{project_id}/riddles never succeeds" in str(report)
    assert (report.exercised, report.attempts) == (set(), 0)


def sound(router: APIRouter, _: World) -> None:
    notes: dict[str, str] = {}

    @router.post("/projects/{project_id}/notes", status_code=201)
    async def create_note(scope: ReadProjectScopeDep, text: Annotated[str, Body(embed=True)]) -> dict[str, str]:
        notes[f"{scope.project_id}/{len(notes)}"] = text
        return {"id": str(len(notes) - 1)}

    @router.get("/projects/{project_id}/notes/{note_id}")
    async def get_note(scope: ReadProjectScopeDep, note_id: str) -> dict[str, str]:
        if f"{scope.project_id}/{note_id}" not in notes:
            raise HTTPException(404, "No such note")
        return {"text": notes[f"{scope.project_id}/{note_id}"]}


async def test_a_new_route_is_covered_without_a_line(attack_routes: AttackRoutes) -> None:
    report = await attack_routes(sound)
    assert (report.leaks, report.unexercised) == ([], []), str(report)
    assert report.exercised == {"create_note", "get_note"}
    positions = {position for operation, position, _ in report.covered if operation == "get_note"}
    assert positions > {"path project_id", "path note_id", "query project_id", "header If-Match"}


def without_gate_to_the_project(router: APIRouter, world: World) -> None:
    @router.get("/projects/{project_id}/summary")
    async def get_summary(project_id: UUID, principal: PrincipalDep) -> dict[str, object]:
        name = await world.superuser.value("SELECT name FROM project WHERE id = $1", project_id)
        return {"name": name, "asked_by": str(principal)}


def that_trusts_a_parameter(router: APIRouter, world: World) -> None:
    @router.get("/projects/{project_id}/hint")
    async def get_hint(scope: ReadProjectScopeDep, project_id_of: UUID | None = None) -> dict[str, object]:
        titles = await world.superuser.fetch(
            "SELECT title FROM document WHERE project_id = $1", project_id_of or scope.project_id
        )
        return {"titles": [each["title"] for each in titles]}


def that_knows_what_exists(router: APIRouter, world: World) -> None:
    @router.get("/projects/{project_id}/exists")
    async def get_existence(project_id: UUID, principal: PrincipalDep) -> Response:
        members = "SELECT count(*) FROM project_member WHERE project_id = $1 AND account_id = $2"
        if await world.superuser.value(members, project_id, principal.id):
            return Response()
        known = await world.superuser.value("SELECT count(*) FROM project WHERE id = $1", project_id)
        raise HTTPException(403 if known else 404)


def that_writes_next_door(router: APIRouter, world: World) -> None:
    @router.post("/projects/{project_id}/touch")
    async def touch_document(scope: ReadProjectScopeDep, document: Annotated[str, Body(embed=True)]) -> None:
        await world.superuser.execute(
            "UPDATE document SET title = title || $3 WHERE project_id <> $1 AND external_id = $2",
            scope.project_id, document, f" by {scope.principal}",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("build", "what"),
    [
        (without_gate_to_the_project, "answered 200"),
        (that_trusts_a_parameter, "which is FOREIGN's"),
        (that_knows_what_exists, "but for a nonexistent value: 404"),
    ],
)
async def test_an_open_gateway_is_found(attack_routes: AttackRoutes, build: Build, what: str) -> None:
    assert_told(await attack_routes(build), what)


def assert_told(report: Report, what: str) -> None:
    assert not report.unexercised
    assert any(what in each.what and each.attempt is not None for each in report.leaks), str(report)


async def test_a_change_is_found_and_undone_when_it_has_been_told(
    attack_routes: AttackRoutes, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.foreign, "known", {})  # as before the first attack, which creates what it learns from
    before = await world.superuser.fingerprint(world.foreign.belongings)
    assert_told(await attack_routes(that_writes_next_door), "changed FOREIGN's document")
    assert await world.superuser.fingerprint(world.foreign.belongings) == before
