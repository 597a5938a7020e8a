from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from partywall.core.db.session import bind_principal
from partywall.core.resources import Resources
from partywall.features.identities.exceptions import IdentityNotFoundError, IdentityTakenError, InvalidCodeError
from partywall.features.identities.repository import IdentityGateway, ProvedIdentity
from partywall.features.identities.schemas import Identity
from partywall.features.identities.service import IdentityService
from partywall.testing.users import Person, Users

ISSUER = "https://issuer.example"


def identity(subject: str | None = None, address: str | None = None) -> ProvedIdentity:
    return ProvedIdentity("provider", ISSUER, subject or uuid4().hex, address, None)


async def link(resources: Resources, person: Person, proved: ProvedIdentity | None) -> Identity:
    async with resources.sessions.begin() as session:
        await bind_principal(session, person.principal)
        return await IdentityService(session, person.id, ["provider"], confirmed_only=False).link(proved)


async def remove(resources: Resources, person: Person, linked: Identity) -> None:
    async with resources.sessions.begin() as session:
        await bind_principal(session, person.principal)
        await IdentityService(session, person.id, ["provider"], confirmed_only=False).remove(linked.id)


async def test_nothing_is_linked_without_a_proof(resources: Resources, users: Users) -> None:
    with pytest.raises(InvalidCodeError):
        await link(resources, await users.person(), None)


async def test_of_two_accounts_at_once_one_gets_the_identity(resources: Resources, users: Users) -> None:
    proved, people = identity(), [await users.person(), await users.person()]
    tries = (link(resources, each, proved) for each in people)
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == ["Identity", IdentityTakenError.__name__]


async def test_nobody_removes_an_identity_of_somebody_else(resources: Resources, users: Users) -> None:
    owner, other = await users.person(), await users.person()
    await users.execute("UPDATE account SET password_hash = 'any' WHERE id = ANY ($1)", [owner.id, other.id])
    linked = await link(resources, owner, identity())
    with pytest.raises(IdentityNotFoundError):
        await remove(resources, other, linked)
    await remove(resources, owner, linked)


async def test_the_program_writes_identities_only_through_its_functions(resources: Resources, users: Users) -> None:
    person = await users.person()
    await link(resources, person, identity())
    for statement in ("DELETE FROM identity", "UPDATE identity SET subject = 'a'"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with resources.sessions.begin() as session:
                await session.execute(text(statement))


async def test_two_first_logins_with_one_address_enter_one_account(resources: Resources) -> None:
    address = f"{uuid4().hex}@example.com"

    async def enter(subject: str) -> object:
        async with resources.sessions.begin() as session:
            return (await IdentityGateway(session).enter(identity(subject, address), "open"))[0]

    subject = uuid4().hex
    same = await asyncio.gather(enter(subject), enter(subject), enter(uuid4().hex))
    assert len(set(same)) == 1
    assert None not in same
