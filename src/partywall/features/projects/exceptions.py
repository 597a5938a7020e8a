from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from partywall.core.errors import ConflictError, ForbiddenError, NotFoundError, PartywallError, UnavailableError
from partywall.core.tenancy import ProjectNotFoundError


class ProjectBusyError(UnavailableError):
    code = "project_busy"
    title = "The project is being written to; try again"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class MemberNotFoundError(NotFoundError):
    code = "member_not_found"
    title = "The project has no such member"


class LastOwnerError(ConflictError):
    code = "last_owner"
    title = "A project needs at least one owner"


class TransferToOneselfError(ConflictError):
    code = "transfer_to_oneself"
    title = "The caller already owns the project"


class InvitationNotFoundError(NotFoundError):
    """For a presented token, the same error for every reason, so that it reveals none."""

    code = "invitation_not_found"
    title = "No such invitation"


class AlreadyMemberError(ConflictError):
    code = "already_member"
    title = "This person is already a member"


class AlreadyInvitedError(ConflictError):
    code = "already_invited"
    title = "This address already has a valid invitation"


class TooManyInvitationsError(ConflictError):
    code = "too_many_invitations"
    title = "The project has too many pending invitations"


class AddressNotVerifiedError(ForbiddenError):
    code = "address_not_verified"
    title = "The account's e-mail address has not been verified"


# Constraint violations that concurrent requests can cause despite the checks.
VIOLATIONS: Final[Mapping[str, Callable[[], PartywallError]]] = {
    "project_member_owner_check": LastOwnerError,
    "project_member_pkey": AlreadyMemberError,
    "invitation_project_id_email_key": AlreadyInvitedError,
    "invitation_project_id_fkey": ProjectNotFoundError,
}

__all__ = [
    "VIOLATIONS",
    "AddressNotVerifiedError",
    "AlreadyInvitedError",
    "AlreadyMemberError",
    "InvitationNotFoundError",
    "LastOwnerError",
    "MemberNotFoundError",
    "ProjectNotFoundError",
    "TooManyInvitationsError",
    "TransferToOneselfError",
]
