"""The worker's loop that hands vectors to the vector server, and tells it which to delete.

What is to be done is a table that the transactions which write vectors fill, so a document that is committed gets
there, however often a worker is killed or the server is away. Any worker may do the same change twice.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import Integer, Uuid, bindparam, func, select
from sqlalchemy.exc import SQLAlchemyError

from partywall.core.backoff import grown
from partywall.core.db.scopes import open_shared_scope
from partywall.core.log_masks import error_fields
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, ProjectNotFoundError, ProjectScope
from partywall.core.vector_server import Point, VectorServer, VectorServerError, VectorSpace, VectorsRefused
from partywall.features.search.vector_change_repository import VectorChange, VectorChanges

log = structlog.get_logger(__name__)

SENT_AT_ONCE: Final = 200
PROJECTS_AT_ONCE: Final = 1_000
POLL: Final = 1.0
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
_NO_PROJECT: Final = UUID(int=0)
_DUE: Final = select(
    func.wall.projects_with_vector_changes(bindparam("beyond", type_=Uuid), bindparam("most", type_=Integer))
)


async def send_vectors(resources: Resources, stop: asyncio.Event) -> None:
    """Sends until `stop` is set. Without a vector server there is nothing to do."""
    if resources.vector_server is None:
        await stop.wait()
    else:
        await VectorSender(resources, resources.vector_server, stop).run()


@dataclass(slots=True)
class VectorSender:
    resources: Resources
    server: VectorServer
    stop: asyncio.Event
    failures: int = 0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _beyond: UUID = _NO_PROJECT

    async def run(self) -> None:
        with self.resources.broadcaster.followed_by(self._on_events):
            async with asyncio.TaskGroup() as group:
                waking = group.create_task(self._wake_to_stop())
                while not self.stop.is_set():
                    self._wake.clear()
                    if not await self._round():
                        await self._pause()
                waking.cancel()

    def _on_events(self, _: Collection[UUID]) -> None:
        self._wake.set()

    async def _wake_to_stop(self) -> None:
        await self.stop.wait()
        self._wake.set()

    async def _round(self) -> bool:
        """One batch of each project that has changes. Whether there were any; an outage ends the round."""
        try:
            current = self.resources.embedders.current
            await self.server.prepare(VectorSpace(current.name, current.dimension))
            projects = await self._due()
            for project_id in projects:
                if self.stop.is_set():
                    break
                await self._send_some(project_id)
        except VectorServerError as error:
            self.failures += 1
            log.warning("vector_server_away", reason=str(error), failures=self.failures)
            return False
        except (SQLAlchemyError, OSError) as error:
            self.failures += 1
            log.warning("sending_vectors_interrupted", **error_fields(error))
            return False
        self.failures = 0
        return bool(projects)

    async def _pause(self) -> None:
        """After a failure for longer each time; otherwise until the next poll, or events that may bring vectors."""
        seconds = grown(FIRST_PAUSE, self.failures, LONGEST_PAUSE) if self.failures else POLL
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await (self.stop if self.failures else self._wake).wait()

    async def _due(self) -> list[UUID]:
        async with self.resources.sessions.begin() as session:
            found = list(await session.scalars(_DUE, {"beyond": self._beyond, "most": PROJECTS_AT_ONCE}))
        if not found and self._beyond != _NO_PROJECT:
            self._beyond = _NO_PROJECT
            return await self._due()
        self._beyond = found[-1] if len(found) >= PROJECTS_AT_ONCE else _NO_PROJECT
        return found

    async def _send_some(self, project_id: UUID) -> None:
        with suppress(ProjectNotFoundError):  # it is being deleted
            async with self._begin(project_id) as changes:
                claimed = await changes.claim(SENT_AT_ONCE)
            try:
                await self._send(changes.scope, claimed)
            except VectorsRefused as error:  # tried again when the claim ends
                log.warning("vectors_refused", project_id=str(project_id), reason=str(error))
            except VectorServerError:
                self._beyond = project_id
                async with self._begin(project_id) as changes:
                    await changes.release(claimed)
                raise
            else:
                async with self._begin(project_id) as changes:
                    await changes.confirm(claimed)

    @asynccontextmanager
    async def _begin(self, project_id: UUID) -> AsyncIterator[VectorChanges]:
        async with self.resources.sessions.begin() as session:
            scope = await open_shared_scope(session, Principal.service(project_id), project_id)
            yield VectorChanges(session, scope)

    async def _send(self, scope: ProjectScope, claimed: Sequence[VectorChange]) -> None:
        spaces = defaultdict[VectorSpace, list[VectorChange]](list)
        for each in claimed:
            spaces[VectorSpace(each.model, each.dimension)].append(each)
        for space, changes in spaces.items():
            kept = [Point(each.chunk, each.vector) for each in changes if each.vector is not None]
            await self.server.write(scope, space, kept)
            await self.server.delete(scope, space, [each.chunk for each in changes if each.vector is None])
