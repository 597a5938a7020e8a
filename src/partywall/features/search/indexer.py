"""The worker's indexing loop.

The index queue is a table, and the loop polls it. A notification only makes the loop poll sooner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy.exc import SQLAlchemyError
from structlog.contextvars import bound_contextvars

from partywall.core.errors import PartywallError
from partywall.core.ids import new_id
from partywall.core.log_masks import error_fields
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal
from partywall.core.tenant import set_background_tenant
from partywall.features.documents import index_queue as documents
from partywall.features.documents.index_queue import ClaimedDocument, DueProject, WorkKind
from partywall.features.search.constants import BYTES_AT_ONCE, DOCUMENTS_AT_ONCE
from partywall.features.search.document_indexer import DocumentIndexer
from partywall.features.search.indexing_lease import LASTING, IndexingLease
from partywall.features.search.indexing_pace import IndexingPace
from partywall.features.search.passage_vectors import PassageVectors
from partywall.features.search.project_rotation import ProjectRotation

log = structlog.get_logger(__name__)

# Concurrent batches by kind, so that large documents do not delay small ones.
SMALL_AT_ONCE: Final = 2
LARGE_AT_ONCE: Final = 1
# These mostly wait for the model's server; one account's texts may make it slow, hence the limit per account.
VECTORS_AT_ONCE: Final = 6
VECTORS_OF_ACCOUNT: Final = 2
PROJECTS_AT_ONCE: Final = 1_000
# Pause after a poll that found nothing: notifications come in bursts, and many do not concern documents.
GATHERING: Final = 0.03
SHORTEST_POLL: Final = 1.0
LONGEST_POLL: Final = 5.0
RELEASING: Final = 1.0
_NO_PROJECT: Final = UUID(int=0)


async def index_documents(resources: Resources, stop: asyncio.Event) -> None:
    """Indexes until `stop` is set; then releases the documents that it holds."""
    await Indexer(resources, stop).run()


@dataclass(slots=True)
class Indexer:
    resources: Resources
    stop: asyncio.Event
    embedding: PassageVectors = field(init=False)
    _scheduler: ProjectRotation = field(default_factory=ProjectRotation)
    _pace: IndexingPace = field(default_factory=IndexingPace)
    _round: list[DueProject] = field(default_factory=list)
    _running: dict[asyncio.Task[None], DueProject] = field(default_factory=dict)
    _held: dict[UUID, tuple[IndexingLease, list[UUID]]] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _poll_due: bool = True
    _poll_seconds: float = SHORTEST_POLL
    _beyond: UUID = _NO_PROJECT
    _notifications: int = 0

    def __post_init__(self) -> None:
        self.embedding = PassageVectors(self.resources.embedders)

    async def run(self) -> None:
        with self.resources.broadcaster.followed_by(self._on_events):
            async with asyncio.TaskGroup() as group:
                waking = group.create_task(self._wake_to_stop())
                while not self.stop.is_set():
                    self._wake.clear()
                    found = await self._poll_queue()
                    self._begin(group)
                    await self._pause(found)
                waking.cancel()
                for task in self._running:
                    task.cancel()
            await self._release()

    def _on_events(self, _: Collection[UUID]) -> None:
        self._notifications += 1
        self._poll_again()

    def _poll_again(self) -> None:
        self._poll_due = True
        self._wake.set()

    async def _wake_to_stop(self) -> None:
        await self.stop.wait()
        self._wake.set()

    async def _poll_queue(self) -> bool | None:
        """Polls the queue once the last round has started. Whether it found work; None if it did not poll."""
        if not self._poll_due or any(each.kind is WorkKind.SMALL for each in self._round):
            return None
        self._poll_due = False
        model = self.resources.embedders.current.name
        try:
            found = await documents.due(
                self.resources.reads,
                vectors=self.embedding.pause(model).seconds == 0,
                beyond=self._beyond,
                most=PROJECTS_AT_ONCE,
            )
        except (asyncpg.PostgresError, OSError, PartywallError) as error:
            log.warning("indexing_interrupted", **error_fields(error))
            return None
        if len(found) < PROJECTS_AT_ONCE and self._beyond != _NO_PROJECT:
            self._poll_due = True
        self._beyond = found[-1].project if len(found) >= PROJECTS_AT_ONCE else _NO_PROJECT
        self._round = [
            each for kind in WorkKind for each in self._scheduler.round(due for due in found if self._is_due(due, kind))
        ]
        return bool(found)

    def _is_due(self, due: DueProject, kind: WorkKind) -> bool:
        return due.kind is kind and not (kind is WorkKind.SMALL and self._pace.rests(due.project))

    def _begin(self, group: asyncio.TaskGroup) -> None:
        for due in list(self._round):
            if self._has_room(due):
                self._round.remove(due)
                self._scheduler.served(due)
                if due.kind is WorkKind.SMALL:
                    self._pace.began(due.project)
                task = group.create_task(self._serve(due))
                self._running[task] = due
                task.add_done_callback(self._ended)

    def _has_room(self, due: DueProject) -> bool:
        alike = [each.account for each in self._running.values() if each.kind is due.kind]
        match due.kind:
            case WorkKind.SMALL:
                return len(alike) < SMALL_AT_ONCE
            case WorkKind.LARGE:
                return len(alike) < LARGE_AT_ONCE
            case WorkKind.VECTORS:
                return len(alike) < VECTORS_AT_ONCE and alike.count(due.account) < VECTORS_OF_ACCOUNT

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._wake.set()

    async def _serve(self, due: DueProject) -> None:
        set_background_tenant(Principal.user(due.account).tenant)
        loop = asyncio.get_running_loop()
        began, taken = loop.time(), list[ClaimedDocument]()
        with bound_contextvars(project_id=str(due.project)):
            try:
                taken = await self._index(due)
            except Exception:
                log.exception("indexing_failed", kind=due.kind)
                await asyncio.sleep(SHORTEST_POLL)
            finally:
                if due.kind is WorkKind.SMALL:
                    rest = self._pace.ended(due.project, taken, loop.time() - began)
                    loop.call_later(rest, self._poll_again)
        if due.kind is WorkKind.SMALL and _may_be_more(taken):
            report = self._pace.report(due.project)
            await self.resources.backpressure.report(due.project, report.delay, report.rate)

    async def _take(self, due: DueProject, lease: IndexingLease) -> list[ClaimedDocument]:
        """Claims documents. If cancelled meanwhile, it notes what was claimed, so that `_release` can release it."""
        most = 1 if due.kind is WorkKind.LARGE else DOCUMENTS_AT_ONCE
        reads = self.resources.reads
        # lint: allow untracked-task - it ends with this function; a task group would cancel it after it claimed
        taking = asyncio.create_task(documents.take(reads, due, lease.id, LASTING, most=most, most_bytes=BYTES_AT_ONCE))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            with suppress(asyncpg.PostgresError, OSError, PartywallError, TimeoutError):
                async with asyncio.timeout(RELEASING):
                    self._held[lease.id] = lease, [each.id for each in await taking]
            raise

    async def _index(self, due: DueProject) -> list[ClaimedDocument]:
        large = due.kind is WorkKind.LARGE
        lease = IndexingLease(self.resources, self.embedding, due.project, new_id())
        taken = await self._take(due, lease)
        if not taken:
            return taken
        if large or _may_be_more(taken):
            self._poll_again()
        ids = [each.id for each in taken]
        self._held[lease.id], notified = (lease, ids), self._notifications
        try:
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(_keep(lease, ids))
                await DocumentIndexer(lease, due.kind).index(taken)
                keeping.cancel()
        finally:
            if not self.stop.is_set():
                del self._held[lease.id]
        if self._notifications > notified:  # one of the documents may have changed meanwhile
            self._poll_again()
        if due.kind is WorkKind.VECTORS or not self.resources.embedders.current.is_quick:  # their vectors are due now
            self._poll_again()
        return taken

    async def _pause(self, found: bool | None) -> None:
        """Waits for a notification, the end of a batch or the poll interval."""
        if found:
            self._poll_seconds = SHORTEST_POLL
        elif found is False:
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHERING):
                    await self.stop.wait()
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self._wake.wait()
        except TimeoutError:
            self._poll_due, self._poll_seconds = True, min(2 * self._poll_seconds, LONGEST_POLL)

    async def _release(self) -> None:
        """Releases all documents, so that other workers need not wait until the leases expire."""
        for lease, ids in self._held.values():
            with suppress(SQLAlchemyError, OSError, PartywallError, TimeoutError):
                async with asyncio.timeout(RELEASING):
                    await lease.release(ids, timedelta(), counted=False)


def _may_be_more(taken: list[ClaimedDocument]) -> bool:
    """The batch was full, or held a document whose worker died: these are claimed alone."""
    full = len(taken) >= DOCUMENTS_AT_ONCE or sum(each.size for each in taken) >= BYTES_AT_ONCE
    return full or any(each.attempts > 1 for each in taken)


async def _keep(lease: IndexingLease, ids: list[UUID]) -> None:
    """Renews the lease until it is cancelled."""
    while True:
        await asyncio.sleep(LASTING.total_seconds() / 3)
        with suppress(SQLAlchemyError, OSError, PartywallError):
            await lease.keep_all(ids)
