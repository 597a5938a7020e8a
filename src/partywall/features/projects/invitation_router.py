from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response, status

from partywall.core.errors import MissingRightError, PersonRequiredError, QuotaExceededError, TooManyRequestsError
from partywall.core.http.dependencies import ReadProjectScopeDep, ReadSessionDep
from partywall.core.http.idempotency import IdempotencyKeyReusedError, RequestInProgressError
from partywall.core.http.idempotent import idempotent
from partywall.core.http.pagination import CursorsDep
from partywall.core.http.problems import documented
from partywall.core.http.responses import entity_tag, json_response
from partywall.core.schemas import Page
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.projects import invitations
from partywall.features.projects.acceptance import AcceptingService
from partywall.features.projects.dependencies import (
    AcceptingServiceDep,
    AcceptLimit,
    InvitationServiceDep,
    InviteCount,
    InviteLimit,
)
from partywall.features.projects.exceptions import (
    AddressNotVerifiedError,
    AlreadyInvitedError,
    AlreadyMemberError,
    InvitationNotFoundError,
    TooManyInvitationsError,
)
from partywall.features.projects.invitations import InvitationService
from partywall.features.projects.schemas import (
    Acceptance,
    Invitation,
    InvitationCreate,
    InvitationQuery,
    Project,
)

router = APIRouter(prefix="/projects/{project_id}/invitations", tags=["members"])
accepting = APIRouter(prefix="/invitations", tags=["members"])


async def _may_invite(service: InvitationService, body: InvitationCreate) -> None:
    await service.authorise(body.role)


async def _may_accept(service: AcceptingService) -> None:
    await service.authorise()


async def _require_membership(service: AcceptingService, answer: Response) -> None:
    await service.require_membership(Project.model_validate_json(bytes(answer.body)).id)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=Invitation,
    dependencies=[InviteLimit, InviteCount],
    summary="Invite a person by e-mail",
    description="The caller needs a verified address. The mail contains a token that works once, until `expires_at`."
    " Only owners may invite owners.",
    responses=documented(
        ProjectNotFoundError, MissingRightError, AddressNotVerifiedError, AlreadyMemberError, AlreadyInvitedError,
        TooManyInvitationsError, QuotaExceededError, IdempotencyKeyReusedError, RequestInProgressError,
        TooManyRequestsError,
    ),
)  # fmt: skip
@idempotent(_may_invite)
async def create_invitation(body: InvitationCreate, service: InvitationServiceDep) -> Response:
    return json_response(await service.invite(body), status.HTTP_201_CREATED)


@router.get(
    "",
    summary="List the pending invitations",
    description="Invitations that were neither accepted nor withdrawn and have not expired.",
    responses=documented(ProjectNotFoundError, MissingRightError),
)
async def list_invitations(
    session: ReadSessionDep, scope: ReadProjectScopeDep, query: Annotated[InvitationQuery, Query()], cursors: CursorsDep
) -> Page[Invitation]:
    return await invitations.list_invitations(session, scope, query, cursors)


@router.delete(
    "/{invitation_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Withdraw an invitation",
    description="Its token becomes invalid.",
    responses=documented(ProjectNotFoundError, MissingRightError, InvitationNotFoundError),
)
async def withdraw_invitation(invitation_id: UUID, service: InvitationServiceDep) -> None:
    await service.withdraw(invitation_id)


@accepting.post(
    "/accept",
    response_model=Project,
    dependencies=[AcceptLimit],
    summary="Accept an invitation",
    description="The caller's verified address must be the one that was invited. A token that is wrong, used, expired, "
    "withdrawn or for another address gets the same 404.",
    responses=documented(
        PersonRequiredError, AddressNotVerifiedError, InvitationNotFoundError, AlreadyMemberError,
        IdempotencyKeyReusedError, RequestInProgressError, TooManyRequestsError,
    ),
)  # fmt: skip
@idempotent(_may_accept, check_replay=_require_membership)
async def accept_invitation(body: Acceptance, service: AcceptingServiceDep) -> Response:
    entered = await service.accept(body.token)
    return json_response(
        entered.project, status.HTTP_200_OK, {"ETag": entity_tag(entered.revision, entered.project.role)}
    )
