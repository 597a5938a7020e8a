from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, cast
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from structlog.contextvars import get_contextvars

from partywall.core.http.current_request import current_request_id
from partywall.core.lazy import Lazy, loaded
from partywall.core.tenancy import Principal

if TYPE_CHECKING:
    from partywall.core.jobs.context import JobContext
    from partywall.core.resources import Resources

# A number, or a function that reads it from the settings.
type Concurrency = int | Callable[[Resources], int]
type GiveUp[P: JobPayload] = Callable[[JobContext, P], Awaitable[None]]
type Run[P: JobPayload] = Callable[[JobContext, P], Awaitable[timedelta | None]]


def causing_request() -> str | None:
    """The id of the current request, or of the request that caused the current job."""
    found = get_contextvars().get("request_id") or current_request_id()
    return None if found is None else str(found)


class JobPayload(BaseModel):
    """A job's parameters. They outlive deploys: add fields with defaults, never rename one.

    `request_id` is the id of the request that caused the job, directly or through other jobs; log lines include it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    request_id: str | None = Field(default_factory=causing_request)

    @property
    def facts(self) -> dict[str, str]:
        """The fields bound to its log lines."""
        return {} if self.request_id is None else {"request_id": self.request_id}


class ProjectJobPayload(JobPayload):
    """A job in one project. The access of `principal` is checked again when the job runs."""

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
    """A name on the queue and its payload type; declared by the slice that enqueues the job."""

    name: str
    payload: type[P]
    max_attempts: int = 5


class Limits(NamedTuple):
    """How many jobs of a kind may run at once, over all workers."""

    each_project: int
    each_account: int


@dataclass(frozen=True, slots=True)
class JobHandler:
    """Runs the jobs of one kind; declared by the slice that does the work. Build it with `handles`.

    Only workers import `code`. It may return a pause after which the job runs once more, as a new job at the end of its
    line. `concurrency` is the number of slots in each worker process; kinds do not wait for each other's slots. With
    `share`, one account uses at most 1/`share` of them, and the last free slot goes to an account that has none.
    `limits` apply over all workers. `give_up` is called before a job becomes a dead letter, to inform those that wait
    for it. `leaves_off` means that the handler stores its progress and ends by itself when the worker stops.
    """

    kind: JobKind[JobPayload]
    code: Run[JobPayload] | Lazy[Run[JobPayload]]
    concurrency: Concurrency = 1
    share: int | None = None
    limits: Callable[[Resources], Limits] | None = None
    informs: GiveUp[JobPayload] | Lazy[GiveUp[JobPayload]] | None = None
    leaves_off: bool = False

    @property
    def give_up(self) -> GiveUp[JobPayload] | None:
        return None if self.informs is None else loaded(self.informs)

    @property
    def run(self) -> Run[JobPayload]:
        return loaded(self.code)

    def slots(self, resources: Resources) -> int:
        return self.concurrency if isinstance(self.concurrency, int) else self.concurrency(resources)


def handles[P: JobPayload](
    kind: JobKind[P],
    run: Run[P] | Lazy[Run[P]],
    *,
    concurrency: Concurrency = 1,
    share: int | None = None,
    limits: Callable[[Resources], Limits] | None = None,
    give_up: GiveUp[P] | Lazy[GiveUp[P]] | None = None,
    leaves_off: bool = False,
) -> JobHandler:
    """Pairs a kind with its handler. Handlers must be idempotent: a job may run again after a crash."""
    return JobHandler(
        cast("JobKind[JobPayload]", kind),
        cast("Run[JobPayload] | Lazy[Run[JobPayload]]", run),
        concurrency,
        share,
        limits,
        cast("GiveUp[JobPayload] | Lazy[GiveUp[JobPayload]] | None", give_up),
        leaves_off,
    )
