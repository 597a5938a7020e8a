"""Creating, listing and withdrawing invitations."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from asgi_lifespan import LifespanManager
from httpx2 import AsyncClient

from partywall.core.resources import Resources
from partywall.features.projects.feature import feature
from partywall.features.projects.invitation_quota import MAILS_PER_HOUR
from partywall.features.projects.retention import prune_invitations
from partywall.main import create_app
from partywall.settings import Settings
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users
from tests.features.projects.invitation_mails import ACCEPT, Post
from tests.features.projects.team import PROJECTS, Team, build, requests, said


def new_address() -> str:
    return f"{uuid4().hex}@example.com"


def actions() -> list[tuple[str, str, object]]:
    return [
        ("POST", "/invitations", {"email": new_address(), "role": "viewer"}),
        ("GET", "/invitations", None),
        ("DELETE", f"/invitations/{uuid4()}", None),
    ]


async def pending(team: Team) -> list[tuple[str, str]]:
    rows = await team.users.fetch("SELECT email, role FROM invitation WHERE project_id = $1 ORDER BY id", team.project)
    return [(row["email"], row["role"]) for row in rows]


async def test_every_route_refuses_the_anonymous(anonymous: AsyncClient, team: Team) -> None:
    answers = await requests(anonymous, team.url, actions())
    answers.append(await anonymous.post(ACCEPT, json={"token": "x" * 43}))
    assert [answer.status_code for answer in answers] == [401] * 4
    assert await pending(team) == []


async def test_an_outsider_sees_no_invitations(users: Users, team: Team, post: Post) -> None:
    outsider = await users.person()
    own = await outsider.project()
    invited = await post.invite(team, new_address())
    for answer in await requests(outsider.client, team.url, actions()):
        assert said(answer) == (404, "project_not_found")
    elsewhere = await outsider.client.delete(f"{PROJECTS}/{own}/invitations/{invited}")
    assert said(elsewhere) == (404, "invitation_not_found")
    assert (await outsider.client.get(f"{PROJECTS}/{own}/invitations")).json()["items"] == []
    assert len(await pending(team)) == 1


async def test_an_invitation_is_answered_without_its_token(team: Team, post: Post) -> None:
    name = uuid4().hex
    made = await team.admin.client.post(
        f"{team.url}/invitations", json={"email": f" {name.upper()}@Example.COM ", "role": "viewer"}
    )
    assert made.status_code == 201
    body = made.json()
    assert body.keys() == {"id", "email", "role", "expires_at", "created_at"}
    assert (body["email"], body["role"]) == (f"{name}@example.com", "viewer")
    left = datetime.fromisoformat(body["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    assert "location" not in made.headers
    _, payload = await post.job(team, body["id"])
    assert payload.model_dump(mode="json", exclude={"request_id"}) == {
        "project_id": str(team.project), "principal": str(team.admin.principal), "invitation_id": body["id"],
    }  # fmt: skip
    assert await team.events() == [("member.invited", "invitation", body["id"], {"role": "viewer"})]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"email": "nobody", "role": "viewer"}, "/email"),
        ({"email": "a@example.com"}, "/role"),
        ({"email": "a@example.com", "role": "service"}, "/role"),
        ({"email": "a@example.com", "role": "viewer", "token": "mine"}, "/token"),
    ],
)
async def test_a_bad_invitation_is_refused(team: Team, body: dict[str, object], pointer: str) -> None:
    answer = await team.owner.client.post(f"{team.url}/invitations", json=body)
    assert answer.status_code == 422
    assert pointer in [each["pointer"] for each in answer.json()["errors"]]
    assert "Role" not in answer.text, "the message must not quote Python code"
    assert await pending(team) == []


async def test_a_member_needs_no_invitation(team: Team) -> None:
    body = {"email": team.viewer.email.upper(), "role": "editor"}
    assert said(await team.owner.client.post(f"{team.url}/invitations", json=body)) == (409, "already_member")


async def test_an_address_is_invited_once_until_it_expires(team: Team, post: Post) -> None:
    email = new_address()
    first = await post.invite(team, email, "viewer")
    body = {"email": email, "role": "editor"}
    assert said(await team.admin.client.post(f"{team.url}/invitations", json=body)) == (409, "already_invited")
    await team.users.execute("UPDATE invitation SET expires_at = now() WHERE id = $1", first)
    again = await team.admin.client.post(f"{team.url}/invitations", json=body)
    assert again.status_code == 201
    assert again.json()["id"] != str(first)
    assert await pending(team) == [(email, "editor")]


async def test_a_user_with_an_unconfirmed_address_cannot_invite(team: Team) -> None:
    """A caller who also lacks the right gets only `missing_right`."""
    body = {"email": new_address(), "role": "viewer"}
    headers = {"Idempotency-Key": "invite"}
    url = f"{team.url}/invitations"
    assert (await team.admin.client.post(url, json=body, headers=headers)).status_code == 201
    await team.users.execute(
        "UPDATE account SET email_verified_at = NULL WHERE id = ANY ($1)", [team.admin.id, team.viewer.id]
    )
    for sent in ({}, headers):
        refused = await team.admin.client.post(url, json=body | {"email": new_address()}, headers=sent)
        assert said(refused) == (403, "address_not_verified")
    assert said(await team.viewer.client.post(url, json=body)) == (403, "missing_right")
    assert await pending(team) == [(body["email"], "viewer")]
    assert (await team.admin.client.get(url)).status_code == 200


async def test_of_invitations_for_one_address_at_once_one_is_made(team: Team) -> None:
    body = {"email": new_address(), "role": "editor"}
    senders = [team.owner, team.admin, team.owner, team.admin]
    answers = await asyncio.gather(*(person.client.post(f"{team.url}/invitations", json=body) for person in senders))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert len(await pending(team)) == 1


async def test_a_project_has_at_most_a_hundred_pending(team: Team, post: Post) -> None:
    await team.users.execute(
        "INSERT INTO invitation (project_id, email, role, token_hash, invited_by, expires_at)"
        " SELECT $1, gen_random_uuid()::text, 'viewer', gen_random_uuid()::text::bytea, 'user:x',"
        " now() + interval '1 hour' FROM generate_series(1, 99)",
        team.project,
    )
    last = await post.invite(team, new_address())
    body = {"email": new_address(), "role": "viewer"}
    assert said(await team.owner.client.post(f"{team.url}/invitations", json=body)) == (409, "too_many_invitations")
    assert (await team.owner.client.delete(f"{team.url}/invitations/{last}")).status_code == 204
    assert (await team.owner.client.post(f"{team.url}/invitations", json=body)).status_code == 201


@pytest.mark.parametrize("sort", ["-created_at", "created_at"])
async def test_the_list_shows_what_can_still_be_accepted(team: Team, post: Post, sort: str) -> None:
    emails = [new_address() for _ in range(4)]
    ids = [await post.invite(team, email) for email in emails]
    await team.users.execute("UPDATE invitation SET expires_at = now() WHERE id = $1", ids[1])
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        params = {"limit": "1", "sort": sort} | ({"cursor": cursor} if cursor else {})
        page = (await team.admin.client.get(f"{team.url}/invitations", params=params)).json()
        seen += [item["email"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert cursor is None
    expected = [emails[0], emails[2], emails[3]]
    assert seen == (expected[::-1] if sort.startswith("-") else expected)
    counted = (await team.admin.client.get(f"{team.url}/invitations", params={"offset": 1, "limit": 1})).json()
    assert (counted["total"], len(counted["items"])) == (3, 1)
    members = await team.admin.client.get(f"{team.url}/members", params={"limit": 1})
    other = {"cursor": members.json()["next_cursor"]}
    assert (await team.admin.client.get(f"{team.url}/invitations", params=other)).status_code == 422


async def test_what_has_expired_is_forgotten(team: Team, post: Post, resources: Resources) -> None:
    kept, gone = new_address(), new_address()
    await post.invite(team, kept)
    expired = await post.invite(team, gone)
    await team.users.execute("UPDATE invitation SET expires_at = now() WHERE id = $1", expired)
    assert "prune_invitations" in [each.name for each in feature.schedules]
    await prune_invitations(resources)
    assert await pending(team) == [(kept, "editor")]


async def test_an_invitation_is_withdrawn_once(team: Team, post: Post) -> None:
    url = f"{team.url}/invitations/{await post.invite(team, new_address())}"
    for role in ("editor", "viewer"):
        refused = await team.of(role).client.delete(url)
        assert (refused.status_code, refused.json()["right"]) == (403, "invitation.manage")
    assert (await team.admin.client.delete(url)).status_code == 204
    assert said(await team.admin.client.delete(url)) == (404, "invitation_not_found")
    assert await pending(team) == []


async def test_an_idempotency_key_invites_once(team: Team, post: Post) -> None:
    body, headers = {"email": new_address(), "role": "viewer"}, {"Idempotency-Key": "invite"}
    first = await team.owner.client.post(f"{team.url}/invitations", json=body, headers=headers)
    again = await team.owner.client.post(f"{team.url}/invitations", json=body, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    await post.job(team, first.json()["id"])
    other = await team.owner.client.post(f"{team.url}/invitations", json=body | {"role": "admin"}, headers=headers)
    assert said(other) == (422, "idempotency_key_reused")


async def test_a_replay_is_authorised_again(team: Team) -> None:
    body, headers = {"email": new_address(), "role": "viewer"}, {"Idempotency-Key": "invite"}
    assert (await team.admin.client.post(f"{team.url}/invitations", json=body, headers=headers)).status_code == 201
    await team.owner.client.patch(team.member(team.admin), json={"role": "editor"})
    again = await team.admin.client.post(f"{team.url}/invitations", json=body, headers=headers)
    assert (again.status_code, again.json()["right"]) == (403, "invitation.manage")


async def test_invitations_of_a_leaving_member_are_deleted(team: Team, post: Post) -> None:
    kept, gone = new_address(), new_address()
    await post.invite(team, kept, by=team.owner)
    await post.invite(team, gone, by=team.admin)
    assert (await team.admin.client.delete(f"{team.url}/members/me")).status_code == 204
    assert await pending(team) == [(kept, "editor")]


async def test_invitations_of_a_removed_member_are_deleted(team: Team, post: Post) -> None:
    await post.invite(team, new_address(), by=team.admin)
    assert (await team.owner.client.delete(team.member(team.admin))).status_code == 204
    assert await pending(team) == []


@pytest.mark.parametrize(("role", "left"), [("owner", 2), ("admin", 2), ("editor", 0), ("viewer", 0)])
async def test_who_is_lowered_loses_what_they_could_not_send(team: Team, post: Post, role: str, left: int) -> None:
    other = await team.another("owner")
    for invited in ("viewer", "admin", "owner"):
        await post.invite(team, new_address(), invited, by=other)
    lowered = await team.owner.client.patch(team.member(other), json={"role": role})
    assert lowered.status_code == 200
    assert len(await pending(team)) == (3 if role == "owner" else left)


async def test_who_transfers_the_project_takes_back_offers_of_ownership(team: Team, post: Post) -> None:
    for invited in ("viewer", "owner"):
        await post.invite(team, new_address(), invited)
    await team.owner.client.post(f"{team.url}/transfer", json={"user_id": str(team.viewer.id)})
    assert [role for _, role in await pending(team)] == ["viewer"]


async def test_withdrawing_and_inviting_again_fills_nobodys_mailbox(team: Team) -> None:
    body = {"email": new_address(), "role": "viewer"}
    for _ in range(MAILS_PER_HOUR):
        made = await team.owner.client.post(f"{team.url}/invitations", json=body)
        assert made.status_code == 201
        again = await team.owner.client.post(f"{team.url}/invitations", json=body)
        assert said(again) == (409, "already_invited")
        await team.owner.client.delete(f"{team.url}/invitations/{made.json()['id']}")
    refused = await team.admin.client.post(f"{team.url}/invitations", json=body)
    assert said(refused) == (429, "too_many_requests")
    other = await team.owner.project()
    elsewhere = await team.owner.client.post(f"/api/v1/projects/{other}/invitations", json=body)
    assert elsewhere.status_code == 201


async def test_nobody_invites_or_guesses_in_masses(settings: Settings, database: DatabaseUrls) -> None:
    """Each caller has a separate limit, and logging in has another."""
    few = settings.accounts.model_copy(update={"attempts_per_minute": 2})
    app = create_app(settings.model_copy(update={"accounts": few}))
    async with (
        LifespanManager(app, startup_timeout=60, shutdown_timeout=60),
        Users(app, app.state.resources, database) as users,
    ):
        team = await build(users)
        bodies = [{"email": new_address(), "role": "viewer"} for _ in range(3)]
        invited = [await team.owner.client.post(f"{team.url}/invitations", json=body) for body in bodies]
        assert [answer.status_code for answer in invited] == [201, 201, 429]
        assert said(invited[2]) == (429, "too_many_requests")
        assert 1 <= int(invited[2].headers["retry-after"]) <= 60
        guesses = [await team.owner.client.post(ACCEPT, json={"token": "x" * 43}) for _ in range(3)]
        assert [answer.status_code for answer in guesses] == [404, 404, 429]
        assert (await team.admin.client.post(f"{team.url}/invitations", json=bodies[2])).status_code == 201
        login = {"grant_type": "password", "username": team.owner.email, "password": "wrong password"}
        assert (await team.owner.client.post("/api/v1/auth/token", data=login)).status_code == 400
