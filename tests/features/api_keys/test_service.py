from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from partywall.core.clock import utc_now
from partywall.core.db.scopes import open_scope
from partywall.core.db.session import bind_principal
from partywall.core.errors import InvalidInputError, MissingRightError
from partywall.core.resources import Resources
from partywall.features.api_keys.exceptions import ApiKeyNotFoundError
from partywall.features.api_keys.schemas import ApiKeyCreate
from partywall.features.api_keys.service import ApiKeyService
from partywall.testing.users import Person, Users

WANTED = ApiKeyCreate(name="Nightly import", role="editor")


@asynccontextmanager
async def serving(resources: Resources, person: Person, project: UUID) -> AsyncIterator[ApiKeyService]:
    async with resources.sessions.begin() as session:
        await bind_principal(session, person.principal)
        scope = await open_scope(session, person.principal, project)
        yield ApiKeyService(session, scope, resources.api_keys)


async def test_the_secret_is_shown_once_and_kept_as_a_digest(
    resources: Resources, users: Users, owner: Person, project: UUID
) -> None:
    async with serving(resources, owner, project) as keys:
        made = await keys.create(WANTED)
    assert made.secret is not None
    assert made.secret.startswith(made.prefix)
    assert len(made.secret) > len(made.prefix) + 20
    [row] = await users.fetch("SELECT to_jsonb(k)::text AS kept FROM api_key AS k WHERE id = $1", made.id)
    assert made.secret not in row["kept"]


async def test_a_key_that_has_expired_is_not_made(resources: Resources, owner: Person, project: UUID) -> None:
    async with serving(resources, owner, project) as keys:
        with pytest.raises(InvalidInputError, match="future"):
            await keys.create(WANTED.model_copy(update={"expires_at": utc_now() - timedelta(microseconds=1)}))


async def test_who_was_lowered_meanwhile_makes_none(
    resources: Resources, users: Users, owner: Person, project: UUID
) -> None:
    admin = await users.person()
    await users.join(project, admin, "admin")
    async with serving(resources, admin, project) as keys:
        await users.execute("UPDATE project_member SET role = 'editor' WHERE account_id = $1", admin.id)
        with pytest.raises(MissingRightError):
            await keys.create(WANTED)


async def test_a_key_is_revoked_once(resources: Resources, owner: Person, project: UUID) -> None:
    async with serving(resources, owner, project) as keys:
        made = await keys.create(WANTED)
        await keys.revoke(made.id)
        for gone in (made.id, uuid4()):
            with pytest.raises(ApiKeyNotFoundError):
                await keys.revoke(gone)
