from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends

from partywall.core.db.scopes import open_scope
from partywall.core.errors import TooManyRequestsError
from partywall.core.http.dependencies import (
    LockingProjectScopeDep,
    PersonDep,
    PrincipalDep,
    PrincipalSessionDep,
    ResourcesDep,
    SessionDep,
)
from partywall.core.http.idempotency import IdempotencyDep
from partywall.core.resources import Resources
from partywall.features.projects import invitation_quota, invitation_tokens, invitations
from partywall.features.projects.acceptance import AcceptingService
from partywall.features.projects.invitation_quota import InvitationQuota
from partywall.features.projects.invitation_tokens import InvitationTokens
from partywall.features.projects.invitations import InvitationService
from partywall.features.projects.members import MemberService
from partywall.features.projects.schemas import InvitationCreate
from partywall.features.projects.service import ProjectDirectoryService, ProjectService


async def get_directory_service(session: PrincipalSessionDep, principal: PersonDep) -> ProjectDirectoryService:
    return ProjectDirectoryService(session, principal)


async def get_project_service(session: SessionDep, scope: LockingProjectScopeDep) -> ProjectService:
    return ProjectService(session, scope)


async def get_member_service(session: SessionDep, scope: LockingProjectScopeDep) -> MemberService:
    return MemberService(session, scope)


async def limit_inviting(principal: PrincipalDep, resources: ResourcesDep) -> None:
    """Prevents mass mailing. Counted apart from login attempts."""
    await _admit(resources, f"inviting {principal}")


async def limit_accepting(person: PersonDep, resources: ResourcesDep) -> None:
    await _admit(resources, f"accepting {person}")


async def _admit(resources: Resources, counted: str) -> None:
    wait = await resources.attempts.admit(counted)
    if wait is not None:
        raise TooManyRequestsError(wait)


async def count_invitation(
    project_id: UUID, body: InvitationCreate, principal: PrincipalDep, once: IdempotencyDep, resources: ResourcesDep
) -> None:
    """Count the mail of an allowed invitation that is no replay. Runs before the request opens its transaction."""
    async with resources.sessions.read() as session:
        scope = await open_scope(session, principal, project_id)
        await invitations.authorise(session, scope, body.role)
        if await once.replay(session) is not None:
            return
        await invitations.refuse(session, scope, body.email)
    quota = InvitationQuota(resources.attempts, resources.secrets.signer(invitation_quota.PURPOSE))
    await quota.admit(scope, body.email)


async def get_invitation_service(
    session: SessionDep, scope: LockingProjectScopeDep, resources: ResourcesDep
) -> InvitationService:
    return InvitationService(
        session=session,
        scope=scope,
        tokens=InvitationTokens(resources.secrets.signer(invitation_tokens.PURPOSE)),
        ttl=resources.settings.projects.invitation_ttl,
    )


async def get_accepting_service(session: PrincipalSessionDep, person: PersonDep) -> AcceptingService:
    return AcceptingService(session, person)


InviteLimit = Depends(limit_inviting)
InviteCount = Depends(count_invitation)
AcceptLimit = Depends(limit_accepting)
DirectoryServiceDep = Annotated[ProjectDirectoryService, Depends(get_directory_service, scope="function")]
ProjectServiceDep = Annotated[ProjectService, Depends(get_project_service, scope="function")]
MemberServiceDep = Annotated[MemberService, Depends(get_member_service, scope="function")]
InvitationServiceDep = Annotated[InvitationService, Depends(get_invitation_service, scope="function")]
AcceptingServiceDep = Annotated[AcceptingService, Depends(get_accepting_service, scope="function")]
