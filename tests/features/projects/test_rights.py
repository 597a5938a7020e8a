"""Every role against every action, as in the table of rights."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import pytest
from httpx2 import AsyncClient

from partywall.core.rights import Right
from partywall.core.tenancy import Role
from partywall.features.projects.rights import (
    INVITATION_MANAGE,
    MEMBER_MANAGE,
    MEMBER_READ,
    OWNER_MANAGE,
    PROJECT_DELETE,
    PROJECT_READ,
    PROJECT_TRANSFER,
    PROJECT_UPDATE,
    grantable,
)
from partywall.features.registry import FEATURES
from tests.features.projects.team import ROLES, Team

type Body = Callable[[Team], dict[str, str] | None]


@dataclass(frozen=True, slots=True)
class Action:
    """A request and the rights it needs; `about` is the role of the member it affects."""

    name: str
    method: str
    path: str
    needs: tuple[Right, ...]
    body: Body = lambda _: None
    about: str = "viewer"

    def __str__(self) -> str:
        return self.name


def role(name: str) -> Body:
    return lambda _: {"role": name}


def invited(name: str) -> Body:
    return lambda _: {"email": f"{uuid4().hex}@example.com", "role": name}


RIGHTS = [right for feature in FEATURES for right in feature.rights]
MEMBER = "/members/{about}"
INVITE_OWNERS = (INVITATION_MANAGE, OWNER_MANAGE)
ACTIONS = [
    Action("read_project", "GET", "", (PROJECT_READ,)),
    Action("update_project", "PATCH", "", (PROJECT_UPDATE,), lambda _: {"name": "New"}),
    Action("delete_project", "DELETE", "", (PROJECT_DELETE,)),
    Action("list_members", "GET", "/members", (MEMBER_READ,)),
    Action("raise_a_viewer", "PATCH", MEMBER, (MEMBER_MANAGE,), role("editor")),
    Action("lower_an_admin", "PATCH", MEMBER, (MEMBER_MANAGE,), role("viewer"), "other_admin"),
    Action("make_an_owner", "PATCH", MEMBER, (MEMBER_MANAGE, OWNER_MANAGE), role("owner")),
    Action("lower_an_owner", "PATCH", MEMBER, (MEMBER_MANAGE, OWNER_MANAGE), role("admin"), "other_owner"),
    Action("touch_an_owner", "PATCH", MEMBER, (MEMBER_MANAGE, OWNER_MANAGE), lambda _: {}, "other_owner"),
    Action("remove_a_viewer", "DELETE", MEMBER, (MEMBER_MANAGE,)),
    Action("remove_an_admin", "DELETE", MEMBER, (MEMBER_MANAGE,), about="other_admin"),
    Action("remove_an_owner", "DELETE", MEMBER, (MEMBER_MANAGE, OWNER_MANAGE), about="other_owner"),
    Action("lower_oneself", "PATCH", "/members/me", (MEMBER_MANAGE,), role("viewer")),
    Action("list_invitations", "GET", "/invitations", (INVITATION_MANAGE,)),
    Action("invite_a_viewer", "POST", "/invitations", (INVITATION_MANAGE,), invited("viewer")),
    Action("invite_an_admin", "POST", "/invitations", (INVITATION_MANAGE,), invited("admin")),
    Action("invite_an_owner", "POST", "/invitations", INVITE_OWNERS, invited("owner")),
    Action("transfer", "POST", "/transfer", (PROJECT_TRANSFER,), lambda h: {"user_id": str(h.viewer.id)}),
]
every_action = pytest.mark.parametrize("action", ACTIONS, ids=str)


async def answered(team: Team, action: Action, client: AsyncClient, headers: dict[str, str] | None = None) -> object:
    """The first digit of the status, or the missing right."""
    others = {each: await team.another(each.removeprefix("other_")) for each in ("other_admin", "other_owner")}
    about = others.get(action.about, team.viewer).id
    url = team.url + action.path.format(about=about)
    answer = await client.request(action.method, url, json=action.body(team), headers=headers)
    return answer.json()["right"] if answer.status_code == 403 else answer.status_code // 100


def held_by(role: str) -> frozenset[Right]:
    return frozenset(right for right in RIGHTS if Role(role) in right.roles)


def first_missing(held: frozenset[Right], action: Action) -> object:
    missing = [right for right in action.needs if right not in held]
    return missing[0].name if missing else 2


@every_action
@pytest.mark.parametrize("name", ROLES)
async def test_a_role_may_do_what_the_table_says(team: Team, name: str, action: Action) -> None:
    caller = await team.another(name)  # a new member, so that leaving or a demotion never affects the last owner
    assert await answered(team, action, caller.client) == first_missing(held_by(name), action)


@every_action
@pytest.mark.parametrize("name", ["admin", "editor", "viewer"])
async def test_a_key_never_decides_who_may_enter(team: Team, anonymous: AsyncClient, name: str, action: Action) -> None:
    before = await team.roles()
    held = frozenset(right for right in held_by(name) if not right.for_people)
    assert await answered(team, action, anonymous, await team.key(name)) == first_missing(held, action)
    after = await team.roles()
    assert {account: after[account] for account in before} == before


async def test_a_key_cannot_leave_a_project(team: Team, anonymous: AsyncClient) -> None:
    key = await team.key("admin")
    for url in (f"{team.url}/members/me", team.member(team.owner)):
        assert (await anonymous.delete(url, headers=key)).json()["right"] == "member.manage"
    assert len(await team.roles()) == 4


def test_no_role_can_grant_more_rights_than_it_has() -> None:
    assert grantable(Role.OWNER) == {Role.OWNER, Role.ADMIN, Role.EDITOR, Role.VIEWER}
    assert grantable(Role.ADMIN) == {Role.ADMIN, Role.EDITOR, Role.VIEWER}
    assert grantable(Role.EDITOR) == grantable(Role.VIEWER) == grantable(Role.SERVICE) == grantable(None) == frozenset()


def test_each_role_has_all_rights_of_the_one_below() -> None:
    ranks = [held_by(name) for name in reversed(ROLES)]
    assert all(lower < higher for lower, higher in itertools.pairwise(ranks))
    assert held_by("owner") == set(RIGHTS)
