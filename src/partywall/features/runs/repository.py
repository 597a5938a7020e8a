from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import ColumnElement, Select, Text, Uuid, bindparam, cast, func, insert, literal, select, update

from partywall.core.db.keyset import After, Keyset
from partywall.core.db.scoped_query import PROJECT_ID, ScopedQuery
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.page_request import ShortPage
from partywall.core.pagination import PAGE_BYTES
from partywall.core.tenancy import ProjectScope, SharedScope
from partywall.features.runs.models import Run, RunTurn

KEYSET: Final = Keyset({"created_at": Run.created_at}, Run.id)


def _cancel_requested(allowed: ColumnElement[bool]) -> Select[bool]:
    return select(Run.cancel_requested_at.is_not(None).label("requested")).where(
        allowed, Run.project_id == PROJECT_ID, Run.id == bindparam("run_id", type_=Uuid)
    )


_DELETE: Final = select(func.wall.delete_run(bindparam("run", type_=Uuid)))
# Bytes of the JSON columns that a response shows.
_WEIGHT: Final = func.octet_length(cast(Run.input, Text)) + sum(
    (func.coalesce(func.octet_length(cast(column, Text)), 0) for column in (Run.output, Run.pending)), start=literal(0)
)
# Queried twice a second for each running run.
CANCEL_REQUESTED: Final = ScopedQuery.read(_cancel_requested)


def _matching(filters: Mapping[str, str]) -> list[ColumnElement[bool]]:
    columns = {"status": Run.status, "agent": Run.agent}
    return [columns[name] == value for name, value in filters.items()]


@dataclass(frozen=True, slots=True)
class RunRepository:
    """The runs of one project."""

    session: AsyncReadSession
    scope: ProjectScope

    async def get(self, run_id: UUID) -> Run | None:
        found: Run | None = await self.session.scalar(
            select(Run).where(Run.project_id == self.scope.project_id, Run.id == run_id)
        )
        return found

    async def page(
        self,
        filters: Mapping[str, str],
        sort: str,
        limit: int,
        offset: int,
        after: After | None,
    ) -> list[Run]:
        """At most `limit` runs and about `PAGE_BYTES`, but at least one."""
        # Weights come from a second query: PostgreSQL would also compute them for rows that the offset skips.
        passing = select(Run.id).where(Run.project_id == self.scope.project_id, *_matching(filters))
        page = KEYSET.page(passing, sort, limit, offset, after)
        weighing = select(Run.id, _WEIGHT.label("weight")).where(
            Run.project_id == self.scope.project_id, Run.id.in_(page)
        )
        chosen = weighing.order_by(*KEYSET.order(sort)).subquery("chosen")
        before = func.sum(chosen.c.weight).over(rows=(None, 0)) - chosen.c.weight
        weighed = select(chosen.c.id, before.label("before")).subquery("weighed")
        fitting = select(weighed.c.id).where(weighed.c.before < PAGE_BYTES)
        rows = await self.session.execute(
            select(Run, select(func.count()).select_from(chosen).scalar_subquery())
            .where(Run.project_id == self.scope.project_id, Run.id.in_(fitting))
            .order_by(*KEYSET.order(sort))
        )
        found = [(run, of) for run, of in rows]
        runs = [run for run, _ in found]
        return ShortPage(runs) if found and found[0][1] > len(found) else runs

    async def count(self, filters: Mapping[str, str]) -> int:
        query = select(func.count()).select_from(Run)
        return await self.session.scalar(query.where(Run.project_id == self.scope.project_id, *_matching(filters))) or 0

    async def turn(self, run_id: UUID, number: int) -> RunTurn | None:
        """The end of that turn; None if it has not ended."""
        found: RunTurn | None = await self.session.scalar(
            select(RunTurn).where(
                RunTurn.project_id == self.scope.project_id, RunTurn.run_id == run_id, RunTurn.number == number
            )
        )
        return found

    async def last_turn(self, run_id: UUID) -> RunTurn | None:
        found: RunTurn | None = await self.session.scalar(
            select(RunTurn)
            .where(RunTurn.project_id == self.scope.project_id, RunTurn.run_id == run_id)
            .order_by(RunTurn.number.desc())
            .limit(1)
        )
        return found

    async def is_continued(self, run_id: UUID) -> bool:
        """Whether an unfinished run continues it."""
        query = select(Run.id).where(
            Run.project_id == self.scope.project_id, Run.continues == run_id, Run.finished_at.is_(None)
        )
        return await self.session.scalar(query.limit(1)) is not None

    async def size_of_messages(self, run_id: UUID) -> int:
        """In bytes, as its last turn stored them."""
        query = (
            select(func.octet_length(cast(RunTurn.messages, Text)))
            .where(RunTurn.project_id == self.scope.project_id, RunTurn.run_id == run_id)
            .order_by(RunTurn.number.desc())
            .limit(1)
        )
        return await self.session.scalar(query) or 0


