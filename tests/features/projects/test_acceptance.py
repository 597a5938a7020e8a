"""Accepting an invitation, and all cases in which its token is invalid."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from httpx2 import AsyncClient, Response

from partywall.testing.users import Users
from tests.features.projects.invitation_mails import ACCEPT, Post, accept
from tests.features.projects.team import Team, said


def told(answer: Response) -> tuple[int, dict[str, object]]:
    """The whole answer without the request id."""
    return answer.status_code, answer.json() | {"request_id": None}


async def test_who_accepts_becomes_a_member_with_the_role_offered(users: Users, team: Team, post: Post) -> None:
    guest = await users.person()
    token = await post.token(team, guest.email, "editor")
    assert said(await guest.client.get(team.url)) == (404, "project_not_found")
    accepted = await accept(guest, token)
    assert accepted.status_code == 200
    shown = await guest.client.get(team.url)
    assert accepted.json() == shown.json()
    assert (accepted.json()["id"], accepted.json()["role"]) == (str(team.project), "editor")
    assert accepted.headers["etag"] == shown.headers["etag"]
    assert (await team.roles())[guest.id] == "editor"
    assert (await team.owner.client.get(f"{team.url}/invitations")).json()["items"] == []
    assert (await team.events())[-1] == ("member.added", "member", str(guest.id), {"role": "editor"})


async def test_a_token_is_good_for_one_use(users: Users, team: Team, post: Post) -> None:
    guest = await users.person()
    token = await post.token(team, guest.email)
    assert (await accept(guest, token)).status_code == 200
    assert said(await accept(guest, token)) == (404, "invitation_not_found")
    assert (await guest.client.delete(f"{team.url}/members/me")).status_code == 204
    assert said(await accept(guest, token)) == (404, "invitation_not_found")
    assert guest.id not in await team.roles()


async def test_of_many_who_accept_at_once_one_does(users: Users, team: Team, post: Post) -> None:
    for _ in range(4):
        guest = await users.person()
        token = await post.token(team, guest.email)
        answers = await asyncio.gather(*(accept(guest, token) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]
        assert (await team.events())[-1][:3] == ("member.added", "member", str(guest.id))
    added = [event for event in await team.events() if event[0] == "member.added"]
    assert len(added) == 4


async def test_every_token_that_is_not_good_is_refused_alike(users: Users, team: Team, post: Post) -> None:
    guest, other = await users.person(), await users.person()
    for_another = await post.token(team, other.email)
    used = await post.token(team, guest.email)
    assert (await accept(guest, used)).status_code == 200
    assert (await guest.client.delete(f"{team.url}/members/me")).status_code == 204
    withdrawn = await post.token(team, guest.email)
    [pending] = [
        item for item in (await team.owner.client.get(f"{team.url}/invitations")).json()["items"]
        if item["email"] == guest.email
    ]  # fmt: skip
    assert (await team.owner.client.delete(f"{team.url}/invitations/{pending['id']}")).status_code == 204
    expired = await post.token(team, guest.email)
    await users.execute("UPDATE invitation SET expires_at = now() WHERE email = $1", guest.email)
    refused = [await accept(guest, token) for token in (for_another, used, withdrawn, expired, "x" * 43, "?", "é")]
    assert {str(told(answer)) for answer in refused} == {str(told(refused[0]))}
    assert said(refused[0]) == (404, "invitation_not_found")
    assert guest.id not in await team.roles()
    assert (await accept(other, for_another)).status_code == 200


async def test_an_unverified_address_accepts_nothing_and_learns_nothing(users: Users, team: Team, post: Post) -> None:
    guest = await users.person()
    token = await post.token(team, guest.email)
    await users.execute("UPDATE account SET email_verified_at = NULL WHERE id = $1", guest.id)
    good, wrong = await accept(guest, token), await accept(guest, "x" * 43)
    assert told(good) == told(wrong)
    assert said(good) == (403, "address_not_verified")
    assert guest.id not in await team.roles()
    await users.execute("UPDATE account SET email_verified_at = now() WHERE id = $1", guest.id)
    assert (await accept(guest, token)).status_code == 200


async def test_a_disabled_account_accepts_nothing(users: Users, team: Team, post: Post) -> None:
    guest = await users.person()
    token = await post.token(team, guest.email)
    await users.execute("UPDATE account SET disabled_at = now() WHERE id = $1", guest.id)
    assert (await accept(guest, token)).status_code == 401
    assert guest.id not in await team.roles()


async def test_a_key_accepts_nothing(anonymous: AsyncClient, team: Team) -> None:
    answer = await anonymous.post(ACCEPT, json={"token": "x" * 43}, headers=await team.key("admin"))
    assert said(answer) == (403, "person_required")


async def test_an_invitation_needs_the_senders_rights_when_it_is_accepted(users: Users, team: Team, post: Post) -> None:
    """Even if the invitation still exists: the database checks the sender again."""
    for statement in (
        "DELETE FROM project_member WHERE account_id = $1",
        "UPDATE project_member SET role = 'editor' WHERE account_id = $1",
        "UPDATE account SET disabled_at = now() WHERE id = $1",
    ):
        sender, guest = await team.another("admin"), await users.person()
        token = await post.token(team, guest.email, by=sender)
        await users.execute(statement, sender.id)
        assert said(await accept(guest, token)) == (404, "invitation_not_found")
        assert guest.id not in await team.roles()


async def test_an_owner_who_was_lowered_makes_no_owners(users: Users, team: Team, post: Post) -> None:
    sender, heir, guest = await team.another("owner"), await users.person(), await users.person()
    ownership = await post.token(team, heir.email, "owner", by=sender)
    editing = await post.token(team, guest.email, "editor", by=sender)
    await users.execute("UPDATE project_member SET role = 'admin' WHERE account_id = $1", sender.id)
    assert said(await accept(heir, ownership)) == (404, "invitation_not_found")
    assert (await accept(guest, editing)).status_code == 200


async def test_a_member_by_then_is_a_conflict(users: Users, team: Team, post: Post) -> None:
    guest = await users.person()
    token = await post.token(team, guest.email, "admin")
    await users.join(team.project, guest, "viewer")
    assert said(await accept(guest, token)) == (409, "already_member")
    assert (await team.roles())[guest.id] == "viewer"


async def test_an_idempotency_key_replays_the_welcome_to_members_only(users: Users, team: Team, post: Post) -> None:
    guest = await users.person()
    token = await post.token(team, guest.email)
    headers = {"Idempotency-Key": uuid4().hex}
    first = await guest.client.post(ACCEPT, json={"token": token}, headers=headers)
    again = await guest.client.post(ACCEPT, json={"token": token}, headers=headers)
    assert (first.status_code, again.status_code, again.content) == (200, 200, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert (await team.owner.client.delete(team.member(guest))).status_code == 204
    late = await guest.client.post(ACCEPT, json={"token": token}, headers=headers)
    assert said(late) == (404, "invitation_not_found")


async def test_a_bad_body_is_refused(team: Team) -> None:
    for body in ({}, {"token": ""}, {"token": "x" * 201}, {"token": "x", "role": "owner"}, {"token": 5}):
        assert (await team.viewer.client.post(ACCEPT, json=body)).status_code == 422


async def test_accepting_and_deleting_the_project_at_once_do_not_deadlock(users: Users, team: Team, post: Post) -> None:
    """The deletion holds the project's lock and reaches the invitations once the other request waits."""
    guest = await users.person()
    token = await post.token(team, guest.email)
    async with team.held() as release:
        waiting = asyncio.create_task(accept(guest, token))
        await team.someone_waits("wall.accept_invitation")
        await release("DELETE FROM project WHERE id = $1", team.project)
    assert said(await waiting) == (404, "invitation_not_found")
