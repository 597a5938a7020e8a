from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, cast
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from structlog.contextvars import get_contextvars

from partywall.core.http.current_request import current_request_id
from partywall.core.tenancy import Principal

if TYPE_CHECKING:
    from partywall.core.jobs.context import JobContext
    from partywall.core.resources import Resources

# A number, or where the settings have it.
type Concurrency = int | Callable[[Resources], int]
type Run[P: JobPayload] = Callable[[JobContext, P], Awaitable[timedelta | None]]


def causing_request() -> str | None:
    """Of the request that caused the job at hand, or of the request at hand."""
    found = get_contextvars().get("request_id") or current_request_id()
    return None if found is None else str(found)


class JobPayload(BaseModel):
    """What a job knows. It outlives a deploy: add fields with defaults, never rename one.

    `request_id` is that of the request which caused it, directly or through other jobs; log lines carry it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    request_id: str | None = Field(default_factory=causing_request)

    @property
    def facts(self) -> dict[str, str]:
        """What a log line says of it."""
        return {} if self.request_id is None else {"request_id": self.request_id}


class ProjectJobPayload(JobPayload):
    """A job inside one project. The right of `principal` is looked up again when the job runs."""

    project_id: UUID
    principal: str

    @property
    def facts(self) -> dict[str, str]:
        return {**super().facts, "project_id": str(self.project_id)}

    @property
    def acting(self) -> Principal:
        return Principal.parse(self.principal)


@dataclass(frozen=True, slots=True)
class JobKind[P: JobPayload]:
    """A name on the queue and the type of its payload; declared by the slice whose rows cause the job."""

    name: str
    payload: type[P]
    max_attempts: int = 5


class Limits(NamedTuple):
    """How many jobs of a kind are at work at once, over all workers."""

    each_project: int
    each_account: int


@dataclass(frozen=True, slots=True)
class JobHandler:
    """Runs the jobs of one kind; declared by the slice that does the work. Build it with `handles`.

    `run` may answer after how long the job is wanted once more; it is a new one then, behind the others of its line.
    `concurrency` is how many of them each worker process has in hand at once; no other kind waits for them. With a
    `share` one account has at most that part of these places, and the last free one goes to an account that has none.
    `limits` hold over all workers. `give_up` is called before a job becomes the operator's, so that whoever waits
    for it learns. `leaves_off`: it ends by itself, and writes down how far it came, when the worker is to stop.
    """

    kind: JobKind[JobPayload]
    run: Run[JobPayload]
    concurrency: Concurrency = 1
    share: int | None = None
    limits: Callable[[Resources], Limits] | None = None
    give_up: Callable[[JobContext, JobPayload], Awaitable[None]] | None = None
    leaves_off: bool = False

    def slots(self, resources: Resources) -> int:
        return self.concurrency if isinstance(self.concurrency, int) else self.concurrency(resources)


def handles[P: JobPayload](
    kind: JobKind[P],
    run: Run[P],
    *,
    concurrency: Concurrency = 1,
    share: int | None = None,
    limits: Callable[[Resources], Limits] | None = None,
    give_up: Callable[[JobContext, P], Awaitable[None]] | None = None,
    leaves_off: bool = False,
) -> JobHandler:
    """Pairs a kind with its handler. Handlers are idempotent: a job may run again after a crash."""
    return JobHandler(
        cast("JobKind[JobPayload]", kind),
        cast("Run[JobPayload]", run),
        concurrency,
        share,
        limits,
        cast("Callable[[JobContext, JobPayload], Awaitable[None]] | None", give_up),
        leaves_off,
    )
