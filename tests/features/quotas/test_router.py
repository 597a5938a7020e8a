from __future__ import annotations

import pytest
from httpx2 import AsyncClient

from partywall.testing.users import Users
from tests.features.quotas.conftest import Limited


@pytest.mark.parametrize(
    "path", ["/api/v1/users/me/usage", "/api/v1/projects/01890a5d-ac96-774b-bcce-b302099a8057/usage"]
)
async def test_anonymous_is_refused(anonymous: AsyncClient, path: str) -> None:
    assert (await anonymous.get(path)).status_code == 401


async def test_another_project_sees_nothing(limited: Limited, users: Users) -> None:
    outsider = await users.person()
    assert (await outsider.client.get(f"{limited.url}/usage")).status_code == 404


async def test_every_member_sees_what_is_used_and_what_may_be(limited: Limited, users: Users) -> None:
    viewer = await users.person()
    await users.join(limited.project, viewer, "viewer")
    await limited.limit(documents=7, bytes=None)
    await limited.document("12345")
    await limited.post("/api-keys", {"name": "k", "role": "viewer"})
    usage = (await viewer.client.get(f"{limited.url}/usage")).json()
    assert usage["documents"] == {"used": 1, "limit": 7}
    assert usage["bytes"] == {"used": 7, "limit": None}
    assert usage["keys"] == {"used": 1, "limit": 50}
    assert usage["members"] == {"used": 2, "limit": 1000}
    assert usage["versions_per_document"] == {"limit": 200}
    assert (usage["runs"]["used"], usage["runs"]["limit"]) == (0, 10_000)
    assert usage["spending"]["used"] == {"amount": "0.00", "currency": "USD"}
    assert usage["spending"]["limit"] is None


async def test_an_account_sees_how_many_projects_it_owns(limited: Limited, users: Users) -> None:
    other = await users.person()
    theirs = await other.project()
    await users.join(theirs, limited.owner, "admin")
    answer = await limited.client.get("/api/v1/users/me/usage")
    assert answer.json() == {"projects": {"used": 1, "limit": 100}}


async def test_a_key_has_no_account(limited: Limited) -> None:
    made = await limited.post("/api-keys", {"name": "k", "role": "viewer"})
    headers = {"Authorization": f"Bearer {made.json()['secret']}"}
    assert (await limited.client.get("/api/v1/users/me/usage", headers=headers)).status_code == 403
    assert (await limited.client.get(f"{limited.url}/usage", headers=headers)).status_code == 200
