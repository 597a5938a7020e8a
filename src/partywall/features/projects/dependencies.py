from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from partywall.core.http.dependencies import (
    PersonDep,
    PrincipalSessionDep,
    ProjectScopeDep,
    ResourcesDep,
    SessionDep,
)
from partywall.features.projects.members import MemberService
from partywall.features.projects.service import ProjectDirectoryService, ProjectService


async def get_directory_service(
    session: PrincipalSessionDep, principal: PersonDep, resources: ResourcesDep
) -> ProjectDirectoryService:
    return ProjectDirectoryService(session, principal, resources.announcer)


async def get_project_service(session: SessionDep, scope: ProjectScopeDep, resources: ResourcesDep) -> ProjectService:
    return ProjectService(session, scope, resources.announcer)


async def get_member_service(session: SessionDep, scope: ProjectScopeDep, resources: ResourcesDep) -> MemberService:
    return MemberService(session, scope, resources.announcer)


DirectoryServiceDep = Annotated[ProjectDirectoryService, Depends(get_directory_service, scope="function")]
ProjectServiceDep = Annotated[ProjectService, Depends(get_project_service, scope="function")]
MemberServiceDep = Annotated[MemberService, Depends(get_member_service, scope="function")]
