from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from partywall.core.db.read_pool import ReadPool
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.events.filters import TypeFilter
from partywall.core.events.log_tailer import LogTailers
from partywall.core.events.subscription import StreamOptions, Subscription
from partywall.core.rights import require
from partywall.core.security.authentication import VerifiedCredential
from partywall.core.security.revocation_check import RevocationCheck
from partywall.core.tenancy import PrincipalKind, ProjectScope
from partywall.features.live.rights import EVENT_READ


def _may_read(scope: ProjectScope) -> None:
    require(scope, EVENT_READ)


@dataclass(frozen=True, slots=True)
class LiveService:
    reads: ReadPool
    tailers: LogTailers
    heartbeat: timedelta
    send_timeout: float
    revocation_check: RevocationCheck

    async def follow(
        self,
        verified: VerifiedCredential,
        project_id: UUID,
        after: int | None,
        types: TypeFilter | None,
        subject: UUID | None = None,
        *,
        singly: bool = False,
    ) -> Subscription:
        """Subscribe to the events of the project, or of one subject in it.

        The subscription ends when the credential expires or the right is lost.
        """
        only = None if subject is None else str(subject)
        expires_at, session = verified.expires_at, verified.session_id
        options = StreamOptions(_may_read, expires_at, self.heartbeat, session, types, only, singly)
        return await self.tailers.follow(ScopedReader(self.reads, verified.principal), project_id, options, after)

    async def is_still_valid(self, verified: VerifiedCredential) -> bool:
        """Whether a credential that lost the right to follow is itself still valid.

        False for keys: without its right to the project, a key is worth nothing.
        """
        if verified.principal.kind is not PrincipalKind.USER or verified.session_id is None:
            return False
        return await self.revocation_check.is_not_revoked(verified.principal.id, verified.session_id)
