"""Runs one attempt at a job and determines its result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from structlog.contextvars import bound_contextvars

from partywall.core.errors import UnavailableError
from partywall.core.jobs import dead_letter
from partywall.core.jobs.context import AnotherAttemptError, JobContext
from partywall.core.jobs.kinds import JobHandler
from partywall.core.jobs.lease import LeaseLostError
from partywall.core.jobs.payloads import JobPayload, ProjectJobPayload
from partywall.core.jobs.store import ClaimedJob, JobResult
from partywall.core.resources import Resources
from partywall.core.shutdown import CutShortError, unless_stopped
from partywall.core.tenancy import Principal, ProjectNotFoundError
from partywall.core.tenant import set_background_tenant

log = structlog.get_logger(__name__)

# Results of many jobs are written in one statement, so no result may contain what the database rejects.
_LONGEST_ERROR: Final = 2_000
_LONGEST_PAUSE: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Attempt:
    resources: Resources
    handler: JobHandler
    job: ClaimedJob
    stopping: asyncio.Event
    progressed: Callable[[], None]
    crowded: Callable[[], bool]

    async def run(self) -> JobResult | None:
        """The result for the job; None if another worker has taken it over."""
        with bound_contextvars(job_id=self.job.id, job_kind=self.job.kind):
            try:
                payload = self.handler.kind.payload.model_validate_json(self.job.payload)
            except ValidationError as error:
                return self._add_dead_letter(f"the payload does not fit its kind (errors: {error.error_count()})")
            with bound_contextvars(**payload.facts):
                try:
                    return await self._settled(payload)
                except LeaseLostError:
                    log.warning("lease_lost")
                    return None
                except (OSError, DBAPIError, PoolTimeoutError, UnavailableError) as error:
                    log.warning("attempt_not_recorded", exc_info=error)
                    return self._again(dead_letter.FIRST_DELAY)
                except Exception as error:
                    log.exception("give_up_failed")
                    return self._add_dead_letter(_told(error))

    async def _settled(self, payload: JobPayload) -> JobResult:
        job, limit = self.job, self.handler.kind.max_attempts
        if isinstance(payload, ProjectJobPayload):
            account = payload.acting if job.account is None else Principal.user(job.account)
            set_background_tenant(account.tenant)
        context = JobContext(
            self.resources, job.lease, job.id, job.attempt, last=job.attempt == limit, account=job.whose,
            stopping=self.stopping, progressed=self.progressed, crowded=self.crowded,
        )  # fmt: skip
        if job.attempt > limit:
            return await self._give_up(context, payload, f"started {limit} times and never finished")
        try:
            after = await self._handled(context, payload)
        except LeaseLostError:
            raise
        except ProjectNotFoundError:
            log.info("job_dropped", reason="its principal has no access to the project")
            return self._done()
        except AnotherAttemptError as error:
            log.info("job_put_back", attempt=job.attempt, reason=str(error))
            return await self._failed(context, payload, error, error.after)
        except Exception as error:
            log.exception("job_failed", attempt=job.attempt)
            return await self._failed(context, payload, error, None)
        return self._done() if after is None else self._done_for_now(after)

    async def _handled(self, context: JobContext, payload: JobPayload) -> timedelta | None:
        """Runs the handler. A worker that stops cancels it, except in the last attempt; another then starts again."""
        running = self.handler.run(context, payload)
        waits = context.last or self.handler.leaves_off
        try:
            return await (running if waits else unless_stopped(self.stopping, running))
        except CutShortError as error:
            raise AnotherAttemptError("worker_stopped") from error

    async def _failed(
        self, context: JobContext, payload: JobPayload, error: Exception, after: timedelta | None
    ) -> JobResult:
        if context.last:
            return await self._give_up(context, payload, _told(error))
        return self._again(after or dead_letter.backoff(context.attempt))

    async def _give_up(self, context: JobContext, payload: JobPayload, error: str) -> JobResult:
        if self.handler.give_up is not None:
            try:
                await self.handler.give_up(context, payload)
            except ProjectNotFoundError as reason:
                log.warning("give_up_failed", reason=type(reason).__name__)
        return self._add_dead_letter(error)

    def _done(self) -> JobResult:
        return JobResult(self.job.id, self.job.lease)

    def _done_for_now(self, after: timedelta) -> JobResult:
        return JobResult(self.job.id, self.job.lease, "again", min(max(after, timedelta()), _LONGEST_PAUSE))

    def _again(self, pause: timedelta) -> JobResult:
        state: Literal["delayed", "waiting"] = "delayed" if pause > timedelta() else "waiting"
        return JobResult(self.job.id, self.job.lease, state, min(pause, _LONGEST_PAUSE))

    def _add_dead_letter(self, error: str) -> JobResult:
        log.error("job_dead_letter", error=error)
        return JobResult(self.job.id, self.job.lease, "dead_letter", error=_storable(error))


def _storable(error: str) -> str:
    """PostgreSQL accepts neither NUL nor lone surrogates."""
    return error[:_LONGEST_ERROR].replace("\0", "").encode(errors="replace").decode()


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
