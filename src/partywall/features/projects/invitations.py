"""Creates, lists and withdraws a project's invitations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from pydantic import JsonValue

from partywall.core.audit.trail import AuditEntry, audit
from partywall.core.clock import utc_now
from partywall.core.db.driver_errors import violations
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.events.log import EventDraft, publish
from partywall.core.ids import new_id
from partywall.core.jobs.queue import enqueue
from partywall.core.page_request import PageRequest
from partywall.core.pagination import Cursors
from partywall.core.rights import require
from partywall.core.schemas import Page
from partywall.core.security.opaque_tokens import token_hash
from partywall.core.tenancy import ProjectScope, Role, UnlockedScope
from partywall.features.accounts.service import get_user
from partywall.features.projects.exceptions import (
    VIOLATIONS,
    AddressNotVerifiedError,
    AlreadyInvitedError,
    AlreadyMemberError,
    InvitationNotFoundError,
    TooManyInvitationsError,
)
from partywall.features.projects.invitation_repository import KEYSET, InvitationRepository, InvitationWriter
from partywall.features.projects.invitation_tokens import InvitationTokens
from partywall.features.projects.jobs import SEND_INVITATION, SendInvitation
from partywall.features.projects.member_repository import MemberRepository
from partywall.features.projects.members import lock_membership
from partywall.features.projects.models import Invitation as InvitationRow
from partywall.features.projects.rights import INVITATION_MANAGE, OWNER_MANAGE, grantable
from partywall.features.projects.schemas import Invitation, InvitationCreate, InvitationQuery

MAX_PENDING: Final = 100


def _present(row: InvitationRow) -> Invitation:
    return Invitation(
        id=row.id, email=row.email, role=Role(row.role), expires_at=row.expires_at, created_at=row.created_at
    )


async def list_invitations(
    session: AsyncReadSession, scope: ProjectScope, query: InvitationQuery, cursors: Cursors
) -> Page[Invitation]:
    require(scope, INVITATION_MANAGE)
    wanted = PageRequest(query, cursors, KEYSET, ("invitations", scope.project_id))
    pending = InvitationRepository(session, scope)
    return await wanted.page(pending.page, pending.count, _present, lambda each: (each.created_at, each.id))


async def authorise(session: AsyncReadSession, scope: ProjectScope, role: Role) -> None:
    """Raises MissingRightError, or AddressNotVerifiedError: the mail names the inviter, so the address must be real."""
    _require_to_invite(scope, role)
    if not (await get_user(session, scope.principal.id)).user.email_verified:
        raise AddressNotVerifiedError


async def refuse(session: AsyncReadSession, scope: ProjectScope, email: str) -> None:
    """Raises AlreadyMemberError, AlreadyInvitedError or TooManyInvitationsError."""
    pending = InvitationRepository(session, scope)
    if await MemberRepository(session, scope).has_address(email):
        raise AlreadyMemberError
    if await pending.has_address(email):
        raise AlreadyInvitedError
    if await pending.count() >= MAX_PENDING:
        raise TooManyInvitationsError


@dataclass(frozen=True, slots=True)
class InvitationService:
    session: AsyncSession
    scope: UnlockedScope
    tokens: InvitationTokens
    ttl: timedelta

    async def authorise(self, role: Role) -> None:
        await authorise(self.session, self.scope, role)

    async def invite(self, wanted: InvitationCreate) -> Invitation:
        """Create the invitation, and a job that mails its token."""
        scope = await lock_membership(self.session, self.scope, accepting=True)
        _require_to_invite(scope, wanted.role)
        await refuse(self.session, scope, wanted.email)
        id_ = new_id()
        hashed = token_hash(self.tokens.of(id_))
        with violations(VIOLATIONS):
            row = await InvitationWriter(self.session, scope).add(
                id_, wanted.email, wanted.role, hashed, utc_now() + self.ttl
            )
        payload = SendInvitation(project_id=scope.project_id, principal=str(scope.principal), invitation_id=id_)
        await enqueue(self.session, SEND_INVITATION, payload)
        data: dict[str, JsonValue] = {"role": wanted.role.value}
        await audit(self.session, scope, AuditEntry("member.invited", f"invitation:{id_}", data))
        event_draft = EventDraft("member.invited", "invitation", str(id_), data)
        publish(self.session, scope, event_draft)
        return _present(row)

    async def withdraw(self, invitation_id: UUID) -> None:
        require(self.scope, INVITATION_MANAGE)
        scope = await lock_membership(self.session, self.scope)
        require(scope, INVITATION_MANAGE)
        if not await InvitationWriter(self.session, scope).remove(invitation_id):
            raise InvitationNotFoundError
        await audit(self.session, scope, AuditEntry("invitation.withdrawn", f"invitation:{invitation_id}"))


def _require_to_invite(scope: ProjectScope, role: Role) -> None:
    require(scope, INVITATION_MANAGE)
    if role is Role.OWNER:
        require(scope, OWNER_MANAGE)


@dataclass(frozen=True, slots=True)
class InvitationMail:
    """The content of an invitation mail, without the token. `inviter` is None if the inviter has no name."""

    email: str
    role: str
    project: str
    inviter: str | None
    inviter_email: str
    expires_at: datetime


async def find_invitation_mail(
    session: AsyncReadSession, scope: ProjectScope, invitation_id: UUID
) -> InvitationMail | None:
    """None if the invitation is gone, or the inviter may no longer grant its role.

    The project may be deleted between any two of these reads.
    """
    invitations = InvitationRepository(session, scope)
    row = await invitations.get(invitation_id)
    inviter = await MemberRepository(session, scope).get(scope.principal.id)
    project = await invitations.project_name()
    if row is None or inviter is None or project is None or Role(row.role) not in grantable(scope.role):
        return None
    return InvitationMail(row.email, row.role, project, inviter.full_name, inviter.email, row.expires_at)
