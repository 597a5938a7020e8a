"""One request, one transaction, committed before the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from asgi_lifespan import LifespanManager
from fastapi import APIRouter, Depends, FastAPI
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import text

from partywall.core.http.dependencies import PrincipalSessionDep, require_principal
from partywall.main import create_app
from partywall.settings import Settings
from partywall.testing.users import Person, Users

router = APIRouter(prefix="/test")


@router.post("/rename/{outcome}")
async def rename(outcome: str, session: PrincipalSessionDep) -> str:
    await session.execute(text("UPDATE account SET full_name = :name"), {"name": outcome})
    if outcome == "raise":
        raise RuntimeError(outcome)
    if outcome == "fail-at-commit":
        # A deferred constraint fails at COMMIT, after the endpoint has returned.
        await session.execute(text("INSERT INTO late_child VALUES (1)"))
    return outcome


LATE = """
    CREATE TABLE IF NOT EXISTS late_parent (id int PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS late_child (id int REFERENCES late_parent DEFERRABLE INITIALLY DEFERRED);
    GRANT INSERT ON late_child TO partywall_app
"""


@pytest.fixture
async def late_constraint(users: Users) -> AsyncIterator[None]:
    await users.execute(LATE)
    yield
    await users.execute("DROP TABLE late_child, late_parent")


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[AsyncClient]:
    app: FastAPI = create_app(settings)
    app.include_router(router, dependencies=[Depends(require_principal)])
    async with (
        LifespanManager(app, startup_timeout=60, shutdown_timeout=60),
        AsyncClient(transport=ASGITransport(app, raise_app_exceptions=False), base_url="http://test") as client,
    ):
        yield client


async def _name(person: Person, users: Users) -> str:
    return await users.execute("SELECT 1 FROM account WHERE id = $1 AND full_name IS NOT NULL", person.id)


@pytest.mark.parametrize(
    ("outcome", "status", "stored"),
    [("return", 200, "SELECT 1"), ("raise", 500, "SELECT 0"), ("fail-at-commit", 500, "SELECT 0")],
)
async def test_return_commits_raise_rolls_back_and_a_failed_commit_is_no_success(
    client: AsyncClient, users: Users, late_constraint: None, outcome: str, status: int, stored: str
) -> None:
    person = await users.person()
    answer = await client.post(f"/test/rename/{outcome}", headers={"Authorization": f"Bearer {person.token}"})
    assert answer.status_code == status
    assert await _name(person, users) == stored
    if status == 500:
        assert "Error" not in answer.text.replace("Internal error", "")
        assert "constraint" not in answer.text
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
