from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from partywall.core.audit.models import AccountAudit, ProjectAudit
from partywall.core.db.keyset import After
from partywall.core.db.scopes import open_scope
from partywall.core.db.session import AsyncReadSession, Sessions, bind_principal
from partywall.core.page_request import PageRequest
from partywall.core.pagination import Cursors
from partywall.core.rights import require
from partywall.core.schemas import Page
from partywall.core.tenancy import Principal, ProjectScope
from partywall.features.accounts.service import get_user
from partywall.features.audit.repository import (
    OF_ACCOUNTS,
    OF_PROJECTS,
    AccountAuditRepository,
    ProjectAuditRepository,
)
from partywall.features.audit.rights import AUDIT_READ
from partywall.features.audit.schemas import AuditQuery, AuditRecord

EXPORTED_AT_ONCE: Final = 500
_OLDEST_FIRST: Final = "created_at"

type Rows = Sequence[AccountAudit | ProjectAudit]
type ReadRows = Callable[[After], Awaitable[Rows]]


async def list_account_audit(
    session: AsyncReadSession, account_id: UUID, query: AuditQuery, cursors: Cursors
) -> Page[AuditRecord]:
    await get_user(session, account_id)
    wanted = PageRequest(query, cursors, OF_ACCOUNTS, ("account audit", account_id))
    entries = AccountAuditRepository(session, account_id)
    return await wanted.page(entries.page, entries.count, _present, _position)


async def list_project_audit(
    session: AsyncReadSession, scope: ProjectScope, query: AuditQuery, cursors: Cursors
) -> Page[AuditRecord]:
    require(scope, AUDIT_READ)
    wanted = PageRequest(query, cursors, OF_PROJECTS, ("project audit", scope.project_id))
    entries = ProjectAuditRepository(session, scope)
    return await wanted.page(entries.page, entries.count, _present, _position)


@dataclass(frozen=True, slots=True)
class AuditExport:
    """Reads a whole trail, oldest entry first, as lines of JSON.

    The request's transaction reads the first part, so that a refusal comes before the answer begins. Each further part
    is read in a transaction of its own, after the request's has ended.
    """

    sessions: Sessions
    principal: Principal

    async def of_account(self, session: AsyncReadSession) -> AsyncIterator[bytes]:
        async def read(reading: AsyncReadSession, after: After | None) -> Rows:
            await get_user(reading, self.principal.id)
            entries = AccountAuditRepository(reading, self.principal.id)
            return await entries.page(_OLDEST_FIRST, EXPORTED_AT_ONCE, 0, after)

        async def read_on(after: After) -> Rows:
            async with self.sessions.read() as reading:
                await bind_principal(reading, self.principal)
                return await read(reading, after)

        return _lines(await read(session, None), read_on)

    async def of_project(self, session: AsyncReadSession, scope: ProjectScope) -> AsyncIterator[bytes]:
        """Raises MissingRightError; ends early if the caller loses the right meanwhile."""

        async def read(reading: AsyncReadSession, opened: ProjectScope, after: After | None) -> Rows:
            require(opened, AUDIT_READ)
            entries = ProjectAuditRepository(reading, opened)
            return await entries.page(_OLDEST_FIRST, EXPORTED_AT_ONCE, 0, after)

        async def read_on(after: After) -> Rows:
            async with self.sessions.read() as reading:
                return await read(reading, await open_scope(reading, self.principal, scope.project_id), after)

        return _lines(await read(session, scope, None), read_on)


async def _lines(rows: Rows, read_on: ReadRows) -> AsyncIterator[bytes]:
    while rows:
        yield b"".join(_present(row).model_dump_json().encode() + b"\n" for row in rows)
        if len(rows) < EXPORTED_AT_ONCE:
            return
        rows = await read_on({"after_value": rows[-1].created_at, "after_id": rows[-1].id})


def _present(row: AccountAudit | ProjectAudit) -> AuditRecord:
    return AuditRecord.model_validate(row, from_attributes=True)


def _position(record: AuditRecord) -> tuple[datetime, UUID]:
    return record.created_at, record.id
