from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from partywall.core.clock import utc_now
from partywall.core.errors import NotAuthenticatedError
from partywall.core.resources import Resources
from partywall.core.security.authentication import VerifiedCredential
from partywall.core.security.revocation_check import RevocationCheck
from partywall.core.tenancy import Principal, ProjectNotFoundError
from partywall.features.live.service import LiveService
from partywall.testing.users import Person, Users


@pytest.fixture
def live(resources: Resources) -> LiveService:
    heartbeat = timedelta(seconds=60)
    return LiveService(resources.reads, resources.tailers, heartbeat, 10.0, RevocationCheck(resources.sessions))


async def credential(users: Users, person: Person) -> VerifiedCredential:
    session = uuid4()
    await users.execute(
        "INSERT INTO session (id, account_id, expires_at) VALUES ($1, $2, now() + interval '1 day')", session, person.id
    )
    return VerifiedCredential(person.principal, utc_now().timestamp() + 60, session)


async def test_a_credential_is_valid_as_long_as_its_session(live: LiveService, users: Users) -> None:
    verified = await credential(users, await users.person())
    assert await live.is_still_valid(verified)
    await users.execute("UPDATE session SET revoked_at = now() WHERE id = $1", verified.session_id)
    assert not await live.is_still_valid(verified)


async def test_a_credential_with_another_users_session_is_invalid(live: LiveService, users: Users) -> None:
    mine, yours = await credential(users, await users.person()), await credential(users, await users.person())
    crossed = VerifiedCredential(mine.principal, mine.expires_at, yours.session_id)
    assert not await live.is_still_valid(crossed)


@pytest.mark.parametrize("principal", [Principal.key(UUID(int=1)), Principal.service(UUID(int=1))])
async def test_a_key_is_nothing_but_its_right(live: LiveService, principal: Principal) -> None:
    assert not await live.is_still_valid(VerifiedCredential(principal, utc_now().timestamp() + 60, uuid4()))


async def test_nobody_follows_what_is_not_theirs(live: LiveService, users: Users) -> None:
    owner, outsider = await users.person(), await users.person()
    project = await owner.project()
    with pytest.raises(ProjectNotFoundError):
        await live.follow(await credential(users, outsider), project, None, None)
    ended = await credential(users, owner)
    await users.execute("UPDATE session SET revoked_at = now() WHERE id = $1", ended.session_id)
    with pytest.raises(NotAuthenticatedError):
        await live.follow(ended, project, None, None)
