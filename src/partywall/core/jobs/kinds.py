"""Kinds of jobs: their name, payload, handler and limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, cast

from partywall.core.jobs.context import JobContext
from partywall.core.jobs.payloads import JobPayload
from partywall.core.lazy import Lazy, loaded
from partywall.core.resources import Resources

# A number, or a function that reads it from the settings.
type Concurrency = int | Callable[[Resources], int]
type GiveUp[P: JobPayload] = Callable[[JobContext, P], Awaitable[None]]
type Run[P: JobPayload] = Callable[[JobContext, P], Awaitable[timedelta | None]]


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
