"""Writes the audit trail, in the transaction of what it records. Nothing changes or removes an entry but its age."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from partywall.core.current_request import current_request_id, request_client
from partywall.core.db.session import AsyncSession
from partywall.core.tenancy import LockedScope, Principal

# Without RETURNING: it takes the right to read, which only owners have.
_OF_PROJECT: Final = text("""
    INSERT INTO project_audit (project_id, actor, action, subject, data, client, request_id)
    VALUES (:project_id, :actor, :action, :subject, :data, :client, :request_id)
""").bindparams(bindparam("data", type_=JSONB))
_OF_ACCOUNT: Final = text("""
    INSERT INTO account_audit (account_id, actor, action, subject, data, client, request_id)
    VALUES (:account_id, :actor, :action, :subject, :data, :client, :request_id)
""").bindparams(bindparam("data", type_=JSONB))
_OF_ADDRESS: Final = text("""
    SELECT wall.audit_address(:address, :action, :subject, :data, :client, :request_id)
""").bindparams(bindparam("data", type_=JSONB))


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An action such as `key.created`, what it was done to, such as `api_key:<uuid>`, and details without secrets."""

    action: str
    subject: str | None = None
    data: dict[str, JsonValue] = field(default_factory=dict)


async def audit(session: AsyncSession, scope: LockedScope, entry: AuditEntry) -> None:
    """Adds an entry to the trail of the scope's project."""
    values = {"project_id": scope.project_id, "actor": str(scope.principal), **_values(entry)}
    await session.execute(_OF_PROJECT, values)


async def audit_account(session: AsyncSession, account_id: UUID, entry: AuditEntry) -> None:
    """Adds an entry to the trail of the bound user, who acts."""
    values = {"account_id": account_id, "actor": str(Principal.user(account_id)), **_values(entry)}
    await session.execute(_OF_ACCOUNT, values)


async def audit_address(session: AsyncSession, address: str, entry: AuditEntry) -> None:
    """Adds an entry to the trail of the address's account, if there is one. The work is the same if there is none."""
    await session.execute(_OF_ADDRESS, {"address": address, **_values(entry)})


def _values(entry: AuditEntry) -> dict[str, object]:
    return {
        "action": entry.action, "subject": entry.subject, "data": entry.data, "client": request_client(),
        "request_id": current_request_id(),
    }  # fmt: skip
