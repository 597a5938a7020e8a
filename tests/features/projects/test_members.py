from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from httpx2 import AsyncClient

from partywall.features.projects.member_repository import MemberRepository
from tests.features.projects.house import PROJECTS, ROLES, House, build, member_actions, requests, said
from tests.people import People


async def test_every_route_refuses_the_anonymous(anonymous: AsyncClient, house: House) -> None:
    for answer in await requests(anonymous, house.url, member_actions(house.viewer.id)):
        assert answer.status_code == 401, answer.request.url
    assert len(await house.roles()) == 4


async def test_to_a_stranger_there_are_no_members(people: People, house: House) -> None:
    stranger = await people.person()
    own = await stranger.project()
    foreign = await requests(stranger.client, house.url, member_actions(house.viewer.id))
    unknown = await requests(stranger.client, f"{PROJECTS}/{uuid4()}", member_actions(house.viewer.id))
    for answer, other in zip(foreign, unknown, strict=True):
        assert said(answer) == said(other) == (404, "project_not_found")
    assert said(await stranger.client.delete(f"{PROJECTS}/{own}/members/{house.viewer.id}")) == (
        404,
        "member_not_found",
    )
    patched = await stranger.client.patch(f"{PROJECTS}/{own}/members/{house.viewer.id}", json={"role": "admin"})
    assert said(patched) == (404, "member_not_found")
    assert len(await house.roles()) == 4


async def test_the_list_shows_members_in_the_order_of_joining(house: House) -> None:
    await house.people.execute("UPDATE account SET full_name = 'Ada' WHERE id = $1", house.admin.id)
    listed = await house.viewer.client.get(f"{house.url}/members", params={"sort": "created_at", "offset": 0})
    body = listed.json()
    assert [item["role"] for item in body["items"]] == [*ROLES]
    assert (body["next_cursor"], body["total"]) == (None, 4)
    assert body["items"][1].keys() == {"user_id", "email", "full_name", "role", "joined_at"}
    assert (body["items"][1]["user_id"], body["items"][1]["email"]) == (str(house.admin.id), house.admin.email)
    assert body["items"][1]["full_name"] == "Ada"
    assert body["items"][1]["joined_at"].endswith("Z")


@pytest.mark.parametrize("sort", ["-created_at", "created_at"])
async def test_the_list_walks_by_cursor_without_loss(house: House, sort: str) -> None:
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(4):
        params = {"limit": "1", "sort": sort} | ({"cursor": cursor} if cursor else {})
        page = (await house.editor.client.get(f"{house.url}/members", params=params)).json()
        seen += [item["role"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert seen == sorted(ROLES, key=ROLES.index, reverse=sort.startswith("-"))


async def test_a_cursor_opens_only_its_own_list(people: People, house: House) -> None:
    stranger = await people.person()
    own = await stranger.project()
    cursor = (await house.owner.client.get(f"{house.url}/members", params={"limit": 1})).json()["next_cursor"]
    answer = await stranger.client.get(f"{PROJECTS}/{own}/members", params={"cursor": cursor})
    assert said(answer) == (422, "validation_failed")
    both = await house.owner.client.get(f"{house.url}/members", params={"cursor": cursor, "offset": 1})
    assert both.status_code == 422


async def test_a_role_is_changed_and_written_down(house: House) -> None:
    url = house.member(house.viewer)
    changed = await house.admin.client.patch(url, json={"role": "editor"})
    assert (changed.status_code, changed.json()["role"]) == (200, "editor")
    assert changed.json()["email"] == house.viewer.email
    again = await house.admin.client.patch(url, json={"role": "editor"})
    nothing = await house.admin.client.patch(url, json={})
    assert changed.headers["etag"] == again.headers["etag"] == nothing.headers["etag"]
    assert changed.json() == again.json() == nothing.json()
    assert (await house.roles())[house.viewer.id] == "editor"
    assert await house.events() == [("member.updated", "member", str(house.viewer.id), {"role": "editor"})]


async def test_a_change_honours_if_match(house: House) -> None:
    url = house.member(house.viewer)
    old = (await house.owner.client.patch(url, json={})).headers["etag"]
    fresh = await house.owner.client.patch(url, json={"role": "editor"}, headers={"If-Match": old})
    late = await house.owner.client.patch(url, json={"role": "admin"}, headers={"If-Match": old})
    removed = await house.owner.client.delete(url, headers={"If-Match": old})
    assert fresh.status_code == 200
    assert said(late) == said(removed) == (412, "precondition_failed")
    assert (await house.owner.client.delete(url, headers={"If-Match": fresh.headers["etag"]})).status_code == 204


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"role": "service"}, "/role"), ({"role": None}, "/role"), ({"role": 1}, "/role"), ({"rank": "owner"}, "/rank")],
)
async def test_a_bad_role_is_refused(house: House, body: dict[str, object], pointer: str) -> None:
    answer = await house.owner.client.patch(house.member(house.viewer), json=body)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert error["code"] == ("not_one_of" if pointer == "/role" else "unknown_field")
    if pointer == "/role":
        assert error["message"] == "Input should be 'owner', 'admin', 'editor' or 'viewer'"
    assert (await house.roles())[house.viewer.id] == "viewer"


