from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from httpx2 import AsyncClient

from partywall.features.projects.member_repository import MemberRepository
from partywall.testing.users import Users
from tests.features.projects.team import PROJECTS, ROLES, Team, build, member_actions, requests, said


async def test_every_route_refuses_the_anonymous(anonymous: AsyncClient, team: Team) -> None:
    for answer in await requests(anonymous, team.url, member_actions(team.viewer.id)):
        assert answer.status_code == 401, answer.request.url
    assert len(await team.roles()) == 4


async def test_an_outsider_sees_no_members(users: Users, team: Team) -> None:
    outsider = await users.person()
    own = await outsider.project()
    foreign = await requests(outsider.client, team.url, member_actions(team.viewer.id))
    unknown = await requests(outsider.client, f"{PROJECTS}/{uuid4()}", member_actions(team.viewer.id))
    for answer, other in zip(foreign, unknown, strict=True):
        assert said(answer) == said(other) == (404, "project_not_found")
    assert said(await outsider.client.delete(f"{PROJECTS}/{own}/members/{team.viewer.id}")) == (
        404,
        "member_not_found",
    )
    patched = await outsider.client.patch(f"{PROJECTS}/{own}/members/{team.viewer.id}", json={"role": "admin"})
    assert said(patched) == (404, "member_not_found")
    assert len(await team.roles()) == 4


async def test_the_list_shows_members_in_the_order_of_joining(team: Team) -> None:
    await team.users.execute("UPDATE account SET full_name = 'Ada' WHERE id = $1", team.admin.id)
    listed = await team.viewer.client.get(f"{team.url}/members", params={"sort": "created_at", "offset": 0})
    body = listed.json()
    assert [item["role"] for item in body["items"]] == [*ROLES]
    assert (body["next_cursor"], body["total"]) == (None, 4)
    assert body["items"][1].keys() == {"user_id", "email", "full_name", "role", "joined_at"}
    assert (body["items"][1]["user_id"], body["items"][1]["email"]) == (str(team.admin.id), team.admin.email)
    assert body["items"][1]["full_name"] == "Ada"
    assert body["items"][1]["joined_at"].endswith("Z")


@pytest.mark.parametrize("sort", ["-created_at", "created_at"])
async def test_the_list_walks_by_cursor_without_loss(team: Team, sort: str) -> None:
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(4):
        params = {"limit": "1", "sort": sort} | ({"cursor": cursor} if cursor else {})
        page = (await team.editor.client.get(f"{team.url}/members", params=params)).json()
        seen += [item["role"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert seen == sorted(ROLES, key=ROLES.index, reverse=sort.startswith("-"))


async def test_a_cursor_opens_only_its_own_list(users: Users, team: Team) -> None:
    outsider = await users.person()
    own = await outsider.project()
    cursor = (await team.owner.client.get(f"{team.url}/members", params={"limit": 1})).json()["next_cursor"]
    answer = await outsider.client.get(f"{PROJECTS}/{own}/members", params={"cursor": cursor})
    assert said(answer) == (422, "validation_failed")
    both = await team.owner.client.get(f"{team.url}/members", params={"cursor": cursor, "offset": 1})
    assert both.status_code == 422


async def test_a_role_is_changed_and_written_down(team: Team) -> None:
    url = team.member(team.viewer)
    changed = await team.admin.client.patch(url, json={"role": "editor"})
    assert (changed.status_code, changed.json()["role"]) == (200, "editor")
    assert changed.json()["email"] == team.viewer.email
    again = await team.admin.client.patch(url, json={"role": "editor"})
    nothing = await team.admin.client.patch(url, json={})
    assert changed.headers["etag"] == again.headers["etag"] == nothing.headers["etag"]
    assert changed.json() == again.json() == nothing.json()
    assert (await team.roles())[team.viewer.id] == "editor"
    assert await team.events() == [("member.updated", "member", str(team.viewer.id), {"role": "editor"})]


async def test_a_change_honours_if_match(team: Team) -> None:
    url = team.member(team.viewer)
    old = (await team.owner.client.patch(url, json={})).headers["etag"]
    fresh = await team.owner.client.patch(url, json={"role": "editor"}, headers={"If-Match": old})
    late = await team.owner.client.patch(url, json={"role": "admin"}, headers={"If-Match": old})
    removed = await team.owner.client.delete(url, headers={"If-Match": old})
    assert fresh.status_code == 200
    assert said(late) == said(removed) == (412, "precondition_failed")
    assert (await team.owner.client.delete(url, headers={"If-Match": fresh.headers["etag"]})).status_code == 204


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"role": "service"}, "/role"), ({"role": None}, "/role"), ({"role": 1}, "/role"), ({"rank": "owner"}, "/rank")],
)
async def test_a_bad_role_is_refused(team: Team, body: dict[str, object], pointer: str) -> None:
    answer = await team.owner.client.patch(team.member(team.viewer), json=body)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert error["code"] == ("not_one_of" if pointer == "/role" else "unknown_field")
    if pointer == "/role":
        assert error["message"] == "Input should be 'owner', 'admin', 'editor' or 'viewer'"
    assert (await team.roles())[team.viewer.id] == "viewer"


