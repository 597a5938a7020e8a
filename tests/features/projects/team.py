"""A project with a member of every role, and callers without access."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

from httpx2 import AsyncClient, Response

from partywall.core.security.api_keys import new_key
from partywall.testing.users import Person, Users

PROJECTS = "/api/v1/projects"
ROLES = ("owner", "admin", "editor", "viewer")


@dataclass(frozen=True, slots=True)
class Team:
    users: Users
    project: UUID
    owner: Person
    admin: Person
    editor: Person
    viewer: Person

    @property
    def url(self) -> str:
        return f"{PROJECTS}/{self.project}"

    def of(self, role: str) -> Person:
        return {"owner": self.owner, "admin": self.admin, "editor": self.editor, "viewer": self.viewer}[role]

    def member(self, person: Person) -> str:
        return f"{self.url}/members/{person.id}"

    async def another(self, role: str) -> Person:
        person = await self.users.person()
        await self.users.join(self.project, person, role)
        return person

    async def key(self, role: str) -> dict[str, str]:
        """The Authorization header of a new API key of the project."""
        made = new_key()
        await self.users.execute(
            "INSERT INTO api_key (project_id, name, prefix, secret_hash, role, created_by)"
            " VALUES ($1, 'test', $2, $3, $4, $5)",
            self.project, made.prefix, made.secret_hash, role, f"user:{self.owner.id}",
        )  # fmt: skip
        return {"Authorization": f"Bearer {made.secret}"}

    async def roles(self) -> dict[UUID, str]:
        """The roles of the members in the database."""
        rows = await self.users.fetch("SELECT account_id, role FROM project_member WHERE project_id = $1", self.project)
        return {UUID(str(row["account_id"])): row["role"] for row in rows}

    @asynccontextmanager
    async def held(self) -> AsyncIterator[Callable[..., Awaitable[str]]]:
        """Holds the project's lock during the block; yields a function that runs SQL in the same transaction."""
        async with self.users.transaction() as connection:
            await connection.execute("SELECT FROM project WHERE id = $1 FOR UPDATE", self.project)
            yield connection.execute

    async def someone_waits(self, statement: str = "FROM project") -> None:
        """Waits until a request with a matching statement waits for that lock."""
        async with asyncio.timeout(60):
            while not await self.users.fetch(
                "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                " AND position($1 IN query) > 0",
                statement,
            ):
                await asyncio.sleep(0.02)

    async def events(self) -> list[tuple[str, str, str, dict[str, object]]]:
        """The member events: type, subject kind, subject id and data."""
        rows = await self.users.fetch(
            "SELECT type, subject_kind, subject_id, data::text FROM event"
            " WHERE project_id = $1 AND type LIKE 'member.%' ORDER BY id",
            self.project,
        )
        return [(row["type"], row["subject_kind"], row["subject_id"], json.loads(row["data"])) for row in rows]


async def build(users: Users) -> Team:
    owner, admin, editor, viewer = [await users.person() for _ in ROLES]
    project = await owner.project()
    for person, role in ((admin, "admin"), (editor, "editor"), (viewer, "viewer")):
        await users.join(project, person, role)
    return Team(users, project, owner, admin, editor, viewer)


def said(answer: Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["code"])


async def requests(client: AsyncClient, url: str, actions: list[tuple[str, str, object]]) -> list[Response]:
    return [await client.request(method, url + path, json=body) for method, path, body in actions]


def member_actions(user_id: UUID | None = None) -> list[tuple[str, str, object]]:
    """All requests of the member routes of a project."""
    member = f"/members/{user_id or uuid4()}"
    return [
        ("GET", "/members", None),
        ("PATCH", member, {"role": "viewer"}),
        ("PATCH", "/members/me", {"role": "viewer"}),
        ("DELETE", member, None),
        ("DELETE", "/members/me", None),
        ("POST", "/transfer", {"user_id": str(user_id or uuid4())}),
    ]
