"""Starts, cancels, deletes and decides runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from partywall.core.audit.trail import AuditEntry, audit
from partywall.core.db.driver_errors import violations
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.errors import QuotaExceededError
from partywall.core.events.log import EventDraft, publish
from partywall.core.field_errors import FieldCode
from partywall.core.jobs.queue import dequeue
from partywall.core.page_request import PageRequest
from partywall.core.pagination import Cursors
from partywall.core.rights import require
from partywall.core.schemas import Page
from partywall.core.tenancy import ProjectScope, SharedScope
from partywall.features.agents.exceptions import AgentInputError
from partywall.features.agents.rights import RUN_READ
from partywall.features.agents.schemas import AgentInput
from partywall.features.documents import service as documents
from partywall.features.quotas.service import get_project_usage
from partywall.features.runs.admission import OpenRunLimits, enqueue_run, lock_starts, refuse_too_many
from partywall.features.runs.exceptions import (
    RunFinishedError,
    RunNotContinuableError,
    RunNotFinishedError,
    RunNotFoundError,
    RunNotWaitingError,
    RunPendingChangedError,
)
from partywall.features.runs.jobs import RUN_AGENT
from partywall.features.runs.models import Run as RunRow
from partywall.features.runs.pending_step import pending_id
from partywall.features.runs.presentation import present
from partywall.features.runs.repository import CANCEL_REQUESTED, KEYSET, RunRepository, RunWriter
from partywall.features.runs.rights import RUN_DECIDE, RUN_START
from partywall.features.runs.schemas import Run, RunDecision, RunQuery, RunStart, RunStatus

# In bytes of JSON: every run that continues stores all earlier messages again, and sends them to the model.
LONGEST_CONVERSATION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Shown:
    """A run, and the state number for its entity tag."""

    run: Run
    state: int


async def list_runs(session: AsyncReadSession, scope: ProjectScope, query: RunQuery, cursors: Cursors) -> Page[Run]:
    require(scope, RUN_READ)
    filters = {"status": query.status and query.status.value, "agent": query.agent}
    chosen = {name: value for name, value in filters.items() if value is not None}
    listing = ("runs", scope.project_id, *(f"{name}={value}" for name, value in chosen.items()))
    runs = RunRepository(session, scope)
    return await PageRequest(query, cursors, KEYSET, listing).page(
        partial(runs.page, chosen), partial(runs.count, chosen), present, lambda run: (run.created_at, run.id)
    )


async def get_run(session: AsyncReadSession, scope: ProjectScope, run_id: UUID) -> Shown:
    """Raises RunNotFoundError."""
    require(scope, RUN_READ)
    row = await RunRepository(session, scope).get(run_id)
    if row is None:
        raise RunNotFoundError
    return Shown(present(row), row.state)


async def require_run(reader: ScopedReader, project_id: UUID, run_id: UUID) -> None:
    """Raises RunNotFoundError, ProjectNotFoundError or MissingRightError if the reader may not see the run."""
    scope, row = await reader.row(CANCEL_REQUESTED, project_id, {"run_id": run_id})
    require(scope, RUN_READ)
    if row["requested"] is None:
        raise RunNotFoundError


def _nothing_to_continue() -> RunNotFoundError:
    return RunNotFoundError("The run to continue does not exist.")


# It may be deleted after it was read.
_VIOLATIONS: Final = {"run_project_id_continues_fkey": _nothing_to_continue}


@dataclass(frozen=True, slots=True)
class CheckedRun:
    """A request to start a run, with its input validated by the agent's schema."""

    wanted: RunStart
    input: AgentInput


async def refuse_unfit(session: AsyncSession, scope: ProjectScope, limits: OpenRunLimits, checked: CheckedRun) -> None:
    """Raises what `RunService.start` would raise now, and QuotaExceededError, before costly checks. Locks nothing."""
    await _refuse_unknown(session, scope, checked)
    await refuse_too_many(session, scope, limits)
    usage = await get_project_usage(session, scope)
    for quota, counted in (("runs", usage.runs), ("bytes", usage.bytes)):
        if counted.limit is not None and counted.used >= counted.limit:
            raise QuotaExceededError(quota, counted.used, 1, counted.limit)


async def _refuse_unknown(session: AsyncReadSession, scope: ProjectScope, checked: CheckedRun) -> None:
    named = checked.input.documents()
    gone = await documents.missing(session, scope, named.values())
    if gone:
        pointers = [pointer for pointer, document in named.items() if document in gone]
        raise AgentInputError.at(pointers, FieldCode.NOT_FOUND, "No such document")
    if checked.wanted.continues is not None:
        await _refuse_to_continue(RunRepository(session, scope), checked.wanted.continues, checked.wanted.agent)


