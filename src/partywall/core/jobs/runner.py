"""Runs jobs and schedules on PgQueuer, until told to stop."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import asyncpg
import structlog
from pgqueuer import PgQueuer
from pgqueuer import models as pgq
from pgqueuer.errors import RetryRequested
from pgqueuer.queries import Queries
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError
from structlog.contextvars import bound_contextvars

from partywall.core.errors import UnavailableError
from partywall.core.jobs import attempts
from partywall.core.jobs.context import AnotherAttemptError, JobContext, LeaseLostError
from partywall.core.jobs.kinds import JobHandler, JobPayload, ProjectJobPayload
from partywall.core.jobs.leased import LeasedStatements
from partywall.core.jobs.schedules import Schedule
from partywall.core.jobs.suspects import Suspects
from partywall.core.jobs.takes import LimitedTaker
from partywall.core.jobs.turns import Turns
from partywall.core.masking import what_failed
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, ProjectNotFoundError
from partywall.core.tenant import work_in_background_for

log = structlog.get_logger(__name__)

# One, so that no limit is passed; and the end of a job is written at once, which tells the loop of the free place.
BATCH_SIZE: Final = 1
RESTART_PAUSE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class JobRunner:
    resources: Resources
    handlers: Sequence[JobHandler]
    schedules: Sequence[Schedule] = ()
    turns: Turns = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "turns", Turns(self.resources.sessions))

    async def run(self, connect: Callable[[], Awaitable[asyncpg.Pool[asyncpg.Record]]], stop: asyncio.Event) -> None:
        """Works until `stop` is set, then ends what it has begun. A database that goes away is waited for."""
        while not stop.is_set():
            try:
                pool = await connect()
            except (OSError, asyncpg.PostgresError) as error:
                log.warning("database_away", **what_failed(error))
                await _pause(stop)
                continue
            try:
                await self._work(pool, stop)
            except* Exception as errors:
                log.warning("worker_restarts", exc_info=errors)
                await _pause(stop)
            finally:
                pool.terminate()

    async def _work(self, pool: asyncpg.Pool[asyncpg.Record], stop: asyncio.Event) -> None:
        queue = PgQueuer.from_asyncpg_pool(pool)
        settings = self.resources.settings
        limits = {handler.kind.name: handler.places(self.resources) for handler in self.handlers}
        queries = Queries.from_asyncpg_pool(pool)
        suspects = Suspects()
        queue.qm = LimitedTaker(queries, queue.channel, limits=limits, suspects=suspects)
        queries.qbq = LeasedStatements(worker=queue.qm.queue_manager_id, suspects=suspects)
        for handler in self.handlers:
            queue.entrypoint(handler.kind.name, accepts_context=False)(self._runner(queue, suspects, handler))
        for schedule in self.schedules:
            queue.schedule(schedule.name, schedule.cron, accepts_context=False)(self._scheduled(schedule))
        # An event of its own: PgQueuer sets it whenever it ends, also when it has failed and is to be started again.
        ended = queue.shutdown = queue.qm.shutdown = queue.sm.shutdown = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            passing_on = group.create_task(_pass_on(stop, ended))
            await queue.run(
                dequeue_timeout=settings.jobs.poll_interval,
                batch_size=BATCH_SIZE,
                heartbeat_timeout=settings.jobs.heartbeat_timeout,
                shutdown_on_listener_failure=True,
            )
            passing_on.cancel()

    def _runner(self, queue: PgQueuer, suspects: Suspects, handler: JobHandler) -> Callable[[pgq.Job], Awaitable[None]]:
        async def run(job: pgq.Job) -> None:
            with bound_contextvars(job_id=job.id, job_kind=handler.kind.name):
                try:
                    await self._attempt(queue, suspects, handler, job)
                except (OSError, DBAPIError, UnavailableError) as error:
                    # Not the handler's: the attempt could not be counted, or the job not put away.
                    log.warning("attempt_not_recorded", exc_info=error)
                    # lint: allow dropped-cause - PgQueuer writes tracebacks unmasked into its table; ours is logged
                    raise RetryRequested(attempts.FIRST_DELAY, type(error).__name__) from None

        return run

    async def _attempt(self, queue: PgQueuer, suspects: Suspects, handler: JobHandler, job: pgq.Job) -> None:
        try:
            payload = handler.kind.payload.model_validate_json(job.payload or b"")
        except ValidationError as error:
            await self._park_unreadable(handler, job, error)
            return
        with bound_contextvars(**payload.facts):
            await self._attempt_of(queue, suspects, handler, job, payload)

    async def _attempt_of(
        self, queue: PgQueuer, suspects: Suspects, handler: JobHandler, job: pgq.Job, payload: JobPayload
    ) -> None:
        body = payload.model_dump(mode="json", exclude_none=True)
        async with self.resources.sessions.begin() as session:
            attempt, account = await attempts.begin_attempt(session, job.id, handler.kind.name, body)
        if isinstance(payload, ProjectJobPayload):
            work_in_background_for(payload.acting.tenant if account is None else Principal.user(account).tenant)
        limit = handler.kind.max_attempts
        context = JobContext(
            self.resources,
            queue.qm.queue_manager_id,
            job.id,
            attempt,
            last=attempt == limit,
            stopping=queue.shutdown,
            progressed=functools.partial(suspects.clear, job.id),
        )
        if attempt > limit:
            await self._give_up(handler, context, payload, f"began {limit} times and never finished")
        elif isinstance(payload, ProjectJobPayload):
            with self.turns.measured(handler.kind.name, payload.project_id):
                await self._settle(handler, context, payload)
            await self.turns.give_way(handler.kind.name, payload.project_id)
        else:
            await self._settle(handler, context, payload)

    async def _settle(self, handler: JobHandler, context: JobContext, payload: JobPayload) -> None:
        try:
            await handler.run(context, payload)
        except LeaseLostError:
            log.warning("lease_lost")
            return
        except ProjectNotFoundError:
            log.info("job_dropped", reason="its principal may no longer enter the project")
        except Exception as error:
            after = error.after if isinstance(error, AnotherAttemptError) else None
            if isinstance(error, AnotherAttemptError):
                log.info("job_put_back", attempt=context.attempt, reason=str(error))
            else:
                log.exception("job_failed", attempt=context.attempt)
            if context.last:
                await self._give_up(handler, context, payload, f"{type(error).__name__}: {error}")
                return
            # lint: allow dropped-cause - PgQueuer writes tracebacks unmasked into its table; ours is logged
            raise RetryRequested(after or attempts.backoff(context.attempt), type(error).__name__) from None
        async with self.resources.sessions.begin() as session:
            await attempts.forget(session, context.job_id)

    async def _give_up(self, handler: JobHandler, context: JobContext, payload: JobPayload, error: str) -> None:
        if handler.give_up is not None:
            try:
                await handler.give_up(context, payload)
            except (LeaseLostError, ProjectNotFoundError) as reason:
                log.warning("nothing_given_up", reason=type(reason).__name__)
        await self._park(context.job_id, error)

    async def _park(self, job_id: int, error: str) -> None:
        log.error("job_parked", error=error)
        async with self.resources.sessions.begin() as session:
            await attempts.park(session, job_id, error)

    async def _park_unreadable(self, handler: JobHandler, job: pgq.Job, error: ValidationError) -> None:
        body = {"unreadable": (job.payload or b"").decode("utf-8", "replace")}
        async with self.resources.sessions.begin() as session:
            await attempts.begin_attempt(session, job.id, handler.kind.name, {**body})
        await self._park(job.id, f"the payload does not fit its kind ({error.error_count()} errors)")

    def _scheduled(self, schedule: Schedule) -> Callable[[pgq.Schedule], Awaitable[None]]:
        async def run(_: pgq.Schedule) -> None:
            try:
                await schedule.run(self.resources)
            except (DBAPIError, OSError):
                log.exception("schedule_failed", schedule=schedule.name)

        return run


async def _pause(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(RESTART_PAUSE_SECONDS):
            await stop.wait()
    except TimeoutError:
        pass


async def _pass_on(stop: asyncio.Event, ended: asyncio.Event) -> None:
    await stop.wait()
    ended.set()