@pytest.mark.parametrize("member", ["you", "ME", "01990000-0000-7000-8000-00000000000g"])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_what_names_no_member_is_one_error_of_the_path(team: Team, method: str, member: str) -> None:
    body = {"role": "editor"} if method == "PATCH" else None
    answer = await team.owner.client.request(method, f"{team.url}/members/{member}", json=body)
    assert said(answer) == (422, "validation_failed")
    assert answer.json()["errors"] == [
        {"pointer": "/path/user_id", "code": "bad_format", "message": "Input should be a member's id or 'me'"},
    ]


async def test_an_unknown_member_is_not_found(team: Team) -> None:
    unknown = f"{team.url}/members/{uuid4()}"
    assert said(await team.owner.client.patch(unknown, json={"role": "editor"})) == (404, "member_not_found")
    assert said(await team.owner.client.delete(unknown)) == (404, "member_not_found")
    transfer = await team.owner.client.post(f"{team.url}/transfer", json={"user_id": str(uuid4())})
    assert said(transfer) == (404, "member_not_found")


@pytest.mark.parametrize("role", ["admin", "editor", "viewer"])
@pytest.mark.parametrize("by_name", [True, False])
async def test_everybody_may_leave(team: Team, role: str, by_name: bool) -> None:
    leaver = team.of(role)
    url = f"{team.url}/members/me" if by_name else team.member(leaver)
    assert (await leaver.client.delete(url)).status_code == 204
    assert said(await leaver.client.get(team.url)) == (404, "project_not_found")
    assert (await leaver.client.get(PROJECTS)).json()["items"] == []
    assert leaver.id not in await team.roles()
    assert await team.events() == [("member.removed", "member", str(leaver.id), {"role": role})]


