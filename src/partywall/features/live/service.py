from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from partywall.core.db.read_pool import ReadPool
from partywall.core.db.scoped_read import ScopedReader
from partywall.core.events.feed import Feed, Terms
from partywall.core.events.filters import TypeFilter
from partywall.core.events.tail import Tails
from partywall.core.security.authentication import VerifiedCredential
from partywall.core.security.liveness import Liveness
from partywall.core.tenancy import PrincipalKind, ProjectScope
from partywall.features.projects.rights import Right, require


def _may_read(scope: ProjectScope) -> None:
    require(scope, Right.EVENT_READ)


@dataclass(frozen=True, slots=True)
class LiveService:
    reads: ReadPool
    tails: Tails
    heartbeat: timedelta
    send_timeout: float
    liveness: Liveness

    async def follow(
        self,
        verified: VerifiedCredential,
        project_id: UUID,
        after: int | None,
        types: TypeFilter | None,
        subject: UUID | None = None,
    ) -> Feed:
        """A feed of the project's events, or of one subject's, which ends with the credential and with the right."""
        only = None if subject is None else str(subject)
        terms = Terms(_may_read, verified.expires_at, self.heartbeat, verified.session_id, types, only)
        return await self.tails.follow(ScopedReader(self.reads, verified.principal), project_id, terms, after)

    async def still_good(self, verified: VerifiedCredential) -> bool:
        """Of whoever has lost the right to follow: whether the credential as such still stands.

        A key is nothing but its right to one project.
        """
        if verified.principal.kind is not PrincipalKind.USER or verified.session_id is None:
            return False
        return await self.liveness.may_act(verified.principal.id, verified.session_id)