@dataclass(frozen=True, slots=True)
class RunWriter:
    session: AsyncSession
    scope: SharedScope

    async def add(
        self,
        agent: str,
        input_: dict[str, JsonValue],
        continues: UUID | None,
        request_id: str | None,
        traceparent: str | None = None,
    ) -> Run:
        made = await self.session.scalars(
            insert(Run)
            .values(
                project_id=self.scope.project_id, agent=agent, input=input_, continues=continues,
                principal=str(self.scope.principal), request_id=request_id, traceparent=traceparent,
            )
            .returning(Run)
        )  # fmt: skip
        return made.one()

    async def lock(self, run_id: UUID, *, to_delete: bool = False) -> Run | None:
        """The current row, locked until the transaction ends. `to_delete` also waits for runs that continue it."""
        found: Run | None = await self.session.scalar(
            select(Run)
            .where(Run.project_id == self.scope.project_id, Run.id == run_id)
            .with_for_update(key_share=not to_delete)
            .execution_options(populate_existing=True)
        )
        return found

    async def waits_for(self, run_id: UUID) -> timedelta | None:
        """The time until the run may start again; None if it may now."""
        left: timedelta | None = await self.session.scalar(
            select(Run.retry_at - func.clock_timestamp()).where(
                Run.project_id == self.scope.project_id, Run.id == run_id, Run.retry_at > func.clock_timestamp()
            )
        )
        return left

    async def failing_for(self, run_id: UUID) -> timedelta:
        """How long it has been waiting for an unavailable service, since its last finished step."""
        since = func.coalesce(func.clock_timestamp() - Run.failing_at, timedelta())
        found: timedelta | None = await self.session.scalar(
            select(since).where(Run.project_id == self.scope.project_id, Run.id == run_id)
        )
        return found or timedelta()

    async def begin(self, run_id: UUID, attempts: int) -> Run:
        started = func.coalesce(Run.started_at, func.now())
        return await self._set(run_id, status="running", attempts=attempts, started_at=started, retry_at=None)

    async def requeue(self, run_id: UUID, attempts: int) -> Run:
        """Queues the run for another attempt."""
        return await self._set(run_id, status="queued", attempts=attempts)

    async def retry_later(self, run_id: UUID, attempts: int, after: timedelta) -> Run:
        """Queues the run for an attempt that starts no earlier than `after` from now."""
        now = func.clock_timestamp()
        return await self._set(
            run_id, status="queued", attempts=attempts, failing_at=func.coalesce(Run.failing_at, now),
            retry_at=now + after,
        )  # fmt: skip

    async def wait(self, run_id: UUID, pending: list[JsonValue]) -> Run:
        """Waits for a decision. Resets the attempts for the next turn."""
        return await self._set(run_id, status="waiting", pending=pending, attempts=0)

    async def go_on(self, run_id: UUID, turn: int) -> Run:
        """Queues the next turn after a decision."""
        return await self._set(run_id, status="queued", pending=None, turn=turn)

    async def request_cancel(self, run_id: UUID) -> Run:
        """Asks the worker that holds the run to stop."""
        return await self._set(run_id, cancel_requested_at=func.now())

    async def cancel(self, run_id: UUID) -> Run:
        """Cancels at once a run that no worker holds."""
        return await self._set(run_id, status="cancelled", pending=None, finished_at=func.now())

    async def succeed(self, run_id: UUID, output: dict[str, JsonValue]) -> Run:
        return await self._end(run_id, "succeeded", output=output)

    async def fail(self, run_id: UUID, code: str, detail: str) -> Run:
        return await self._end(run_id, "failed", error_code=code, error_detail=detail)

    async def leave_off(self, run_id: UUID) -> Run:
        """Cancels a run whose worker has stopped on request."""
        return await self._end(run_id, "cancelled")

    async def _end(self, run_id: UUID, status: str, **values: object) -> Run:
        return await self._set(run_id, status=status, finished_at=func.now(), **values)

    async def _set(self, run_id: UUID, **values: object) -> Run:
        """The run after the change. Increases `state`, which its entity tag shows."""
        changed = await self.session.scalars(
            update(Run)
            .where(Run.project_id == self.scope.project_id, Run.id == run_id)
            .values(**values, state=Run.state + 1)
            .returning(Run)
            .execution_options(populate_existing=True)
        )
        return changed.one()

    async def delete(self, run_id: UUID) -> None:
        """Deletes a finished run and its journal in the project that the session is bound to."""
        await self.session.execute(_DELETE.where(func.wall.current_project() == self.scope.project_id), {"run": run_id})

    async def end_turn(self, run_id: UUID, number: int, messages: list[JsonValue], pending: JsonValue = None) -> None:
        await self.session.execute(
            insert(RunTurn).values(
                project_id=self.scope.project_id, run_id=run_id, number=number, messages=messages, pending=pending
            )
        )

    async def decide(self, run_id: UUID, number: int, decision: dict[str, JsonValue]) -> None:
        await self.session.execute(
            update(RunTurn)
            .where(RunTurn.project_id == self.scope.project_id, RunTurn.run_id == run_id, RunTurn.number == number)
            .values(decision=decision, decided_by=str(self.scope.principal), decided_at=func.now())
        )
