"""What a process opens once and shares: connections, stores, limits and keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from partywall.core.agents import DeclaredAgents
from partywall.core.backpressure import Backpressure
from partywall.core.blobs import BlobStore
from partywall.core.concurrency_limiter import ConcurrencyLimiter, TimedSlots
from partywall.core.db.read_pool import ReadPool
from partywall.core.db.scoped_access import Autocommit, ScopedReader, ScopedWriter
from partywall.core.db.session import AsyncSession, Sessions
from partywall.core.document_search import DocumentSearch, FoundDocument
from partywall.core.embedders import Embedders
from partywall.core.events.broadcaster import Broadcaster
from partywall.core.events.log_tailer import LogTailers
from partywall.core.events.sequencer import EventSequencer
from partywall.core.identity_providers import IdentityProviders
from partywall.core.job_waker import JobWaker
from partywall.core.language_models import LanguageModels
from partywall.core.large_answers import LargeAnswers
from partywall.core.mail.message import Mailer
from partywall.core.outgoing.guarded_transport import Outgoing
from partywall.core.pings import Pings
from partywall.core.rerankers import Reranker
from partywall.core.security.api_keys import ApiKeys
from partywall.core.security.attempts import AttemptLimiter
from partywall.core.security.authentication import Authenticator
from partywall.core.security.client_address import ClientAddresses
from partywall.core.security.passwords import Passwords
from partywall.core.security.secrets import SecretKeeper
from partywall.core.security.tokens import AccessTokens
from partywall.core.shared_threads import SharedThreads
from partywall.core.similarity import SimilarityScales
from partywall.core.tenancy import Principal
from partywall.core.tenant_semaphore import TenantSemaphore
from partywall.core.text_process.processes import TextProcesses
from partywall.core.uploads import Uploads
from partywall.core.vector_server import VectorServer
from partywall.settings import Settings
from partywall.settings.base import Section


@dataclass(frozen=True, slots=True)
class Resources:
    """A process's open resources: built once in the lifespan, closed in reverse order, each with a ping."""

    settings: Settings
    engine: AsyncEngine
    sessions: Sessions
    reads: ReadPool
    cache: Redis
    secrets: SecretKeeper
    access_tokens: AccessTokens
    api_keys: ApiKeys
    authenticator: Authenticator
    passwords: Passwords
    attempts: AttemptLimiter
    clients: ClientAddresses
    blobs: BlobStore
    answers: LargeAnswers
    mailer: Mailer
    uploads: Uploads
    searches: TenantSemaphore
    highlighting: SharedThreads
    checks: SharedThreads
    texts: TextProcesses
    diffs: TextProcesses
    embedders: Embedders
    similarities: SimilarityScales
    reranker: Reranker | None
    vector_server: VectorServer | None
    language_models: LanguageModels
    outgoing: Outgoing
    identity_providers: IdentityProviders
    sequencer: EventSequencer
    tailers: LogTailers
    broadcaster: Broadcaster
    waker: JobWaker
    backpressure: Backpressure
    handshakes: ConcurrencyLimiter[str]
    unused_tickets: TimedSlots
    pings: Pings
    # What the enabled features declare, and what the code of installed ones uses.
    agents: tuple[DeclaredAgents, ...] = ()
    sections: Mapping[type[Section], Section] = field(default_factory=dict)
    document_search: DocumentSearch | None = None

    def section[S: Section](self, kind: type[S]) -> S:
        """The settings of an installed feature."""
        return cast("S", self.sections[kind])

    async def search_documents(
        self, principal: Principal, project_id: UUID, question: str, limit: int = 10
    ) -> list[FoundDocument]:
        """Searches a project's documents with the principal's rights, best first. Call it outside a transaction."""
        assert self.document_search is not None
        return await self.document_search(principal, project_id, question, limit)

    def reader(self, principal: Principal) -> ScopedReader:
        return ScopedReader(self.reads, principal)

    def writer(self, principal: Principal, session: AsyncSession | None = None) -> ScopedWriter:
        """Writes in the session's transaction; without one, each write is a transaction of its own."""
        return ScopedWriter(principal, session or Autocommit(self.reads, self.sequencer.announce))
