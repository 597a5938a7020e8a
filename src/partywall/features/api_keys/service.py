from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue

from partywall.core.audit.trail import AuditEntry, audit
from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncReadSession, AsyncSession, after_commit
from partywall.core.errors import InvalidInputError
from partywall.core.events.log import EventDraft, publish
from partywall.core.field_errors import FieldCode
from partywall.core.page_request import PageRequest
from partywall.core.pagination import Cursors
from partywall.core.rights import require
from partywall.core.schemas import Page
from partywall.core.security.api_keys import ApiKeys, new_key
from partywall.core.tenancy import ExclusiveScope, ProjectScope, UnlockedScope
from partywall.features.api_keys.exceptions import ApiKeyNotFoundError
from partywall.features.api_keys.models import ApiKey as ApiKeyRow
from partywall.features.api_keys.repository import KEYSET, ApiKeyRepository, ApiKeyWriter
from partywall.features.api_keys.rights import KEY_MANAGE
from partywall.features.api_keys.schemas import ApiKey, ApiKeyCreate, ApiKeyQuery, CreatedApiKey
from partywall.features.projects.members import lock_membership


async def list_api_keys(
    session: AsyncReadSession, scope: ProjectScope, query: ApiKeyQuery, cursors: Cursors
) -> Page[ApiKey]:
    """Keys that are not revoked, including expired ones."""
    require(scope, KEY_MANAGE)
    wanted = PageRequest(query, cursors, KEYSET, ("api_keys", scope.project_id))
    keys = ApiKeyRepository(session, scope)
    return await wanted.page(keys.page, keys.count, _present, lambda key: (key.created_at, key.id))


def _present(row: ApiKeyRow) -> ApiKey:
    return ApiKey.model_validate(row, from_attributes=True)


def _future(expires_at: datetime | None) -> datetime | None:
    if expires_at is not None and expires_at <= utc_now():
        raise InvalidInputError("/expires_at", FieldCode.IN_THE_PAST, "The expiry must be in the future")
    return expires_at


@dataclass(frozen=True, slots=True)
class ApiKeyService:
    """Creates and revokes a project's keys."""

    session: AsyncSession
    scope: UnlockedScope
    keys: ApiKeys

    async def create(self, wanted: ApiKeyCreate) -> CreatedApiKey:
        """Create a key. Only this result contains the secret. Raises InvalidInputError."""
        scope = await self._lock(accepting=True)
        expires_at = _future(wanted.expires_at)
        key = new_key()
        row = await ApiKeyWriter(self.session, scope).add(key, wanted.name, wanted.role, expires_at)
        await self._record_event(scope, "project.key_created", row.id, {"role": wanted.role})
        return CreatedApiKey(**_present(row).model_dump(), secret=key.secret)

    async def revoke(self, key_id: UUID) -> None:
        """Revoke a key: its next request is refused and its streams end. Raises ApiKeyNotFoundError."""
        scope = await self._lock()
        if not await ApiKeyWriter(self.session, scope).revoke(key_id):
            raise ApiKeyNotFoundError
        await self._record_event(scope, "project.key_revoked", key_id, {})

        async def forget() -> None:
            self.keys.forget(key_id)

        after_commit(self.session, forget)

    async def _lock(self, *, accepting: bool = False) -> ExclusiveScope:
        """Serialise access changes, and check the caller's right again under the lock."""
        require(self.scope, KEY_MANAGE)
        scope = await lock_membership(self.session, self.scope, accepting=accepting)
        require(scope, KEY_MANAGE)
        return scope

    async def _record_event(self, scope: ExclusiveScope, type_: str, key_id: UUID, data: dict[str, JsonValue]) -> None:
        await audit(self.session, scope, AuditEntry(type_, f"api_key:{key_id}", data))
        publish(self.session, scope, EventDraft(type_, "api_key", str(key_id), data))
