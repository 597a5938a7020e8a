"""Accepts invitations. This needs the token and the verified address that it was sent to."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from partywall.core.audit.trail import AuditEntry, audit
from partywall.core.db.driver_errors import violations
from partywall.core.db.scopes import open_scope, open_shared_scope
from partywall.core.db.session import AsyncSession
from partywall.core.events.log import EventDraft, publish
from partywall.core.security.opaque_tokens import token_hash
from partywall.core.tenancy import Principal, ProjectNotFoundError
from partywall.features.accounts.service import get_user
from partywall.features.projects.exceptions import VIOLATIONS, AddressNotVerifiedError, InvitationNotFoundError
from partywall.features.projects.invitation_repository import InvitationGateway
from partywall.features.projects.service import Versioned, get_project


@dataclass(frozen=True, slots=True)
class AcceptingService:
    """`session` is bound to the accepting person."""

    session: AsyncSession
    person: Principal

    async def authorise(self) -> None:
        """Raises AddressNotVerifiedError, before any token is looked up."""
        if not (await get_user(self.session, self.person.id)).user.email_verified:
            raise AddressNotVerifiedError

    async def accept(self, token: str) -> Versioned:
        """Make the person a member and use up the token. Raises InvitationNotFoundError."""
        with violations(VIOLATIONS):
            entered = await InvitationGateway(self.session).accept(token_hash(token))
        if entered is None:
            raise InvitationNotFoundError
        scope = await open_shared_scope(self.session, self.person, entered)
        entry = AuditEntry("member.added", str(self.person), {"role": scope.role.value})
        await audit(self.session, scope, entry)
        event_draft = EventDraft("member.added", "member", str(self.person.id), {"role": scope.role.value})
        publish(self.session, scope, event_draft)
        return await get_project(self.session, scope)

    async def require_membership(self, project_id: UUID) -> None:
        """For replays, which return the project again: raises InvitationNotFoundError if the person has left since."""
        try:
            await open_scope(self.session, self.person, project_id)
        except ProjectNotFoundError as error:
            raise InvitationNotFoundError from error