@pytest.mark.parametrize("member", ["you", "ME", "01990000-0000-7000-8000-00000000000g"])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_what_names_no_member_is_one_error_of_the_path(house: House, method: str, member: str) -> None:
    body = {"role": "editor"} if method == "PATCH" else None
    answer = await house.owner.client.request(method, f"{house.url}/members/{member}", json=body)
    assert said(answer) == (422, "validation_failed")
    assert answer.json()["errors"] == [
        {"pointer": "/path/user_id", "code": "bad_format", "message": "Input should be a member's id or 'me'"},
    ]


async def test_an_unknown_member_is_not_found(house: House) -> None:
    unknown = f"{house.url}/members/{uuid4()}"
    assert said(await house.owner.client.patch(unknown, json={"role": "editor"})) == (404, "member_not_found")
    assert said(await house.owner.client.delete(unknown)) == (404, "member_not_found")
    transfer = await house.owner.client.post(f"{house.url}/transfer", json={"user_id": str(uuid4())})
    assert said(transfer) == (404, "member_not_found")


@pytest.mark.parametrize("role", ["admin", "editor", "viewer"])
@pytest.mark.parametrize("by_name", [True, False])
async def test_everybody_may_leave(house: House, role: str, by_name: bool) -> None:
    leaver = house.of(role)
    url = f"{house.url}/members/me" if by_name else house.member(leaver)
    assert (await leaver.client.delete(url)).status_code == 204
    assert said(await leaver.client.get(house.url)) == (404, "project_not_found")
    assert (await leaver.client.get(PROJECTS)).json()["items"] == []
    assert leaver.id not in await house.roles()
    assert await house.events() == [("member.removed", "member", str(leaver.id), {"role": role})]


