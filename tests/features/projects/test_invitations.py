"""Inviting, listing and withdrawing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from asgi_lifespan import LifespanManager
from httpx2 import AsyncClient

from partywall.core.resources import Resources
from partywall.features.projects.invitation_quota import MAILS_PER_HOUR
from partywall.features.projects.retention import prune_invitations
from partywall.features.projects.work import work
from partywall.main import create_app
from partywall.settings import Settings
from tests.engines import DatabaseUrls
from tests.features.projects.house import PROJECTS, House, build, requests, said
from tests.features.projects.post import ACCEPT, Post
from tests.people import People


def new_address() -> str:
    return f"{uuid4().hex}@example.com"


def actions() -> list[tuple[str, str, object]]:
    return [
        ("POST", "/invitations", {"email": new_address(), "role": "viewer"}),
        ("GET", "/invitations", None),
        ("DELETE", f"/invitations/{uuid4()}", None),
    ]


async def pending(house: House) -> list[tuple[str, str]]:
    rows = await house.people.fetch(
        "SELECT email, role FROM invitation WHERE project_id = $1 ORDER BY id", house.project
    )
    return [(row["email"], row["role"]) for row in rows]


async def test_every_route_refuses_the_anonymous(anonymous: AsyncClient, house: House) -> None:
    answers = await requests(anonymous, house.url, actions())
    answers.append(await anonymous.post(ACCEPT, json={"token": "x" * 43}))
    assert [answer.status_code for answer in answers] == [401] * 4
    assert await pending(house) == []


async def test_to_a_stranger_there_are_no_invitations(people: People, house: House, post: Post) -> None:
    stranger = await people.person()
    own = await stranger.project()
    invited = await post.invite(house, new_address())
    for answer in await requests(stranger.client, house.url, actions()):
        assert said(answer) == (404, "project_not_found")
    elsewhere = await stranger.client.delete(f"{PROJECTS}/{own}/invitations/{invited}")
    assert said(elsewhere) == (404, "invitation_not_found")
    assert (await stranger.client.get(f"{PROJECTS}/{own}/invitations")).json()["items"] == []
    assert len(await pending(house)) == 1


async def test_an_invitation_is_answered_without_its_token(house: House, post: Post) -> None:
    name = uuid4().hex
    made = await house.admin.client.post(
        f"{house.url}/invitations", json={"email": f" {name.upper()}@Example.COM ", "role": "viewer"}
    )
    assert made.status_code == 201
    body = made.json()
    assert body.keys() == {"id", "email", "role", "expires_at", "created_at"}
    assert (body["email"], body["role"]) == (f"{name}@example.com", "viewer")
    left = datetime.fromisoformat(body["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    assert "location" not in made.headers
    _, payload = await post.job(house, body["id"])
    assert payload.model_dump(mode="json", exclude={"request_id"}) == {
        "project_id": str(house.project), "principal": str(house.admin.principal), "invitation_id": body["id"],
    }  # fmt: skip
    assert await house.events() == [("member.invited", "invitation", body["id"], {"role": "viewer"})]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"email": "nobody", "role": "viewer"}, "/email"),
        ({"email": "a@example.com"}, "/role"),
        ({"email": "a@example.com", "role": "service"}, "/role"),
        ({"email": "a@example.com", "role": "viewer", "token": "mine"}, "/token"),
    ],
)
async def test_a_bad_invitation_is_refused(house: House, body: dict[str, object], pointer: str) -> None:
    answer = await house.owner.client.post(f"{house.url}/invitations", json=body)
    assert answer.status_code == 422
    assert pointer in [each["pointer"] for each in answer.json()["errors"]]
    assert "Role" not in answer.text, "quotes the program, not the contract"
    assert await pending(house) == []


async def test_a_member_needs_no_invitation(house: House) -> None:
    body = {"email": house.viewer.email.upper(), "role": "editor"}
    assert said(await house.owner.client.post(f"{house.url}/invitations", json=body)) == (409, "already_member")


async def test_an_address_is_invited_once_until_it_expires(house: House, post: Post) -> None:
    email = new_address()
    first = await post.invite(house, email, "viewer")
    body = {"email": email, "role": "editor"}
    assert said(await house.admin.client.post(f"{house.url}/invitations", json=body)) == (409, "already_invited")
    await house.people.execute("UPDATE invitation SET expires_at = now() WHERE id = $1", first)
    again = await house.admin.client.post(f"{house.url}/invitations", json=body)
    assert again.status_code == 201
    assert again.json()["id"] != str(first)
    assert await pending(house) == [(email, "editor")]


async def test_who_has_not_confirmed_an_address_writes_to_nobody(house: House) -> None:
    """Nor hears more than that they may not, where they may not for another reason either."""
    body = {"email": new_address(), "role": "viewer"}
    headers = {"Idempotency-Key": "invite"}
    url = f"{house.url}/invitations"
    assert (await house.admin.client.post(url, json=body, headers=headers)).status_code == 201
    await house.people.execute(
        "UPDATE account SET email_verified_at = NULL WHERE id = ANY ($1)", [house.admin.id, house.viewer.id]
    )
    for sent in ({}, headers):
        refused = await house.admin.client.post(url, json=body | {"email": new_address()}, headers=sent)
        assert said(refused) == (403, "address_not_verified")
    assert said(await house.viewer.client.post(url, json=body)) == (403, "missing_right")
    assert await pending(house) == [(body["email"], "viewer")]
    assert (await house.admin.client.get(url)).status_code == 200


async def test_of_invitations_for_one_address_at_once_one_is_made(house: House) -> None:
    body = {"email": new_address(), "role": "editor"}
    senders = [house.owner, house.admin, house.owner, house.admin]
    answers = await asyncio.gather(*(person.client.post(f"{house.url}/invitations", json=body) for person in senders))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert len(await pending(house)) == 1


async def test_a_project_has_at_most_a_hundred_pending(house: House, post: Post) -> None:
    await house.people.execute(
        "INSERT INTO invitation (project_id, email, role, token_hash, invited_by, expires_at)"
        " SELECT $1, gen_random_uuid()::text, 'viewer', gen_random_uuid()::text::bytea, 'user:x',"
        " now() + interval '1 hour' FROM generate_series(1, 99)",
        house.project,
    )
    last = await post.invite(house, new_address())
    body = {"email": new_address(), "role": "viewer"}
    assert said(await house.owner.client.post(f"{house.url}/invitations", json=body)) == (409, "too_many_invitations")
    assert (await house.owner.client.delete(f"{house.url}/invitations/{last}")).status_code == 204
    assert (await house.owner.client.post(f"{house.url}/invitations", json=body)).status_code == 201


@pytest.mark.parametrize("sort", ["-created_at", "created_at"])
async def test_the_list_shows_what_can_still_be_accepted(house: House, post: Post, sort: str) -> None:
    emails = [new_address() for _ in range(4)]
    ids = [await post.invite(house, email) for email in emails]
    await house.people.execute("UPDATE invitation SET expires_at = now() WHERE id = $1", ids[1])
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        params = {"limit": "1", "sort": sort} | ({"cursor": cursor} if cursor else {})
        page = (await house.admin.client.get(f"{house.url}/invitations", params=params)).json()
        seen += [item["email"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert cursor is None
    expected = [emails[0], emails[2], emails[3]]
    assert seen == (expected[::-1] if sort.startswith("-") else expected)
    counted = (await house.admin.client.get(f"{house.url}/invitations", params={"offset": 1, "limit": 1})).json()
    assert (counted["total"], len(counted["items"])) == (3, 1)
    members = await house.admin.client.get(f"{house.url}/members", params={"limit": 1})
    other = {"cursor": members.json()["next_cursor"]}
    assert (await house.admin.client.get(f"{house.url}/invitations", params=other)).status_code == 422


async def test_what_has_expired_is_forgotten(house: House, post: Post, resources: Resources) -> None:
    kept, gone = new_address(), new_address()
    await post.invite(house, kept)
    expired = await post.invite(house, gone)
    await house.people.execute("UPDATE invitation SET expires_at = now() WHERE id = $1", expired)
    assert "prune_invitations" in [each.name for each in work.schedules]
    await prune_invitations(resources)
    assert await pending(house) == [(kept, "editor")]


async def test_an_invitation_is_withdrawn_once(house: House, post: Post) -> None:
    url = f"{house.url}/invitations/{await post.invite(house, new_address())}"
    for role in ("editor", "viewer"):
        refused = await house.of(role).client.delete(url)
        assert (refused.status_code, refused.json()["right"]) == (403, "invitation.manage")
    assert (await house.admin.client.delete(url)).status_code == 204
    assert said(await house.admin.client.delete(url)) == (404, "invitation_not_found")
    assert await pending(house) == []


async def test_an_idempotency_key_invites_once(house: House, post: Post) -> None:
    body, headers = {"email": new_address(), "role": "viewer"}, {"Idempotency-Key": "invite"}
    first = await house.owner.client.post(f"{house.url}/invitations", json=body, headers=headers)
    again = await house.owner.client.post(f"{house.url}/invitations", json=body, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    await post.job(house, first.json()["id"])
    other = await house.owner.client.post(f"{house.url}/invitations", json=body | {"role": "admin"}, headers=headers)
    assert said(other) == (422, "idempotency_key_reused")


async def test_a_replay_is_authorised_again(house: House) -> None:
    body, headers = {"email": new_address(), "role": "viewer"}, {"Idempotency-Key": "invite"}
    assert (await house.admin.client.post(f"{house.url}/invitations", json=body, headers=headers)).status_code == 201
    await house.owner.client.patch(house.member(house.admin), json={"role": "editor"})
    again = await house.admin.client.post(f"{house.url}/invitations", json=body, headers=headers)
    assert (again.status_code, again.json()["right"]) == (403, "invitation.manage")


async def test_who_goes_takes_their_invitations_along(house: House, post: Post) -> None:
    kept, gone = new_address(), new_address()
    await post.invite(house, kept, by=house.owner)
    await post.invite(house, gone, by=house.admin)
    assert (await house.admin.client.delete(f"{house.url}/members/me")).status_code == 204
    assert await pending(house) == [(kept, "editor")]


async def test_who_is_removed_loses_their_invitations(house: House, post: Post) -> None:
    await post.invite(house, new_address(), by=house.admin)
    assert (await house.owner.client.delete(house.member(house.admin))).status_code == 204
    assert await pending(house) == []


@pytest.mark.parametrize(("role", "left"), [("owner", 2), ("admin", 2), ("editor", 0), ("viewer", 0)])
async def test_who_is_lowered_loses_what_they_could_not_send(house: House, post: Post, role: str, left: int) -> None:
    other = await house.another("owner")
    for invited in ("viewer", "admin", "owner"):
        await post.invite(house, new_address(), invited, by=other)
    lowered = await house.owner.client.patch(house.member(other), json={"role": role})
    assert lowered.status_code == 200
    assert len(await pending(house)) == (3 if role == "owner" else left)


async def test_who_transfers_the_project_takes_back_offers_of_ownership(house: House, post: Post) -> None:
    for invited in ("viewer", "owner"):
        await post.invite(house, new_address(), invited)
    await house.owner.client.post(f"{house.url}/transfer", json={"user_id": str(house.viewer.id)})
    assert [role for _, role in await pending(house)] == ["viewer"]


async def test_withdrawing_and_inviting_again_fills_nobodys_mailbox(house: House) -> None:
    body = {"email": new_address(), "role": "viewer"}
    for _ in range(MAILS_PER_HOUR):
        made = await house.owner.client.post(f"{house.url}/invitations", json=body)
        assert made.status_code == 201
        again = await house.owner.client.post(f"{house.url}/invitations", json=body)
        assert said(again) == (409, "already_invited")
        await house.owner.client.delete(f"{house.url}/invitations/{made.json()['id']}")
    refused = await house.admin.client.post(f"{house.url}/invitations", json=body)
    assert said(refused) == (429, "too_many_requests")
    other = await house.owner.project()
    elsewhere = await house.owner.client.post(f"/api/v1/projects/{other}/invitations", json=body)
    assert elsewhere.status_code == 201


async def test_nobody_invites_or_guesses_in_masses(settings: Settings, database: DatabaseUrls) -> None:
    """Each caller has a count of their own, and logging in has another."""
    few = settings.accounts.model_copy(update={"attempts_per_minute": 2})
    app = create_app(settings.model_copy(update={"accounts": few}))
    async with (
        LifespanManager(app, startup_timeout=60, shutdown_timeout=60),
        People(app, app.state.resources, database) as people,
    ):
        house = await build(people)
        bodies = [{"email": new_address(), "role": "viewer"} for _ in range(3)]
        invited = [await house.owner.client.post(f"{house.url}/invitations", json=body) for body in bodies]
        assert [answer.status_code for answer in invited] == [201, 201, 429]
        assert said(invited[2]) == (429, "too_many_requests")
        assert 1 <= int(invited[2].headers["retry-after"]) <= 60
        guesses = [await house.owner.client.post(ACCEPT, json={"token": "x" * 43}) for _ in range(3)]
        assert [answer.status_code for answer in guesses] == [404, 404, 429]
        assert (await house.admin.client.post(f"{house.url}/invitations", json=bodies[2])).status_code == 201
        login = {"grant_type": "password", "username": house.owner.email, "password": "wrong password"}
        assert (await house.owner.client.post("/api/v1/auth/token", data=login)).status_code == 400
