from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from partywall.core.db.engine import create_engine, server_settings
from partywall.core.db.session import Sessions
from partywall.core.errors import InvalidInputError
from partywall.core.resources import Resources
from partywall.core.security.keys import SIGNING_KEYS, KeyRing
from partywall.core.security.passwords import Passwords
from partywall.core.security.secrets import SecretKeeper
from partywall.features.accounts import operations
from partywall.features.accounts.exceptions import AccountNotFoundError, AddressTakenError
from partywall.testing.engines import DatabaseUrls, Urls, new_database
from tests.features.accounts.conftest import PASSWORD, Variant, Visitor, new_address

PASSWORDS = Passwords(1)
SECRETS = SecretKeeper("of nobody")
WRONG = "wrong password"


@pytest.fixture
async def owner(database: DatabaseUrls) -> AsyncIterator[Sessions]:
    engine = create_engine(database.owner, pool_size=1, overflow=0, settings=server_settings("tests", 15_000))
    yield Sessions(engine)
    await engine.dispose()


async def test_a_user_made_by_an_operator_is_verified_and_logs_in(owner: Sessions, variant: Variant) -> None:
    async with variant(verification="required", registration="closed") as visitor:
        made = await operations.create_user(owner, PASSWORDS, visitor.email.upper())
        assert made.email == visitor.email
        assert made.password is not None
        answer = await visitor.try_login(made.password)
        body = (await visitor.me(answer.json()["access_token"])).json()
        assert (body["id"], body["email"], body["email_verified"]) == (str(made.id), visitor.email, True)


async def test_an_operator_may_choose_password_and_name(owner: Sessions, visitor: Visitor) -> None:
    made = await operations.create_user(owner, PASSWORDS, visitor.email, PASSWORD, "Ada")
    assert made.password is None
    assert (await visitor.me((await visitor.log_in()).access)).json()["full_name"] == "Ada"


async def test_an_operator_is_told_what_is_wrong(owner: Sessions, member: Visitor) -> None:
    with pytest.raises(AddressTakenError):
        await operations.create_user(owner, PASSWORDS, member.email)
    bad = [
        ("nobody", PASSWORD, None),
        (new_address(), "short", None),
        (new_address(), "", None),
        (new_address(), "nul \0 in the middle", None),
        (new_address(), "a lone \udc80 surrogate", None),
        (new_address(), "Qwertyuiop", None),
        ("lovelace-ada@example.com", "Lovelace-Ada", None),
        (new_address(), PASSWORD, " "),
        (new_address(), PASSWORD, "\udc80"),
        ("\udc80@example.com", PASSWORD, None),
    ]
    for email, password, name in bad:
        with pytest.raises(InvalidInputError) as refused:
            await operations.create_user(owner, PASSWORDS, email, password, name)
        assert password == "" or password not in refused.value.detail
    for operation in (operations.disable_user, operations.enable_user):
        with pytest.raises(AccountNotFoundError):
            await operation(owner, new_address())
    for keeping in (operations.verify_user, operations.unlock_user):
        with pytest.raises(AccountNotFoundError):
            await keeping(owner, SECRETS, new_address())
    with pytest.raises(AccountNotFoundError):
        await operations.set_password(owner, PASSWORDS, SECRETS, new_address())
    with pytest.raises(InvalidInputError):
        await operations.set_password(owner, PASSWORDS, SECRETS, member.email, "short")
    with pytest.raises(InvalidInputError):
        await operations.set_password(owner, PASSWORDS, SECRETS, member.email, member.email)


async def test_disabling_ends_every_session_and_enabling_lets_in_again(owner: Sessions, member: Visitor) -> None:
    login = await member.log_in()
    disabled = await operations.disable_user(owner, member.email)
    assert (await member.refresh(login.refresh)).status_code == 400
    assert (await member.me(login.access)).status_code == 401
    assert (await member.try_login()).status_code == 400
    assert await operations.enable_user(owner, member.email) == disabled
    assert (await member.refresh(login.refresh)).status_code == 400
    assert (await member.try_login()).status_code == 200


async def lock(member: Visitor) -> None:
    assert [(await member.try_login(WRONG)).status_code for _ in range(6)] == [400] * 5 + [429]


async def test_an_operator_lifts_a_lock(owner: Sessions, resources: Resources, member: Visitor) -> None:
    for lift in (operations.unlock_user, operations.verify_user):
        await lock(member)
        await lift(owner, resources.secrets, member.email.upper())
        assert (await member.try_login()).status_code == 200


async def test_another_password_ends_every_session_and_the_lock(
    owner: Sessions, resources: Resources, member: Visitor
) -> None:
    login = await member.log_in()
    await lock(member)
    changed = await operations.set_password(owner, PASSWORDS, resources.secrets, member.email.upper())
    assert changed.password is not None
    assert (await member.refresh(login.refresh)).status_code == 400
    assert (await member.me(login.access)).status_code == 401
    assert (await member.try_login()).status_code == 400
    again = await member.try_login(changed.password)
    assert (await member.me(again.json()["access_token"])).json()["id"] == str(changed.id)
    given = await operations.set_password(owner, PASSWORDS, resources.secrets, member.email, PASSWORD)
    assert given.password is None
    assert (await member.try_login()).status_code == 200


async def test_everyone_is_listed(owner: Sessions, member: Visitor) -> None:
    found = {each.email: each for each in await operations.list_users(owner)}[member.email]
    assert (found.verified, found.disabled, found.full_name) == (False, False, None)
    await operations.verify_user(owner, SECRETS, member.email)
    await operations.disable_user(owner, member.email)
    found = {each.email: each for each in await operations.list_users(owner)}[member.email]
    assert (found.verified, found.disabled) == (True, True)


async def test_on_the_runtime_role_the_operator_finds_nobody(resources: Resources, member: Visitor) -> None:
    assert await operations.list_users(resources.sessions) == []


@pytest.mark.parametrize("at_once", [False, True])
async def test_keys_rotate_with_an_overlap_or_at_once(engines: Urls, at_once: bool) -> None:
    database = await new_database(engines, "rotation")
    engine = create_engine(database.owner, pool_size=2, overflow=0, settings=server_settings("t", 15_000))
    sessions, keeper = Sessions(engine), SecretKeeper("the secret of these tests")
    first = (await KeyRing(sessions, keeper.box(SIGNING_KEYS)).load()).signing().kid
    ttl = timedelta(minutes=15)
    rotated = await operations.rotate_keys(sessions, keeper, access_token_ttl=ttl, at_once=at_once)
    loaded = await KeyRing(sessions, keeper.box(SIGNING_KEYS)).load()
    await engine.dispose()
    if at_once:
        assert [key["kid"] for key in loaded.public()] == [rotated.kid]
        assert loaded.signing().kid == rotated.kid
    else:
        assert rotated.former_until - rotated.active_at > ttl
        assert {key["kid"] for key in loaded.public()} == {first, rotated.kid}
        assert loaded.signing().kid == first
