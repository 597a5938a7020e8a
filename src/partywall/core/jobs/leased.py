"""PgQueuer's statements about jobs in hand, held to those that are still this worker's.

As they come, they go by the job's number alone: a worker that was silent for too long would end, put back or keep alive
the job that another has taken over, and the other could not finish it. And they take over whatever a lost worker has
left, all of it at once and without a word that it was taken over.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from pgqueuer.adapters.persistence.composer import ComposedQuery
from pgqueuer.adapters.persistence.qb import QueryQueueBuilder
from pgqueuer.types import QueueEntrypoint, QueueManagerId

from partywall.core.jobs.suspects import LOST, Suspects

_ENDED: Final = "WHERE id = ANY(SELECT js.id FROM job_status js WHERE js.status {} 'failed')"
_PUT_BACK: Final = "WHERE id = $1::bigint"
_ALIVE: Final = "WHERE id = ANY($1::bigint[])"
_TAKEN: Final = "SET status = 'picked',"
# A job without headers has JSON's null there.
_MARKED: Final = f"""{_TAKEN}
    headers = CASE WHEN status = 'picked'
        THEN COALESCE(NULLIF(headers, 'null'), '{{}}') || '{{"{LOST}": true}}' ELSE NULLIF(headers, 'null') - '{LOST}'
    END,
"""
_OLDEST_SILENT: Final = "ORDER BY stale.priority DESC, stale.id ASC"
_LONGEST_SILENT: Final = "ORDER BY stale.heartbeat ASC, stale.id ASC"
# So long that nobody was silent for it.
_EVER: Final = timedelta(days=36_500)


class UnknownStatementError(Exception):
    """Another version of PgQueuer: what is said here of its statements must be looked at again."""


@dataclass
class LeasedStatements(QueryQueueBuilder):
    worker: UUID | None = None
    suspects: Suspects = field(default_factory=Suspects)

    def build_dequeue_query(
        self,
        *,
        batch_size: int,
        entrypoints: list[QueueEntrypoint],
        concurrency_limits: list[int],
        queue_manager_id: QueueManagerId,
        global_concurrency_limit: int | None,
        heartbeat_timeout: timedelta,
    ) -> ComposedQuery:
        """Takes nothing over while a suspect is at work, and marks what it takes over.

        The longest silent is first, so that those that die with another take turns.
        """
        query = super().build_dequeue_query(
            batch_size=batch_size,
            entrypoints=entrypoints,
            concurrency_limits=concurrency_limits,
            queue_manager_id=queue_manager_id,
            global_concurrency_limit=global_concurrency_limit,
            heartbeat_timeout=heartbeat_timeout if self.suspects.place_is_free else _EVER,
        )
        marked = _replaced(query.sql, _TAKEN, _MARKED)
        return replace(query, sql=_replaced(marked, _OLDEST_SILENT, _LONGEST_SILENT))

    def build_log_job_query(self) -> str:
        return self._ours(super().build_log_job_query(), _ENDED.format("!="), _ENDED.format("="))

    def build_retry_job_query(self) -> str:
        return self._ours(super().build_retry_job_query(), _PUT_BACK)

    def build_update_heartbeat_query(self) -> str:
        return self._ours(super().build_update_heartbeat_query(), _ALIVE)

    def _ours(self, sql: str, *conditions: str) -> str:
        assert self.worker is not None
        for condition in conditions:
            sql = _replaced(sql, condition, f"{condition} AND queue_manager_id = '{UUID(int=self.worker.int)}'")
        return sql


def _replaced(sql: str, found: str, by: str) -> str:
    if sql.count(found) != 1:
        raise UnknownStatementError(found)
    return sql.replace(found, by)
