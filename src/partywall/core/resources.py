from __future__ import annotations

from dataclasses import dataclass

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from partywall.core.blobs import BlobStore
from partywall.core.db.read_pool import ReadPool
from partywall.core.db.session import Sessions
from partywall.core.embedding import Embedders
from partywall.core.events.announcer import Announcer
from partywall.core.events.newswire import Newswire
from partywall.core.events.tail import Tails
from partywall.core.http.large_answers import LargeAnswers
from partywall.core.jobs.waking import JobWaker
from partywall.core.language_models import LanguageModels
from partywall.core.mail.message import Mailer
from partywall.core.occupancy import Places, TimedPlaces
from partywall.core.outgoing.guarded import Outgoing
from partywall.core.pings import Pings
from partywall.core.security.api_keys import ApiKeys
from partywall.core.security.attempts import AttemptLimiter
from partywall.core.security.authentication import Authenticator
from partywall.core.security.client_address import ClientAddresses
from partywall.core.security.passwords import Passwords
from partywall.core.security.secrets import SecretKeeper
from partywall.core.security.tokens import AccessTokens
from partywall.core.shared_threads import SharedThreads
from partywall.core.tenant_semaphore import TenantSemaphore
from partywall.core.text_process.processes import TextProcesses
from partywall.core.uploads import Uploads
from partywall.settings import Settings


@dataclass(frozen=True, slots=True)
class Resources:
    """What a process holds open: built once in the lifespan, closed in reverse order, each with a ping."""

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
    checks: SharedThreads
    texts: TextProcesses
    embedders: Embedders
    language_models: LanguageModels
    outgoing: Outgoing
    announcer: Announcer
    tails: Tails
    newswire: Newswire
    waker: JobWaker
    strangers: Places[str]
    unused_tickets: TimedPlaces
    pings: Pings