async def test_the_last_owner_stays_one(house: House) -> None:
    owner = house.owner.client
    answers = [
        await owner.delete(f"{house.url}/members/me"),
        await owner.delete(house.member(house.owner)),
        await owner.patch(f"{house.url}/members/me", json={"role": "admin"}),
    ]
    assert [said(answer) for answer in answers] == [(409, "last_owner")] * 3
    assert (await house.roles())[house.owner.id] == "owner"
    assert await house.events() == []


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
async def test_what_only_the_database_notices_is_said_alike(
    house: House, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    async def miscounted(_: MemberRepository) -> int:
        return 2

    monkeypatch.setattr(MemberRepository, "owners", miscounted)
    body = {"role": "admin"} if method == "PATCH" else None
    answer = await house.owner.client.request(method, f"{house.url}/members/me", json=body)
    assert said(answer) == (409, "last_owner")
    assert (await house.roles())[house.owner.id] == "owner"


async def test_one_of_two_owners_may_go(house: House) -> None:
    assert (await house.owner.client.patch(house.member(house.admin), json={"role": "owner"})).status_code == 200
    assert (await house.owner.client.delete(f"{house.url}/members/me")).status_code == 204
    assert said(await house.admin.client.delete(f"{house.url}/members/me")) == (409, "last_owner")
    lowered = await house.admin.client.patch(f"{house.url}/members/me", json={"role": "viewer"})
    assert said(lowered) == (409, "last_owner")


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
async def test_of_two_owners_who_go_at_once_one_stays(people: People, method: str) -> None:
    for _ in range(4):
        house = await build(people)
        other = await house.another("owner")
        body = {"role": "viewer"} if method == "PATCH" else None
        answers = await asyncio.gather(
            *(each.client.request(method, f"{house.url}/members/me", json=body) for each in (house.owner, other))
        )
        assert sorted(answer.status_code for answer in answers) == [200 if body else 204, 409]
        assert list((await house.roles()).values()).count("owner") == 1


async def test_a_transfer_makes_one_an_owner_and_the_other_an_admin(house: House) -> None:
    answer = await house.owner.client.post(f"{house.url}/transfer", json={"user_id": str(house.viewer.id)})
    assert answer.status_code == 200
    assert (answer.json()["user_id"], answer.json()["role"]) == (str(house.viewer.id), "owner")
    roles = await house.roles()
    assert (roles[house.viewer.id], roles[house.owner.id]) == ("owner", "admin")
    assert await house.events() == [
        ("member.updated", "member", str(house.viewer.id), {"role": "owner"}),
        ("member.updated", "member", str(house.owner.id), {"role": "admin"}),
    ]
    again = await house.owner.client.post(f"{house.url}/transfer", json={"user_id": str(house.admin.id)})
    assert (again.status_code, again.json()["right"]) == (403, "project.transfer")


async def test_a_transfer_to_another_owner_steps_down(house: House) -> None:
    other = await house.another("owner")
    answer = await house.owner.client.post(f"{house.url}/transfer", json={"user_id": str(other.id)})
    assert (answer.status_code, answer.json()["role"]) == (200, "owner")
    assert (await house.roles())[house.owner.id] == "admin"


async def test_a_transfer_to_oneself_is_a_conflict(house: House) -> None:
    answer = await house.owner.client.post(f"{house.url}/transfer", json={"user_id": str(house.owner.id)})
    assert said(answer) == (409, "transfer_to_oneself")
    assert (await house.roles())[house.owner.id] == "owner"


async def test_a_change_that_waited_is_judged_by_what_its_caller_is_by_then(house: House) -> None:
    """The admin is lowered while the request waits for the lock: it changes nothing."""
    async with house.held() as release:
        waiting = asyncio.create_task(house.admin.client.delete(house.member(house.viewer)))
        await house.someone_waits()
        await release("UPDATE project_member SET role = 'editor' WHERE account_id = $1", house.admin.id)
    answer = await waiting
    assert (answer.status_code, answer.json()["right"]) == (403, "member.manage")
    assert house.viewer.id in await house.roles()


@pytest.mark.parametrize(("method", "right"), [("PATCH", "project.update"), ("DELETE", "project.delete")])
async def test_so_is_a_change_of_the_project_itself(house: House, method: str, right: str) -> None:
    await house.another("owner")
    body = {"name": "Mine"} if method == "PATCH" else None
    async with house.held() as release:
        waiting = asyncio.create_task(house.owner.client.request(method, house.url, json=body))
        await house.someone_waits()
        await release("UPDATE project_member SET role = 'editor' WHERE account_id = $1", house.owner.id)
    answer = await waiting
    assert (answer.status_code, answer.json()["right"]) == (403, right)
    assert (await house.viewer.client.get(house.url)).json()["name"] == "A project"


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_what_waits_for_a_project_that_goes_finds_nothing(house: House, method: str) -> None:
    url, body = (house.url, {"name": "Mine"}) if method == "PATCH" else (house.member(house.viewer), None)
    async with house.held() as release:
        waiting = asyncio.create_task(house.owner.client.request(method, url, json=body))
        await house.someone_waits()
        await release("DELETE FROM project WHERE id = $1", house.project)
    assert said(await waiting) == (404, "project_not_found")


async def test_a_change_that_waited_for_a_removal_finds_nothing(house: House) -> None:
    async with house.held() as release:
        waiting = asyncio.create_task(house.admin.client.delete(house.member(house.viewer)))
        await house.someone_waits()
        await release("DELETE FROM project_member WHERE account_id = $1", house.admin.id)
    assert said(await waiting) == (404, "project_not_found")
    assert house.viewer.id in await house.roles()