async def _refuse_to_continue(runs: RunRepository, run_id: UUID, agent: str) -> None:
    earlier = await runs.get(run_id)
    if earlier is None:
        raise _nothing_to_continue()
    if earlier.agent != agent or earlier.status != RunStatus.SUCCEEDED:
        raise RunNotContinuableError(f"That run has the agent {earlier.agent} and the status {earlier.status}.")
    if await runs.size_of_messages(run_id) > LONGEST_CONVERSATION:
        raise RunNotContinuableError(f"Its messages take more than {LONGEST_CONVERSATION:,} bytes; start a new one.")


@dataclass(frozen=True, slots=True)
class RunService:
    """Changes runs for one caller; `limits` bounds the unfinished runs."""

    session: AsyncSession
    scope: SharedScope
    limits: OpenRunLimits

    async def start(self, checked: CheckedRun, request_id: str | None = None, traceparent: str | None = None) -> Run:
        """Enqueues a run.

        Raises AgentInputError for missing documents, RunNotFoundError or RunNotContinuableError for the run that it
        `continues`, and TooManyOpenRunsError.
        """
        require(self.scope, RUN_START)
        wanted = checked.wanted
        await _refuse_unknown(self.session, self.scope, checked)
        await lock_starts(self.session, self.scope)
        await refuse_too_many(self.session, self.scope, self.limits)
        with violations(_VIOLATIONS):
            row = await self._writer.add(wanted.agent, wanted.input, wanted.continues, request_id, traceparent)
        self._record_event("run.queued", row)
        await enqueue_run(self.session, row)
        return present(row)

    async def cancel(self, run_id: UUID) -> Run:
        """Cancels a waiting or queued run at once; a worker stops a running one within two seconds.

        Raises RunFinishedError.
        """
        require(self.scope, RUN_START)
        row = await self._locked(run_id)
        if RunStatus(row.status).over:
            verb = "is" if row.status == RunStatus.CANCELLED else "has"
            raise RunFinishedError(f"The run {verb} {row.status} already.")
        if row.status == RunStatus.RUNNING:
            return present(await self._writer.request_cancel(run_id))
        row = await self._writer.cancel(run_id)
        self._record_event("run.cancelled", row)
        await dequeue(self.session, RUN_AGENT, run_id)
        return present(row)

    async def delete(self, run_id: UUID) -> None:
        """Deletes the run and its journal; raises RunNotFinishedError."""
        require(self.scope, RUN_START)
        row = await self._locked(run_id, to_delete=True)
        if not RunStatus(row.status).over:
            raise RunNotFinishedError(f"The run is {row.status}. Cancel it first.")
        if await RunRepository(self.session, self.scope).is_continued(run_id):
            raise RunNotFinishedError("An unfinished run continues it. Cancel that one first, or wait for its end.")
        await self._writer.delete(run_id)
        self._record_event("run.deleted", row)

    async def decide(self, run_id: UUID, decision: RunDecision) -> Run:
        """Resumes a waiting run. Raises RunNotWaitingError, and RunPendingChangedError for another pending step."""
        require(self.scope, RUN_DECIDE)
        row = await self._locked(run_id)
        if row.status != RunStatus.WAITING:
            raise RunNotWaitingError(f"The run is {row.status}.")
        if decision.pending_id != pending_id(row.id, row.turn, row.pending or ()):
            raise RunPendingChangedError
        await self._writer.decide(run_id, row.turn, decision.model_dump(mode="json"))
        row = await self._writer.go_on(run_id, row.turn + 1)
        entry = AuditEntry("decision.made", f"run:{run_id}", {"approve": decision.approve})
        await audit(self.session, self.scope, entry)
        self._record_event("run.queued", row)
        await enqueue_run(self.session, row)
        return present(row)

    async def _locked(self, run_id: UUID, *, to_delete: bool = False) -> RunRow:
        row = await self._writer.lock(run_id, to_delete=to_delete)
        if row is None:
            raise RunNotFoundError
        return row

    def _record_event(self, type_: str, row: RunRow) -> None:
        publish(self.session, self.scope, EventDraft(type_, "run", str(row.id), {"agent": row.agent}))

    @property
    def _writer(self) -> RunWriter:
        return RunWriter(self.session, self.scope)
