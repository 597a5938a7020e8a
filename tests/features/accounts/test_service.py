from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from partywall.core.db.session import bind_principal
from partywall.core.resources import Resources
from partywall.features.accounts.exceptions import AccountGoneError, SessionNotFoundError
from partywall.features.accounts.schemas import UserPatch
from partywall.features.accounts.service import AccountService, SessionService, VersionedUser, get_user
from partywall.testing.users import Person, Users


async def change(resources: Resources, person: Person, patch: UserPatch) -> VersionedUser:
    async with resources.sessions.begin() as session:
        await bind_principal(session, person.principal)
        return await AccountService(session, person.id).update(patch)


async def test_only_what_a_patch_names_is_changed(resources: Resources, users: Users) -> None:
    person = await users.person()
    named = await change(resources, person, UserPatch(full_name="Ada"))
    same = await change(resources, person, UserPatch())
    assert (same.user.full_name, same.revision) == ("Ada", named.revision)
    bare = await change(resources, person, UserPatch(full_name=None))
    assert (bare.user.full_name, bare.revision) == (None, named.revision + 1)


async def test_an_account_that_was_disabled_is_gone(resources: Resources, users: Users) -> None:
    person = await users.person()
    await users.execute("UPDATE account SET disabled_at = now() WHERE id = $1", person.id)
    async with resources.sessions.begin() as session:
        await bind_principal(session, person.principal)
        with pytest.raises(AccountGoneError):
            await get_user(session, person.id)
        with pytest.raises(AccountGoneError):
            await AccountService(session, person.id).update(UserPatch())


async def test_nobody_ends_a_session_of_somebody_else(resources: Resources, users: Users) -> None:
    person, other, theirs = await users.person(), await users.person(), uuid4()
    await _session(users, other, theirs)
    with pytest.raises(SessionNotFoundError):
        await revoke(resources, person, theirs)
    await revoke(resources, other, theirs)
    with pytest.raises(SessionNotFoundError):
        await revoke(resources, other, theirs)


async def revoke(resources: Resources, person: Person, session_id: UUID) -> None:
    async with resources.sessions.begin() as session:
        await bind_principal(session, person.principal)
        await SessionService(session, person.id, resources.access_tokens).revoke(session_id)


async def _session(users: Users, person: Person, session_id: UUID) -> None:
    await users.execute(
        "INSERT INTO session (id, account_id, expires_at) VALUES ($1, $2, now() + interval '1 day')",
        session_id, person.id,
    )  # fmt: skip
