from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from partywall.core.errors import MissingRightError, PreconditionFailedError
from partywall.core.http.dependencies import ReadProjectScopeDep, ReadSessionDep
from partywall.core.http.pagination import CursorsDep
from partywall.core.http.problems import documented
from partywall.core.http.responses import IfMatch, entity_tag, json_response
from partywall.core.schemas import Page
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.projects import members
from partywall.features.projects.dependencies import MemberServiceDep
from partywall.features.projects.exceptions import LastOwnerError, MemberNotFoundError, TransferToOneselfError
from partywall.features.projects.members import VersionedMember
from partywall.features.projects.schemas import Member, MemberId, MemberPatch, MemberQuery, Transfer

router = APIRouter(prefix="/projects/{project_id}", tags=["members"])

_CHANGE_ERRORS = (
    ProjectNotFoundError, MemberNotFoundError, MissingRightError, LastOwnerError, PreconditionFailedError,
)  # fmt: skip


def _answer(shown: VersionedMember) -> Response:
    return json_response(shown.member, status.HTTP_200_OK, {"ETag": entity_tag(shown.revision)})


@router.get(
    "/members",
    summary="List a project's members",
    description="Sorted by the time of joining.",
    responses=documented(ProjectNotFoundError),
)
async def list_members(
    session: ReadSessionDep, scope: ReadProjectScopeDep, query: Annotated[MemberQuery, Query()], cursors: CursorsDep
) -> Page[Member]:
    return await members.list_members(session, scope, query, cursors)


@router.patch(
    "/members/{user_id}",
    response_model=Member,
    summary="Change a member's role",
    description="Takes effect with the member's next request and ends their open streams. Only owners may appoint or "
    "demote owners. `me` stands for the caller.",
    responses=documented(*_CHANGE_ERRORS),
)
async def update_member(
    user_id: MemberId, body: MemberPatch, service: MemberServiceDep, if_match: IfMatch = None
) -> Response:
    role = body.role if "role" in body.model_fields_set else None
    return _answer(await service.update(user_id, role, if_match))


@router.delete(
    "/members/{user_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Remove a member, or leave",
    description="Takes effect with the member's next request, ends their open streams and withdraws the invitations "
    "that they have sent. Everyone except the last owner may leave (`me`).",
    responses=documented(*_CHANGE_ERRORS),
)
async def remove_member(user_id: MemberId, service: MemberServiceDep, if_match: IfMatch = None) -> None:
    await service.remove(user_id, if_match)


@router.post(
    "/transfer",
    response_model=Member,
    summary="Transfer a project",
    description="Another member becomes an owner, the caller an admin. Returns the new owner. The project counts "
    "against the caller's account until the new owner changes something in it.",
    responses=documented(ProjectNotFoundError, MemberNotFoundError, MissingRightError, TransferToOneselfError),
)
async def transfer_project(body: Transfer, service: MemberServiceDep) -> Response:
    return _answer(await service.transfer(body.user_id))
