"""Lists, changes and removes a project's members."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from partywall.core.audit.trail import AuditEntry, audit
from partywall.core.db.driver_errors import violations
from partywall.core.db.scopes import open_exclusive_scope
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.events.log import EventDraft, publish
from partywall.core.page_request import PageRequest
from partywall.core.pagination import Cursors
from partywall.core.preconditions import require_match
from partywall.core.rights import require
from partywall.core.schemas import Page
from partywall.core.security.revocation_check import check_not_revoked
from partywall.core.tenancy import ExclusiveScope, Principal, PrincipalKind, ProjectScope, Role, UnlockedScope
from partywall.features.projects.exceptions import (
    VIOLATIONS,
    LastOwnerError,
    MemberNotFoundError,
    TransferToOneselfError,
)
from partywall.features.projects.invitation_repository import InvitationWriter
from partywall.features.projects.member_repository import (
    KEYSET,
    MemberRepository,
    MemberRow,
    MemberWriter,
    accept_project,
)
from partywall.features.projects.rights import MEMBER_MANAGE, MEMBER_READ, OWNER_MANAGE, PROJECT_TRANSFER, grantable
from partywall.features.projects.schemas import Member, MemberId, MemberQuery


@dataclass(frozen=True, slots=True)
class VersionedMember:
    """A member, and the revision in the entity tag."""

    member: Member
    revision: int


@dataclass(frozen=True, slots=True)
class LockedMember:
    """A membership that is locked until the transaction ends, and the caller's scope under that lock."""

    scope: ExclusiveScope
    row: MemberRow

    @property
    def role(self) -> Role:
        return Role(self.row.role)


def _present(row: MemberRow) -> Member:
    return Member(
        user_id=row.account_id, email=row.email, full_name=row.full_name, role=Role(row.role), joined_at=row.joined_at
    )


async def list_members(
    session: AsyncReadSession, scope: ProjectScope, query: MemberQuery, cursors: Cursors
) -> Page[Member]:
    require(scope, MEMBER_READ)
    wanted = PageRequest(query, cursors, KEYSET, ("members", scope.project_id))
    members = MemberRepository(session, scope)
    return await wanted.page(members.page, members.count, _present, lambda member: (member.joined_at, member.user_id))


async def lock_membership(session: AsyncSession, scope: UnlockedScope, *, accepting: bool = False) -> ExclusiveScope:
    """Serialise access changes. Returns a fresh scope, because the caller's role may have changed during the wait.

    `accepting` is as in `open_shared_scope`; leave it out for transfers and for removals of members or keys.
    Raises ProjectNotFoundError if the caller has lost access, NotAuthenticatedError if the session has ended.
    """
    locked = await open_exclusive_scope(session, scope, recheck=check_not_revoked)
    if accepting:
        await accept_project(session, locked)
    return locked


@dataclass(frozen=True, slots=True)
class MemberService:
    session: AsyncSession
    scope: UnlockedScope

    async def update(self, wanted: MemberId, role: Role | None, if_match: str | None = None) -> VersionedMember:
        """Set a role. The same role, or None, changes nothing and records no event.

        Raises MemberNotFoundError, LastOwnerError, or PreconditionFailedError unless `if_match` names the revision.
        """
        require(self.scope, MEMBER_MANAGE)
        locked = await self._lock(wanted)
        require_match(if_match, locked.row.revision)
        _require_to_change(locked.scope, locked.role, role or locked.role)
        if role is None or role is locked.role:
            return VersionedMember(_present(locked.row), locked.row.revision)
        await self._refuse_last_owner(locked, role)
        await self._set_role(locked.scope, locked.row.account_id, role)
        return await self._shown(locked)

    async def remove(self, wanted: MemberId, if_match: str | None = None) -> None:
        """Everyone may remove themselves. Raises as `update` does."""
        if self._caller is None or self._person(wanted) != self._caller:
            require(self.scope, MEMBER_MANAGE)
        locked = await self._lock(wanted)
        require_match(if_match, locked.row.revision)
        account_id = locked.row.account_id
        if account_id != self._caller:
            _require_to_change(locked.scope, locked.role, locked.role)
        await self._refuse_last_owner(locked, None)
        await self._withdraw(locked.scope, account_id, None)
        # Who leaves may not write to the trail afterwards.
        await self._record_event(locked.scope, "member.removed", account_id, locked.role)
        with violations(VIOLATIONS):
            await MemberWriter(self.session, locked.scope).remove(account_id)

    async def transfer(self, new_owner: UUID) -> VersionedMember:
        """Make another member an owner and the caller an admin. Raises TransferToOneselfError, MemberNotFoundError."""
        require(self.scope, PROJECT_TRANSFER)
        if new_owner == self._caller:
            raise TransferToOneselfError
        locked = await self._lock(new_owner)
        require(locked.scope, PROJECT_TRANSFER)
        await audit(self.session, locked.scope, AuditEntry("ownership.transferred", f"user:{new_owner}"))
        if locked.role is not Role.OWNER:
            await self._set_role(locked.scope, new_owner, Role.OWNER)
        await self._set_role(locked.scope, self.scope.principal.id, Role.ADMIN)
        return await self._shown(locked)

    @property
    def _caller(self) -> UUID | None:
        """None for an API key, which is no member."""
        principal = self.scope.principal
        return principal.id if principal.kind is PrincipalKind.USER else None

    def _person(self, wanted: MemberId) -> UUID | None:
        return self._caller if wanted == "me" else wanted

    async def _lock(self, wanted: MemberId) -> LockedMember:
        scope = await lock_membership(self.session, self.scope)
        person = self._person(wanted)
        row = None if person is None else await MemberRepository(self.session, scope).get(person)
        if row is None:
            raise MemberNotFoundError
        return LockedMember(scope, row)

    async def _refuse_last_owner(self, locked: LockedMember, role: Role | None) -> None:
        ends = locked.role is Role.OWNER and role is not Role.OWNER
        if ends and await MemberRepository(self.session, locked.scope).owners() == 1:
            raise LastOwnerError

    async def _set_role(self, scope: ExclusiveScope, account_id: UUID, role: Role) -> None:
        await self._withdraw(scope, account_id, role)
        await self._record_event(scope, "member.updated", account_id, role)
        with violations(VIOLATIONS):
            await MemberWriter(self.session, scope).change(account_id, role)

    async def _withdraw(self, scope: ExclusiveScope, account_id: UUID, role: Role | None) -> None:
        """Withdraw the invitations that `role` could not send.

        This comes before the role change, because the change may take away the caller's own rights.
        """
        gone = set(Role) - grantable(role)
        await InvitationWriter(self.session, scope).withdraw(Principal.user(account_id), gone)

    async def _shown(self, locked: LockedMember) -> VersionedMember:
        row = await MemberRepository(self.session, locked.scope).get(locked.row.account_id)
        if row is None:
            raise MemberNotFoundError
        return VersionedMember(_present(row), row.revision)

    async def _record_event(self, scope: ExclusiveScope, type_: str, account_id: UUID, role: Role) -> None:
        await audit(self.session, scope, AuditEntry(type_, f"user:{account_id}", {"role": role.value}))
        event_draft = EventDraft(type_, "member", str(account_id), {"role": role.value})
        publish(self.session, scope, event_draft)


def _require_to_change(scope: ProjectScope, held: Role, wanted: Role) -> None:
    require(scope, MEMBER_MANAGE)
    if Role.OWNER in (held, wanted):
        require(scope, OWNER_MANAGE)