async def test_the_last_owner_stays_one(team: Team) -> None:
    owner = team.owner.client
    answers = [
        await owner.delete(f"{team.url}/members/me"),
        await owner.delete(team.member(team.owner)),
        await owner.patch(f"{team.url}/members/me", json={"role": "admin"}),
    ]
    assert [said(answer) for answer in answers] == [(409, "last_owner")] * 3
    assert (await team.roles())[team.owner.id] == "owner"
    assert await team.events() == []


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
async def test_an_error_that_only_the_database_finds_has_the_same_answer(
    team: Team, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    async def miscounted(_: MemberRepository) -> int:
        return 2

    monkeypatch.setattr(MemberRepository, "owners", miscounted)
    body = {"role": "admin"} if method == "PATCH" else None
    answer = await team.owner.client.request(method, f"{team.url}/members/me", json=body)
    assert said(answer) == (409, "last_owner")
    assert (await team.roles())[team.owner.id] == "owner"


async def test_one_of_two_owners_may_go(team: Team) -> None:
    assert (await team.owner.client.patch(team.member(team.admin), json={"role": "owner"})).status_code == 200
    assert (await team.owner.client.delete(f"{team.url}/members/me")).status_code == 204
    assert said(await team.admin.client.delete(f"{team.url}/members/me")) == (409, "last_owner")
    lowered = await team.admin.client.patch(f"{team.url}/members/me", json={"role": "viewer"})
    assert said(lowered) == (409, "last_owner")


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
async def test_of_two_owners_who_go_at_once_one_stays(users: Users, method: str) -> None:
    for _ in range(4):
        team = await build(users)
        other = await team.another("owner")
        body = {"role": "viewer"} if method == "PATCH" else None
        answers = await asyncio.gather(
            *(each.client.request(method, f"{team.url}/members/me", json=body) for each in (team.owner, other))
        )
        assert sorted(answer.status_code for answer in answers) == [200 if body else 204, 409]
        assert list((await team.roles()).values()).count("owner") == 1


async def test_a_transfer_makes_one_an_owner_and_the_other_an_admin(team: Team) -> None:
    answer = await team.owner.client.post(f"{team.url}/transfer", json={"user_id": str(team.viewer.id)})
    assert answer.status_code == 200
    assert (answer.json()["user_id"], answer.json()["role"]) == (str(team.viewer.id), "owner")
    roles = await team.roles()
    assert (roles[team.viewer.id], roles[team.owner.id]) == ("owner", "admin")
    assert await team.events() == [
        ("member.updated", "member", str(team.viewer.id), {"role": "owner"}),
        ("member.updated", "member", str(team.owner.id), {"role": "admin"}),
    ]
    again = await team.owner.client.post(f"{team.url}/transfer", json={"user_id": str(team.admin.id)})
    assert (again.status_code, again.json()["right"]) == (403, "project.transfer")


async def test_a_transfer_to_another_owner_steps_down(team: Team) -> None:
    other = await team.another("owner")
    answer = await team.owner.client.post(f"{team.url}/transfer", json={"user_id": str(other.id)})
    assert (answer.status_code, answer.json()["role"]) == (200, "owner")
    assert (await team.roles())[team.owner.id] == "admin"


async def test_a_transfer_to_oneself_is_a_conflict(team: Team) -> None:
    answer = await team.owner.client.post(f"{team.url}/transfer", json={"user_id": str(team.owner.id)})
    assert said(answer) == (409, "transfer_to_oneself")
    assert (await team.roles())[team.owner.id] == "owner"


async def test_a_change_that_waited_needs_the_callers_current_rights(team: Team) -> None:
    """The admin is demoted while the request waits for the lock; it changes nothing."""
    async with team.held() as release:
        waiting = asyncio.create_task(team.admin.client.delete(team.member(team.viewer)))
        await team.someone_waits()
        await release("UPDATE project_member SET role = 'editor' WHERE account_id = $1", team.admin.id)
    answer = await waiting
    assert (answer.status_code, answer.json()["right"]) == (403, "member.manage")
    assert team.viewer.id in await team.roles()


@pytest.mark.parametrize(("method", "right"), [("PATCH", "project.update"), ("DELETE", "project.delete")])
async def test_a_project_change_that_waited_needs_the_callers_current_rights(
    team: Team, method: str, right: str
) -> None:
    await team.another("owner")
    body = {"name": "Mine"} if method == "PATCH" else None
    async with team.held() as release:
        waiting = asyncio.create_task(team.owner.client.request(method, team.url, json=body))
        await team.someone_waits()
        await release("UPDATE project_member SET role = 'editor' WHERE account_id = $1", team.owner.id)
    answer = await waiting
    assert (answer.status_code, answer.json()["right"]) == (403, right)
    assert (await team.viewer.client.get(team.url)).json()["name"] == "A project"


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_what_waits_for_a_project_that_goes_finds_nothing(team: Team, method: str) -> None:
    url, body = (team.url, {"name": "Mine"}) if method == "PATCH" else (team.member(team.viewer), None)
    async with team.held() as release:
        waiting = asyncio.create_task(team.owner.client.request(method, url, json=body))
        await team.someone_waits()
        await release("DELETE FROM project WHERE id = $1", team.project)
    assert said(await waiting) == (404, "project_not_found")


async def test_a_change_that_waited_for_a_removal_finds_nothing(team: Team) -> None:
    async with team.held() as release:
        waiting = asyncio.create_task(team.admin.client.delete(team.member(team.viewer)))
        await team.someone_waits()
        await release("DELETE FROM project_member WHERE account_id = $1", team.admin.id)
    assert said(await waiting) == (404, "project_not_found")
    assert team.viewer.id in await team.roles()
