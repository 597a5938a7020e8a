from __future__ import annotations

import asyncpg
import pytest
from httpx2 import AsyncClient, Response

from partywall.core.resources import Resources
from tests.features.accounts.conftest import PASSWORD, Variant, Visitor, bearer, new_address
from tests.features.accounts.mailed_codes import CHANGE, NEW, WRONG, MailedCodes, assert_no_token, reset
from tests.features.accounts.test_limits import assert_too_many

PROJECTS = "/api/v1/projects"


@pytest.fixture
async def mailed(resources: Resources, superuser: asyncpg.Connection) -> MailedCodes:
    return MailedCodes(resources, superuser)


async def change(visitor: Visitor, token: str, current: str = PASSWORD, new: str = NEW) -> Response:
    return await visitor.send(CHANGE, {"current_password": current, "new_password": new}, token)


async def test_nobody_changes_a_password_anonymously(anonymous: AsyncClient) -> None:
    answer = await anonymous.post(CHANGE, json={"current_password": PASSWORD, "new_password": NEW})
    assert answer.status_code == 401


async def test_only_the_callers_own_password_counts(member: Visitor) -> None:
    """The password of somebody else is wrong here, and theirs does not change."""
    other = Visitor(member.client, new_address())
    await other.register("the password of another")
    login = await member.log_in()
    answer = await change(member, login.access, "the password of another")
    assert (answer.status_code, answer.json()["code"]) == (400, "wrong_password")
    assert (await change(member, login.access)).status_code == 204
    assert (await other.try_login("the password of another")).status_code == 200


async def test_a_change_ends_every_session_and_keeps_the_keys(member: Visitor, mailed: MailedCodes) -> None:
    logins = [await member.log_in() for _ in range(2)]
    headers = bearer(logins[0].access)
    project = (await member.client.post(PROJECTS, json={"name": "Archive"}, headers=headers)).json()["id"]
    documents = f"{PROJECTS}/{project}/documents"
    wanted = {"name": "Import", "role": "editor"}
    made = await member.client.post(f"{PROJECTS}/{project}/api-keys", json=wanted, headers=headers)
    key = bearer(made.json()["secret"])
    assert (await member.client.post(CHANGE, json={}, headers=key)).status_code == 403
    code = await mailed.reset_code(member)
    answer = await change(member, logins[0].access)
    assert (answer.status_code, answer.content) == (204, b"")
    assert [(await member.me(each.access)).status_code for each in logins] == [401, 401]
    assert [(await member.refresh(each.refresh)).status_code for each in logins] == [400, 400]
    assert (await member.client.get(documents, headers=key)).status_code == 200
    assert_no_token(await reset(member, code))
    assert [(await member.try_login(each)).status_code for each in (PASSWORD, NEW)] == [400, 200]
    assert (await mailed.subjects(member.email))[-1] == "Your password was changed"


async def test_wrong_passwords_count_like_failed_logins(member: Visitor) -> None:
    """So a stolen session does not help to guess the password."""
    login = await member.log_in()
    statuses = [(await change(member, login.access, WRONG)).status_code for _ in range(3)]
    statuses += [(await member.try_login(WRONG)).status_code for _ in range(2)]
    assert statuses == [400] * 5
    answers = [await change(member, login.access), await member.try_login()]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(429, "login_locked")] * 2
    assert (await member.me(login.access)).status_code == 200


async def test_a_right_password_counts_for_nothing(member: Visitor) -> None:
    for _ in range(4):
        await member.try_login(WRONG)
    assert (await change(member, (await member.log_in()).access)).status_code == 204
    assert [(await member.try_login(WRONG)).status_code for _ in range(4)] == [400] * 4
    assert (await member.try_login(NEW)).status_code == 200


async def test_a_new_password_that_is_easily_guessed_is_refused(member: Visitor) -> None:
    login = await member.log_in()
    for password, reason in (
        ("x" * 1025, "too_long"),
        ("1234567890", "easily_guessed"),
        (member.email.upper(), "easily_guessed"),
    ):
        answer = await change(member, login.access, new=password)
        [error] = answer.json()["errors"]
        assert (answer.status_code, error["pointer"], error["code"]) == (422, "/new_password", reason)
    assert (await member.me(login.access)).status_code == 200


async def test_an_account_without_a_password_has_none_to_change(member: Visitor, superuser: asyncpg.Connection) -> None:
    login = await member.log_in()
    await superuser.execute("UPDATE account SET password_hash = NULL WHERE email = $1", member.email)
    assert (await change(member, login.access)).json()["code"] == "wrong_password"


async def test_changes_of_an_account_are_limited(variant: Variant) -> None:
    async with variant(attempts_per_minute=2) as visitor:
        here = visitor.at("203.0.113.1")
        await here.register()
        login = await here.log_in()
        for _ in range(2):
            assert (await change(here, login.access, WRONG)).status_code == 400
        assert_too_many(await change(here.at("203.0.113.2"), login.access, WRONG))
