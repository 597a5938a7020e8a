from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from partywall.core.errors import TooManyRequestsError
from partywall.core.http.dependencies import (
    LockingProjectScopeDep,
    PersonDep,
    PrincipalDep,
    PrincipalSessionDep,
    ResourcesDep,
    SessionDep,
)
from partywall.core.resources import Resources
from partywall.features.projects import invitation_quota, invitation_tokens
from partywall.features.projects.accepting import AcceptingService
from partywall.features.projects.invitation_quota import InvitationQuota
from partywall.features.projects.invitation_tokens import InvitationTokens
from partywall.features.projects.invitations import InvitationService
from partywall.features.projects.members import MemberService
from partywall.features.projects.service import ProjectDirectoryService, ProjectService


async def get_directory_service(
    session: PrincipalSessionDep, principal: PersonDep, resources: ResourcesDep
) -> ProjectDirectoryService:
    return ProjectDirectoryService(session, principal, resources.announcer)


async def get_project_service(
    session: SessionDep, scope: LockingProjectScopeDep, resources: ResourcesDep
) -> ProjectService:
    return ProjectService(session, scope, resources.announcer)


async def get_member_service(
    session: SessionDep, scope: LockingProjectScopeDep, resources: ResourcesDep
) -> MemberService:
    return MemberService(session, scope, resources.announcer)


async def limit_inviting(principal: PrincipalDep, resources: ResourcesDep) -> None:
    """Nobody sends mails in masses. Counted apart from the attempts to log in."""
    await _admit(resources, f"inviting {principal}")


async def limit_accepting(person: PersonDep, resources: ResourcesDep) -> None:
    await _admit(resources, f"accepting {person}")


async def _admit(resources: Resources, counted: str) -> None:
    wait = await resources.attempts.admit(counted)
    if wait is not None:
        raise TooManyRequestsError(wait)


async def get_invitation_service(
    session: SessionDep, scope: LockingProjectScopeDep, resources: ResourcesDep
) -> InvitationService:
    return InvitationService(
        session=session,
        scope=scope,
        announcer=resources.announcer,
        tokens=InvitationTokens(resources.secrets.signer(invitation_tokens.PURPOSE)),
        quota=InvitationQuota(resources.attempts, resources.secrets.signer(invitation_quota.PURPOSE)),
        ttl=resources.settings.projects.invitation_ttl,
    )


async def get_accepting_service(
    session: PrincipalSessionDep, person: PersonDep, resources: ResourcesDep
) -> AcceptingService:
    return AcceptingService(session, person, resources.announcer)


InviteLimit = Depends(limit_inviting)
AcceptLimit = Depends(limit_accepting)
DirectoryServiceDep = Annotated[ProjectDirectoryService, Depends(get_directory_service, scope="function")]
ProjectServiceDep = Annotated[ProjectService, Depends(get_project_service, scope="function")]
MemberServiceDep = Annotated[MemberService, Depends(get_member_service, scope="function")]
InvitationServiceDep = Annotated[InvitationService, Depends(get_invitation_service, scope="function")]
AcceptingServiceDep = Annotated[AcceptingService, Depends(get_accepting_service, scope="function")]
