from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import pytest
from httpx2 import AsyncClient, Response

from partywall.testing.users import Person, Users


@dataclass(frozen=True, slots=True)
class Limited:
    """A project whose limits a test sets as an operator does."""

    users: Users
    project: UUID
    owner: Person

    @property
    def client(self) -> AsyncClient:
        return self.owner.client

    @property
    def url(self) -> str:
        return f"/api/v1/projects/{self.project}"

    async def limit(self, **limits: int | None) -> None:
        for quota, most in limits.items():
            await self.users.execute(
                "INSERT INTO project_quota (project_id, quota, most) VALUES ($1, $2, $3)"
                " ON CONFLICT (project_id, quota) DO UPDATE SET most = excluded.most",
                self.project, quota, most,
            )  # fmt: skip

    async def post(self, path: str, body: Mapping[str, object]) -> Response:
        return await self.client.post(f"{self.url}{path}", json=dict(body))

    async def document(self, content: str = "", title: str = "A title", **fields: object) -> Response:
        return await self.post("/documents", {"title": title, "content": content, **fields})

    async def used(self, quota: str) -> int:
        answer = await self.client.get(f"{self.url}/usage")
        assert answer.status_code == 200, answer.text
        found: int = answer.json()[quota]["used"]
        return found

    async def stored(self) -> dict[str, int]:
        """The usage in the counter slots and the true usage, without documents marked as deleted."""
        [row] = await self.users.fetch(
            """
            WITH alive AS (
                SELECT * FROM document WHERE project_id = $1 AND (deleted_at IS NULL OR purge_at IS NOT NULL)
            )
            SELECT (SELECT coalesce(sum(documents), 0) FROM project_usage WHERE project_id = $1)::bigint AS documents,
                (SELECT coalesce(sum(bytes), 0) FROM project_usage WHERE project_id = $1)::bigint AS bytes,
                (SELECT count(*) FROM alive) AS true_documents,
                (SELECT coalesce(sum(octet_length(content) + coalesce(original_size, 0)
                    + octet_length(metadata::text)), 0) FROM alive)::bigint
                + (SELECT coalesce(sum(octet_length(t.content)), 0) FROM document_text AS t
                    JOIN alive ON alive.project_id = t.project_id AND alive.id = t.document_id)::bigint
                + (SELECT coalesce(sum(octet_length(body)), 0) FROM idempotency_key WHERE project_id = $1)::bigint
                    AS true_bytes
            """,
            self.project,
        )
        return dict(row)

    async def marked(self) -> dict[str, int]:
        """The documents to be purged, in the counter slots and in truth."""
        [row] = await self.users.fetch(
            """
            WITH marked AS (
                SELECT * FROM document WHERE project_id = $1 AND deleted_at IS NOT NULL AND purge_at IS NULL
            )
            SELECT (SELECT sum(marked_documents) FROM project_usage WHERE project_id = $1)::bigint AS documents,
                (SELECT sum(marked_bytes) FROM project_usage WHERE project_id = $1)::bigint AS bytes,
                (SELECT count(*) FROM marked) AS true_documents,
                (SELECT coalesce(sum(octet_length(content) + coalesce(original_size, 0) + history_bytes
                    + octet_length(metadata::text)), 0) FROM marked)::bigint AS true_bytes
            """,
            self.project,
        )
        return dict(row)


@pytest.fixture
async def limited(users: Users) -> Limited:
    owner = await users.person()
    return Limited(users, await owner.project(), owner)


def exceeded(answer: Response) -> tuple[int, object, object, object]:
    """Status, quota, used and limit of a refused request."""
    body = answer.json()
    assert body["code"] == "quota_exceeded", answer.text
    return answer.status_code, body["quota"], body.get("used"), body.get("limit")
