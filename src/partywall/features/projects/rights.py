from __future__ import annotations

from typing import Final

from partywall.core.rights import Right
from partywall.core.tenancy import Role

PROJECT_READ: Final = Right("project.read", "see the project", Role.VIEWER)
PROJECT_UPDATE: Final = Right("project.update", "change its name and description", Role.ADMIN)
PROJECT_DELETE: Final = Right("project.delete", "delete it and everything in it", Role.OWNER, for_people=True)
PROJECT_TRANSFER: Final = Right(
    "project.transfer", "transfer it: another member becomes owner, the caller admin", Role.OWNER, for_people=True
)
MEMBER_READ: Final = Right("member.read", "see the members", Role.VIEWER)
MEMBER_MANAGE: Final = Right(
    "member.manage", "change the roles of members and remove them", Role.ADMIN, for_people=True
)
OWNER_MANAGE: Final = Right(
    "owner.manage", "the same for owners; appoint and invite owners", Role.OWNER, for_people=True
)
INVITATION_MANAGE: Final = Right(
    "invitation.manage", "create, see and withdraw invitations", Role.ADMIN, for_people=True
)


def grantable(role: Role | None) -> frozenset[Role]:
    """The roles that `role` may give to others. Empty if it may give none, or if `role` is None (no member)."""
    if role is None or role not in MEMBER_MANAGE.roles:
        return frozenset()
    given = {Role.ADMIN, Role.EDITOR, Role.VIEWER}
    return frozenset(given | {Role.OWNER} if role in OWNER_MANAGE.roles else given)
