"""Opens a process's resources in order and closes them in reverse."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from partywall.adapter_options import (
    MissingUrlError,
    create_blob_store,
    create_mailer,
    open_identity_providers,
    open_supabase,
    open_vector_server,
)
from partywall.core.background import Background
from partywall.core.backpressure import Backpressure
from partywall.core.blobs import BlobStore
from partywall.core.caches import create_cache, create_listening_cache
from partywall.core.concurrency_limiter import ConcurrencyLimiter, SharedLimiter, TimedSlots
from partywall.core.db import engine as engines
from partywall.core.db.database import open_database
from partywall.core.db.quotas import publish_quotas
from partywall.core.db.read_pool import ReadPool
from partywall.core.db.session import Sessions
from partywall.core.events.broadcaster import Broadcaster
from partywall.core.events.listener import Listener
from partywall.core.events.log_tailer import LogTailers
from partywall.core.events.notifier import EventNotifier
from partywall.core.events.sequencer import EventSequencer
from partywall.core.job_waker import JobWaker
from partywall.core.large_answers import LargeAnswers
from partywall.core.memory import trim_memory
from partywall.core.outgoing.endpoints import shared_tls
from partywall.core.pings import Ping, open_pings
from partywall.core.recent_use import RecentUse
from partywall.core.resources import Resources
from partywall.core.security.api_keys import BEGINNING, ApiKeys
from partywall.core.security.attempts import AttemptLimiter
from partywall.core.security.authentication import Credentials, ForeignTokens
from partywall.core.security.client_address import ClientAddresses
from partywall.core.security.credential_watch import CredentialWatch
from partywall.core.security.keys import SIGNING_KEYS, KeyRing
from partywall.core.security.passwords import Passwords
from partywall.core.security.revocation_check import RevocationCheck
from partywall.core.security.revocations import Revocations
from partywall.core.security.secrets import SecretKeeper
from partywall.core.security.supabase import SupabaseTokens, names_type
from partywall.core.security.tokens import TOKEN_TYPE, AccessTokens
from partywall.core.shared_threads import SharedThreads
from partywall.core.similarity import SimilarityScales
from partywall.core.tenant_semaphore import WAITING_EACH, TenantSemaphore
from partywall.core.text_process.processes import TextLimits, TextProcesses
from partywall.core.uploads import Uploads
from partywall.core.vector_server import VectorServer
from partywall.outgoing_clients import open_embedders, open_models, open_outgoing, open_reranker
from partywall.secret_key import secret_key
from partywall.settings import (
    DatabaseSettings,
    EventSettings,
    ProcessSettings,
    SearchSettings,
    Settings,
)

ISSUER = "partywall"
# Sockets that have not authenticated yet: in all, and from one client address.
HANDSHAKES, HANDSHAKES_EACH = 1000, 100
# Threads that validate the input and output of agents, one for each account at once; how many checks of one may wait.
CHECKS, CHECKS_WAITING = 2, 32
# Threads that mark words in the answers of searches, one for each account at once.
HIGHLIGHTING = 2


@asynccontextmanager
async def open_resources(
    settings: Settings, *, application: str, draining: asyncio.Event | None = None, background: bool = False
) -> AsyncIterator[Resources]:
    """Opens what a process needs. Streams end when `draining` is set; `background` work may wait for locks."""
    async with AsyncExitStack() as stack:
        cache, keeper = _open_cache(stack, _cache_url(settings)), SecretKeeper(secret_key(settings))
        engine, reads = await _open_database(stack, settings.database, application, background=background)
        live = await _open_events(stack, settings, cache, reads, draining or asyncio.Event())
        sessions, tls = await _open_sessions(engine, live, settings), shared_tls(settings.outgoing.ca_file)
        embedders = await open_embedders(stack, settings, tls)
        vectors = await stack.enter_async_context(open_vector_server(settings.vectors, tls))
        blobs, mailer = _open_blobs(stack, settings), create_mailer(settings)
        pings = {"blobs": blobs.ping, "embedder": embedders.ping, "mailer": mailer.ping, **_pings_of(vectors)}
        supabase = await stack.enter_async_context(open_supabase(settings.supabase, sessions, tls))
        tokens, keys = _open_credentials(stack, settings, sessions, keeper, cache, live, supabase)
        yield Resources(
            settings=settings,
            engine=engine, sessions=sessions, reads=reads, cache=cache, secrets=keeper,
            access_tokens=tokens, api_keys=keys,
            authenticator=Credentials(tokens, keys, BEGINNING, _foreign(supabase)),
            passwords=Passwords(settings.accounts.password_hash_concurrency),
            attempts=AttemptLimiter(cache, settings.accounts.attempts_per_minute),
            clients=ClientAddresses(settings.http.trusted_proxies),
            blobs=blobs, answers=_large_answers(settings), mailer=mailer,
            checks=_open_threads(stack, "checks", CHECKS, CHECKS_WAITING),
            highlighting=_open_threads(stack, "highlighting", HIGHLIGHTING, WAITING_EACH),
            searches=_open_searches(settings.search),
            texts=(texts := TextProcesses(_text_limits(settings.processes))),
            diffs=TextProcesses(replace(_text_limits(settings.processes), at_once=1)),
            uploads=Uploads(texts.use, texts.max_wait),
            embedders=embedders, similarities=SimilarityScales(), vector_server=vectors,
            reranker=await open_reranker(stack, settings, tls),
            language_models=open_models(stack, settings.agents, tls),
            outgoing=await open_outgoing(stack, settings.outgoing, tls),
            identity_providers=await stack.enter_async_context(open_identity_providers(settings.identities, tls)),
            sequencer=live.sequencer, tailers=live.tailers,
            broadcaster=Broadcaster(live.listener),
            waker=live.waker,
            backpressure=_open_backpressure(cache, live.background),
            handshakes=ConcurrencyLimiter[str](HANDSHAKES, HANDSHAKES_EACH), unused_tickets=_tickets(settings.events),
            pings=open_pings(stack, engine, cache, **pings),
        )  # fmt: skip


def _pings_of(vectors: VectorServer | None) -> dict[str, Ping]:
    return {} if vectors is None else {"vectors": vectors.ping}


def _open_blobs(stack: AsyncExitStack, settings: Settings) -> BlobStore:
    blobs = create_blob_store(settings)
    stack.push_async_callback(blobs.close)
    return blobs


def _open_threads(stack: AsyncExitStack, name: str, threads: int, waiting: int) -> SharedThreads:
    return stack.enter_context(closing(SharedThreads(name, threads, each=1, waiting=waiting, use=RecentUse())))


def _open_backpressure(cache: Redis, background: Background) -> Backpressure:
    backpressure = Backpressure(cache)
    background.start("backpressure", backpressure.run)
    return backpressure


def _open_searches(settings: SearchSettings) -> TenantSemaphore:
    each = settings.concurrency_per_account
    return TenantSemaphore(settings.concurrency, each=each, each_heavy=max(1, each // 4), use=RecentUse())


def _large_answers(settings: Settings) -> LargeAnswers:
    http = settings.http
    return LargeAnswers(settings.spool_directory, on_disk=http.answer_bytes, in_memory=http.answer_memory_bytes)


def _open_cache(stack: AsyncExitStack, url: str) -> Redis:
    cache = create_cache(url)
    stack.push_async_callback(cache.aclose)
    return cache


def _cache_url(settings: Settings) -> str:
    if settings.database.url is None or settings.cache.url is None:
        raise MissingUrlError("set DATABASE__URL and CACHE__URL, or start everything with `partywall serve`")
    return settings.cache.url.get_secret_value()


def _text_limits(settings: ProcessSettings) -> TextLimits:
    seconds = math.ceil(settings.text_cpu_time.total_seconds())
    return TextLimits(settings.texts_at_once, seconds, settings.text_memory)


class _Live(NamedTuple):
    sequencer: EventSequencer
    tailers: LogTailers
    listener: Listener
    background: Background
    waker: JobWaker


async def _open_events(
    stack: AsyncExitStack, settings: Settings, cache: Redis, reads: ReadPool, draining: asyncio.Event
) -> _Live:
    """Opens what numbers events, announces events and jobs, and follows both over one cache subscription."""
    assert settings.cache.url is not None
    subscriber_cache = create_listening_cache(settings.cache.url.get_secret_value())
    stack.push_async_callback(subscriber_cache.aclose)
    notifier = EventNotifier(cache)
    listener = Listener(subscriber_cache)
    waker = JobWaker(cache, listener)
    sequencer = EventSequencer(reads, notifier, waker.wake)
    stack.push_async_callback(sequencer.flush)
    background = await stack.enter_async_context(Background())
    stack.push_async_callback(waker.flush)
    limits = settings.events
    tailers = LogTailers(
        reads, background, listener, sequencer.catch_up, slots=SharedLimiter(limits.connections),
        each_principal=limits.connections_per_principal, poll=limits.poll_interval, draining=draining,
    )  # fmt: skip
    stack.callback(draining.set)
    for name, run in (
        ("sequencer", sequencer.run), ("notifier", notifier.run), ("listener", listener.run),
        ("drain", tailers.end_when_draining), ("memory", trim_memory),
        ("waker", waker.run),
    ):  # fmt: skip
        background.start(name, run)
    return _Live(sequencer, tailers, listener, background, waker)


def _tickets(settings: EventSettings) -> TimedSlots:
    return TimedSlots(SharedLimiter(settings.connections), settings.ticket_ttl.total_seconds())


def _foreign(supabase: SupabaseTokens | None) -> ForeignTokens | None:
    return None if supabase is None else ForeignTokens(supabase, partial(names_type, kind=TOKEN_TYPE))


def _open_credentials(
    stack: AsyncExitStack,
    settings: Settings,
    sessions: Sessions,
    keeper: SecretKeeper,
    cache: Redis,
    live: _Live,
    supabase: SupabaseTokens | None,
) -> tuple[AccessTokens, ApiKeys]:
    """Opens credentials. Publishes revocations of this process and applies those of others."""
    ring, revocations = KeyRing(sessions, keeper.box(SIGNING_KEYS)), Revocations(cache)
    ttl = settings.accounts.access_token_ttl
    tokens = AccessTokens(ring, ISSUER, ttl, RevocationCheck(sessions).is_not_revoked, revocations.tell)
    keys = ApiKeys(sessions, revocations.tell)
    stack.push_async_callback(revocations.flush)
    watch = CredentialWatch(ring, tokens, keys, live.tailers, supabase)
    watch.listen(live.listener)
    for name, run in (("revocations", revocations.run), ("credential watch", watch.run)):
        live.background.start(name, run)
    return tokens, keys


async def _open_database(
    stack: AsyncExitStack, settings: DatabaseSettings, application: str, *, background: bool
) -> tuple[AsyncEngine, ReadPool]:
    assert settings.url is not None
    options = engines.server_settings(application, **settings.limits_ms(background=background))
    url = settings.url.get_secret_value()
    return await open_database(
        stack, url, options, size=settings.pool_size, overflow=settings.pool_overflow, pooled=settings.pooled
    )


async def _open_sessions(engine: AsyncEngine, live: _Live, settings: Settings) -> Sessions:
    live.background.start("connections", partial(engines.close_unused, engine))
    sessions = Sessions(engine, wake=live.waker.wake, announce=live.sequencer.announce)
    await publish_quotas(sessions, settings.quotas.limits)
    return sessions
